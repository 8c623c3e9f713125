//! A client of DynamoDB: one method a call that a lock table needs, for AWS's own and whoever else speaks its protocol.

mod error;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Request, header};
use serde_json::{Map, Value, json};
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;

pub use error::Error;
pub use table::{NewTable, Table, TableEncryption};

use crate::aws::{Access, Answer, SettingsError, Why, code_of_json};

/// AWS's name for it.
const SERVICE: &str = "DynamoDB";

/// The version of the protocol that the header names.
const TARGET: &str = "DynamoDB_20120810";

/// The key attribute of Terraform's tables.
pub const LOCK_ID: &str = "LockID";

/// A client of one DynamoDB endpoint. Cheap to use from many tasks at once.
#[derive(Debug)]
pub struct Client {
    endpoint: String,
    access: Arc<Access>,
}

/// An item: attributes in DynamoDB's own JSON, such as `{"S": "text"}`, by name.
pub type Item = Map<String, Value>;

/// A page of a scan.
#[derive(Debug)]
pub struct Page {
    /// What it has found.
    pub items: Vec<Item>,
    /// How many it has looked at.
    pub scanned: u64,
    /// Where the next one begins; `None` on the last.
    pub next: Option<Item>,
}

/// What must hold for a write to be carried out, in DynamoDB's expression language.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Such as `Info = :info`.
    pub expression: &'static str,
    /// What its `:names` stand for: texts.
    pub values: BTreeMap<&'static str, String>,
}

impl Client {
    /// A client that shares connections and key with others.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn with(access: Arc<Access>) -> Result<Client, SettingsError> {
        let settings = &access.settings;
        let told = settings.endpoint("dynamodb");
        let endpoint = told.unwrap_or_else(|| settings.endpoint_of_aws("dynamodb"));
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let is_url = endpoint
            .parse::<http::Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some());
        match is_url {
            true => Ok(Client { endpoint, access }),
            false => Err(SettingsError::Endpoint(endpoint)),
        }
    }

    /// `https://HOST[:PORT]` of the server.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The item of a key, as it is now.
    ///
    /// # Errors
    /// [`Error`]; `ResourceNotFoundException` where there is no such table.
    pub async fn get_item(&self, table: &str, key: &str) -> Result<Option<Item>, Error> {
        let wanted = json!({ "TableName": table, "Key": named(key), "ConsistentRead": true });
        let mut answer = self.call("GetItem", table, &wanted).await?;
        match answer.get_mut("Item").map(Value::take) {
            None => Ok(None),
            Some(Value::Object(item)) => Ok(Some(item)),
            Some(_) => Err(self.foreign("GetItem", table, "an item is an object")),
        }
    }

    /// Writes an item, if the condition holds.
    ///
    /// # Errors
    /// [`Error`]; `ConditionalCheckFailedException` where it does not hold.
    pub async fn put_item(
        &self,
        table: &str,
        item: &Item,
        condition: Option<&Condition>,
    ) -> Result<(), Error> {
        let mut wanted = json!({ "TableName": table, "Item": item });
        add(&mut wanted, "ConditionExpression", condition);
        self.call("PutItem", table, &wanted).await.map(drop)
    }

    /// Deletes the item of a key, if the condition holds. What is not there is deleted already, unless a condition says
    /// otherwise.
    ///
    /// # Errors
    /// [`Error`]; `ConditionalCheckFailedException` where it does not hold.
    pub async fn delete_item(
        &self,
        table: &str,
        key: &str,
        condition: Option<&Condition>,
    ) -> Result<(), Error> {
        let mut wanted = json!({ "TableName": table, "Key": named(key) });
        add(&mut wanted, "ConditionExpression", condition);
        self.call("DeleteItem", table, &wanted).await.map(drop)
    }

    /// A page of all items of the table; `after` is where the page before ended.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn scan(&self, table: &str, after: Option<&Item>) -> Result<Page, Error> {
        self.scan_where(table, None, after).await
    }

    /// The same, of those for which the condition holds: a page may have none of them and not be the last.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn scan_where(
        &self,
        table: &str,
        filter: Option<&Condition>,
        after: Option<&Item>,
    ) -> Result<Page, Error> {
        let mut wanted = json!({ "TableName": table, "ConsistentRead": true });
        add(&mut wanted, "FilterExpression", filter);
        if let Some(after) = after {
            wanted["ExclusiveStartKey"] = Value::Object(after.clone());
        }
        let mut answer = self.call("Scan", table, &wanted).await?;
        let foreign = || self.foreign("Scan", table, "a page has a list of items");
        let items = answer.get_mut("Items").map(Value::take);
        let Some(Value::Array(items)) = items else {
            return Err(foreign());
        };
        let item = |item| match item {
            Value::Object(item) => Some(item),
            _ => None,
        };
        let items: Option<Vec<Item>> = items.into_iter().map(item).collect();
        let next = answer.get_mut("LastEvaluatedKey").map(Value::take);
        Ok(Page {
            items: items.ok_or_else(foreign)?,
            scanned: answer["ScannedCount"].as_u64().unwrap_or_default(),
            next: next.and_then(item).filter(|next| !next.is_empty()),
        })
    }

    /// Any call, by DynamoDB's name for it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn call(&self, name: &'static str, table: &str, wanted: &Value) -> Result<Value, Error> {
        let request = Request::post(format!("{}/", self.endpoint))
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{TARGET}.{name}"))
            .body(Bytes::from(wanted.to_string()));
        let request = request.map_err(|why| Error::new(name, table, Why::Unsigned(why.to_string())))?;
        let code = |answer: &Answer| code_of_json(&answer.body).0;
        let answer = self
            .access
            .call("dynamodb", &request, CLIENT_DOCUMENT_BYTES_MAX, code)
            .await;
        match answer {
            Ok(answer) if answer.status.is_success() => serde_json::from_slice(&answer.body)
                .map_err(|_| self.foreign(name, table, "its answer is no JSON")),
            Ok(answer) => Err(Error::new(name, table, Why::of_json(answer.status, &answer.body))),
            Err(none) => Err(Error::new(
                name,
                table,
                Why::unanswered(none, SERVICE, &self.endpoint),
            )),
        }
    }

    fn foreign(&self, name: &'static str, table: &str, why: &str) -> Error {
        let (endpoint, service, why) = (self.endpoint.clone(), SERVICE, why.to_owned());
        let why = Why::Foreign {
            endpoint,
            service,
            why,
        };
        Error::new(name, table, why)
    }
}

/// The text of an attribute.
#[must_use]
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.get("S")?.as_str()
}

/// An attribute that is a text.
#[must_use]
pub fn string(text: &str) -> Value {
    json!({ "S": text })
}

/// The key of an item in a lock table.
fn named(key: &str) -> Value {
    json!({ LOCK_ID: string(key) })
}

fn add(wanted: &mut Value, what: &str, condition: Option<&Condition>) {
    let Some(condition) = condition else { return };
    wanted[what] = condition.expression.into();
    if !condition.values.is_empty() {
        let values = condition.values.iter();
        let values = values.map(|(name, value)| ((*name).to_owned(), string(value)));
        wanted["ExpressionAttributeValues"] = Value::Object(values.collect());
    }
}
