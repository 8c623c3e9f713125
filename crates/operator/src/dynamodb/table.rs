//! Tables themselves: what one is like, and setting one up.
//!
//! Source: the operations of these names in the Amazon DynamoDB API Reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Client, Error, LOCK_ID};

/// A table as DynamoDB describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `ACTIVE`, or what is being done to it, such as `CREATING`.
    pub status: String,
    /// Its ARN; empty where the store tells none.
    pub arn: String,
    /// The names of the key's attributes with `HASH` or `RANGE`, in that order.
    pub key: Vec<(String, String)>,
    /// The type of each attribute of the key: `S`, `N` or `B`.
    pub types: BTreeMap<String, String>,
    /// How it is encrypted.
    pub encryption: TableEncryption,
    /// Whether it cannot be deleted until this is switched off.
    pub deletion_protected: bool,
}

impl Table {
    /// Whether Terraform can lock with it: one key attribute, `LockID`, which is a text.
    #[must_use]
    pub fn is_for_locks(&self) -> bool {
        let is_hash = |(name, kind): &(String, String)| name == LOCK_ID && kind == "HASH";
        matches!(&self.key[..], [only] if is_hash(only))
            && self.types.get(LOCK_ID).is_some_and(|kind| kind == "S")
    }
}

/// How a table is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableEncryption {
    /// With a key that DynamoDB owns: the default.
    Owned,
    /// With a KMS key of the account, by its ARN; empty where the store tells none.
    Kms(String),
}

/// A table to be made; its key is `LockID`, a text, and it is paid by request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTable {
    /// The KMS key to encrypt it with; DynamoDB's own where there is none.
    pub kms_key: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Client {
    /// What a table is like; `None` where there is no such table.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn describe_table(&self, table: &str) -> Result<Option<Table>, Error> {
        let asked = self
            .call("DescribeTable", table, &json!({ "TableName": table }))
            .await;
        let answer = match asked {
            Err(why) if why.code() == Some("ResourceNotFoundException") => return Ok(None),
            asked => asked?,
        };
        match described(&answer["Table"]) {
            Some(found) => Ok(Some(found)),
            None => Err(self.foreign("DescribeTable", table, "its description cannot be read")),
        }
    }

    /// Makes a lock table, which is there when it is `ACTIVE`.
    ///
    /// # Errors
    /// [`Error`]; `ResourceInUseException` where there is one of that name.
    pub async fn create_lock_table(&self, table: &str, new: &NewTable) -> Result<(), Error> {
        let mut wanted = json!({
            "TableName": table,
            "AttributeDefinitions": [{ "AttributeName": LOCK_ID, "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": LOCK_ID, "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        if let Some(key) = &new.kms_key {
            wanted["SSESpecification"] = kms(key);
        }
        if !new.tags.is_empty() {
            let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
            wanted["Tags"] = new.tags.iter().map(tag).collect();
        }
        self.call("CreateTable", table, &wanted).await.map(drop)
    }

    /// Encrypts a table with another KMS key from now on, which takes some minutes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn encrypt_table(&self, table: &str, kms_key: &str) -> Result<(), Error> {
        let wanted = json!({ "TableName": table, "SSESpecification": kms(kms_key) });
        self.call("UpdateTable", table, &wanted).await.map(drop)
    }

    /// Whether the table can be put back to what it was at a point in time (PITR).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has_point_in_time_recovery(&self, table: &str) -> Result<bool, Error> {
        let (call, wanted) = ("DescribeContinuousBackups", json!({ "TableName": table }));
        let answer = self.call(call, table, &wanted).await?;
        let found = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
        Ok(found["PointInTimeRecoveryStatus"] == "ENABLED")
    }

    /// Keeps what the table was at every second of the last 35 days.
    ///
    /// # Errors
    /// [`Error`]; `ContinuousBackupsUnavailableException` while the table is being made.
    pub async fn enable_point_in_time_recovery(&self, table: &str) -> Result<(), Error> {
        let wanted = json!({
            "TableName": table,
            "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        });
        self.call("UpdateContinuousBackups", table, &wanted)
            .await
            .map(drop)
    }

    /// Deletes a table with all that is in it; a missing one is deleted already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_table(&self, table: &str) -> Result<(), Error> {
        let wanted = json!({ "TableName": table });
        match self.call("DeleteTable", table, &wanted).await {
            Err(why) if why.code() == Some("ResourceNotFoundException") => Ok(()),
            answer => answer.map(drop),
        }
    }
}

fn kms(key: &str) -> Value {
    json!({ "Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key })
}

fn described(table: &Value) -> Option<Table> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |one: &Value, name: &str, kind: &str| (text(&one[name]), text(&one[kind]));
    let key = table["KeySchema"].as_array()?.iter();
    let types = table["AttributeDefinitions"].as_array()?.iter();
    let sse = &table["SSEDescription"];
    let is_encrypted = matches!(sse["Status"].as_str(), Some("ENABLED" | "ENABLING" | "UPDATING"));
    Some(Table {
        status: table["TableStatus"].as_str()?.to_owned(),
        arn: text(&table["TableArn"]),
        key: key.map(|one| pair(one, "AttributeName", "KeyType")).collect(),
        types: types
            .map(|one| pair(one, "AttributeName", "AttributeType"))
            .collect(),
        encryption: match is_encrypted {
            true => TableEncryption::Kms(text(&sse["KMSMasterKeyArn"])),
            false => TableEncryption::Owned,
        },
        deletion_protected: table["DeletionProtectionEnabled"] == true,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(name: &str, kind: &str) -> Value {
        json!({
            "TableStatus": "ACTIVE",
            "TableArn": "arn:aws:dynamodb:eu-central-1:000000000000:table/locks",
            "KeySchema": [{ "AttributeName": name, "KeyType": "HASH" }],
            "AttributeDefinitions": [{ "AttributeName": name, "AttributeType": kind }],
            "SSEDescription": { "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:k" },
            "DeletionProtectionEnabled": true,
        })
    }

    #[test]
    fn a_description_is_read() {
        let found = described(&table("LockID", "S")).unwrap();
        assert!(found.is_for_locks() && found.deletion_protected);
        assert_eq!(found.encryption, TableEncryption::Kms("arn:k".to_owned()));
        assert_eq!(found.status, "ACTIVE");
    }

    #[test]
    fn terraform_locks_with_a_text_called_lock_id_alone() {
        for (name, kind) in [("LockId", "S"), ("LockID", "N"), ("ID", "S")] {
            assert!(
                !described(&table(name, kind)).unwrap().is_for_locks(),
                "{name} {kind}"
            );
        }
        let mut two = table("LockID", "S");
        let more = json!({ "AttributeName": "at", "KeyType": "RANGE" });
        two["KeySchema"].as_array_mut().unwrap().push(more);
        assert!(!described(&two).unwrap().is_for_locks());
    }

    #[test]
    fn what_was_never_said_is_the_default() {
        let plain = json!({ "TableStatus": "CREATING", "KeySchema": [], "AttributeDefinitions": [] });
        let found = described(&plain).unwrap();
        assert_eq!(found.encryption, TableEncryption::Owned);
        assert!(!found.deletion_protected);
        assert!(described(&json!({})).is_none());
    }
}
