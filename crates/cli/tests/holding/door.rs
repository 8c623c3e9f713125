//! The three doors through which a lock is wanted, as bytes for a socket.

use tidelock_testkit::{BUCKET, Client, Request, TABLE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    File,
    Table,
    Http,
    /// The http door, of a client that wants no further answer on the connection.
    HttpClose,
}

pub(crate) const DOORS: [Door; 3] = [Door::File, Door::Table, Door::Http];

impl Door {
    /// The request for the lock.
    pub(crate) fn acquire(self, client: &Client, key: &str, id: &str) -> Vec<u8> {
        let info = info(key, id);
        match self {
            Self::File => {
                let put = Request::new("PUT", &format!("/{BUCKET}/{key}.tflock"), info);
                client.signed_bytes(&put.header("if-none-match", "*"))
            }
            Self::Table => {
                let put = serde_json::json!({
                    "TableName": TABLE,
                    "Item": { "LockID": { "S": format!("{BUCKET}/{key}") }, "Info": { "S": info } },
                    "ConditionExpression": "attribute_not_exists(LockID)",
                });
                client.signed_bytes(&Request::dynamodb("PutItem", put.to_string()))
            }
            Self::Http => client.basic_bytes(&Request::new("LOCK", &format!("/state/{BUCKET}/{key}"), info)),
            Self::HttpClose => {
                let lock = Request::new("LOCK", &format!("/state/{BUCKET}/{key}"), info);
                client.basic_bytes(&lock.header("connection", "close"))
            }
        }
    }

    /// The request that gives it back, as Terraform does.
    pub(crate) fn release(self, client: &Client, key: &str, id: &str) -> Vec<u8> {
        match self {
            Self::File => {
                client.signed_bytes(&Request::new("DELETE", &format!("/{BUCKET}/{key}.tflock"), ""))
            }
            Self::Table => {
                let delete = serde_json::json!({
                    "TableName": TABLE,
                    "Key": { "LockID": { "S": format!("{BUCKET}/{key}") } },
                });
                client.signed_bytes(&Request::dynamodb("DeleteItem", delete.to_string()))
            }
            Self::Http | Self::HttpClose => {
                let unlock = Request::new("UNLOCK", &format!("/state/{BUCKET}/{key}"), info(key, id));
                client.basic_bytes(&unlock)
            }
        }
    }

    /// Whether this is its answer to who must wait.
    pub(crate) fn refuses(self, status: u16) -> bool {
        status
            == match self {
                Self::File => 412,
                Self::Table => 400,
                Self::Http | Self::HttpClose => 423,
            }
    }
}

/// A lock info as Terraform writes it.
fn info(key: &str, id: &str) -> String {
    format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Info":"","Who":"alice@one","Version":"1.11.4","Created":"2026-11-21T09:00:00.123456789Z","Path":"{BUCKET}/{key}"}}"#
    )
}
