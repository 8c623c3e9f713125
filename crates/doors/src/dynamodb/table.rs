//! What a table is: read from CreateTable and UpdateTable, kept as the table's document, shown by DescribeTable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tidelock_core::{Time, limits::TABLE_TAGS_MAX};

use super::{
    error::{Error, invalid},
    key::{KeyAttribute, KeySchema, KeyType},
    request::{Request, constraint},
};

/// The attribute that Terraform's lock tables have for a hash key, and nothing else.
pub(crate) const LOCK_ID: &str = "LockID";

/// What is kept of a table beside its name, id and time of creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// The primary key.
    pub(crate) key: KeySchema,
    on_demand: bool,
    /// When it was last made to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_demand_since: Option<Time>,
    read_units: i64,
    write_units: i64,
    /// Whether DeleteTable is refused.
    pub(crate) deletion_protection: bool,
    /// Whether its items are sealed at rest.
    pub(crate) encrypted: bool,
    table_class: String,
    /// The attribute that says when an item expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_to_live: Option<String>,
    /// The table that it was made from, by its ARN, and as of which moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<(String, Time)>,
    /// Tags, by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

impl Description {
    /// Reads CreateTable.
    pub(crate) fn read(request: &Request, now: Time) -> Result<Description, Error> {
        // An index has keys of its own, which would be taken for a slip in the table's.
        refuse_what_is_not_done(request)?;
        let mut description = Description {
            key: read_key(request)?,
            on_demand: false,
            on_demand_since: None,
            read_units: 0,
            write_units: 0,
            deletion_protection: false,
            encrypted: false,
            table_class: "STANDARD".to_owned(),
            time_to_live: None,
            restored: None,
            tags: read_tags(request)?,
        };
        if !request.has("ProvisionedThroughput") && request.text("BillingMode")? != Some("PAY_PER_REQUEST") {
            request.one_of("BillingMode", &BILLING_MODES)?;
            return invalid(UNITS_MISSING);
        }
        description.change(request, now)?;
        Ok(description)
    }

    /// Takes over what UpdateTable (or CreateTable) says.
    pub(crate) fn change(&mut self, request: &Request, now: Time) -> Result<(), Error> {
        refuse_what_is_not_done(request)?;
        if let Some(mode) = request.one_of("BillingMode", &BILLING_MODES)? {
            let on_demand = mode == "PAY_PER_REQUEST";
            if on_demand && !self.on_demand {
                self.on_demand_since = Some(now);
            }
            self.on_demand = on_demand;
        }
        if let Some(units) = request.object("ProvisionedThroughput")? {
            let units = Request::nested(&Json::Object(units.clone()))?;
            self.read_units = units.required("ReadCapacityUnits", units.integer("ReadCapacityUnits", 1)?)?;
            self.write_units =
                units.required("WriteCapacityUnits", units.integer("WriteCapacityUnits", 1)?)?;
            if self.on_demand {
                return invalid(
                    "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
                );
            }
        } else if self.on_demand {
            (self.read_units, self.write_units) = (0, 0);
        } else if self.read_units == 0 {
            return invalid(UNITS_MISSING);
        }
        if let Some(protected) = request.maybe_flag("DeletionProtectionEnabled")? {
            self.deletion_protection = protected;
        }
        if let Some(sse) = request.object("SSESpecification")? {
            self.encrypted = is_encrypted(&Request::nested(&Json::Object(sse.clone()))?)?;
        }
        if let Some(class) = request.one_of("TableClass", &["STANDARD", "STANDARD_INFREQUENT_ACCESS"])? {
            class.clone_into(&mut self.table_class);
        }
        Ok(())
    }

    /// Whether the table is one of Terraform's: `LockID`, a string, is the whole key.
    pub(crate) fn is_lock_table(&self) -> bool {
        self.key.hash.name == LOCK_ID && self.key.hash.key_type == KeyType::S && self.key.range.is_none()
    }

    /// The `TableDescription` of an answer.
    pub(crate) fn show(&self, table: &Shown<'_>) -> Json {
        let attributes: Vec<Json> = self
            .key
            .attributes()
            .map(|attribute| json!({ "AttributeName": attribute.name, "AttributeType": attribute.key_type.name() }))
            .collect();
        let keys: Vec<Json> = self
            .key
            .attributes()
            .zip(["HASH", "RANGE"])
            .map(|(attribute, kind)| json!({ "AttributeName": attribute.name, "KeyType": kind }))
            .collect();
        let mut shown = json!({
            "TableName": table.name,
            "TableArn": table.arn,
            "TableId": uuid_form(table.id),
            "TableStatus": table.status,
            "CreationDateTime": seconds(table.created),
            "AttributeDefinitions": attributes,
            "KeySchema": keys,
            "ItemCount": table.items,
            "TableSizeBytes": table.bytes,
            "DeletionProtectionEnabled": self.deletion_protection,
            "ProvisionedThroughput": {
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": self.read_units,
                "WriteCapacityUnits": self.write_units,
            },
            "TableClassSummary": { "TableClass": self.table_class },
            "WarmThroughput": { "ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE" },
        });
        if let Some(since) = self.on_demand_since {
            shown["BillingModeSummary"] = json!({
                "BillingMode": if self.on_demand { "PAY_PER_REQUEST" } else { "PROVISIONED" },
                "LastUpdateToPayPerRequestDateTime": seconds(since),
            });
        }
        if let Some((source, at)) = &self.restored {
            shown["RestoreSummary"] = json!({
                "SourceTableArn": source,
                "RestoreDateTime": seconds(*at),
                "RestoreInProgress": table.status == "CREATING",
            });
        }
        if self.encrypted {
            shown["SSEDescription"] = json!({
                "Status": "ENABLED",
                "SSEType": "KMS",
                "KMSMasterKeyArn": table.arn.split(":table/").next().unwrap_or_default().replace(":dynamodb:", ":kms:") + ":alias/aws/dynamodb",
            });
        }
        shown
    }
}

/// What a table's description shows beside what the table was made with.
pub(crate) struct Shown<'a> {
    pub(crate) name: &'a str,
    pub(crate) arn: &'a str,
    pub(crate) id: &'a str,
    pub(crate) status: &'a str,
    pub(crate) created: Time,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Members of CreateTable and UpdateTable that ask for what no table here can do.
const NOT_DONE: [&str; 10] = [
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexUpdates",
    "GlobalTableWitnessUpdates",
    "MultiRegionConsistency",
    "OnDemandThroughput",
    "ReplicaUpdates",
    "ResourcePolicy",
    "VectorIndexes",
    "WarmThroughput",
];

fn refuse_what_is_not_done(request: &Request) -> Result<(), Error> {
    let stream = request.object("StreamSpecification")?;
    let streams = stream.is_some_and(|stream| stream.get("StreamEnabled") != Some(&Json::Bool(false)));
    let stream = streams.then_some("StreamSpecification");
    // Clients send empty lists of indexes for none.
    let asked = |name: &&str| {
        request.has(name)
            && !request
                .array(name)
                .is_ok_and(|list| list.is_some_and(Vec::is_empty))
    };
    match NOT_DONE.into_iter().find(asked).or(stream) {
        Some(name) => invalid(format!(
            "One or more parameter values were invalid: {name} is not supported by this server"
        )),
        None => Ok(()),
    }
}

/// Whether an `SSESpecification` has the items sealed.
fn is_encrypted(sse: &Request) -> Result<bool, Error> {
    let enabled = sse.flag("Enabled")?;
    sse.one_of("SSEType", &["AES256", "KMS"])?;
    match sse.text("KMSMasterKeyId")? {
        Some(key) if !key.ends_with("alias/aws/dynamodb") => invalid(
            "One or more parameter values were invalid: KMSMasterKeyId is not supported by this server: tables are sealed under its own key",
        ),
        Some(_) if !enabled => invalid(
            "One or more parameter values were invalid: KMSMasterKeyId can be specified only if SSE is enabled",
        ),
        Some(_) | None => Ok(enabled),
    }
}

/// DynamoDB gives times as seconds with a fraction.
pub(crate) fn seconds(time: Time) -> f64 {
    time.0 as f64 / 1000.0
}

/// A table's id looks like a UUID to clients.
fn uuid_form(id: &str) -> String {
    match (
        id.get(..8),
        id.get(8..12),
        id.get(12..16),
        id.get(16..20),
        id.get(20..),
    ) {
        (Some(a), Some(b), Some(c), Some(d), Some(e)) => format!("{a}-{b}-{c}-{d}-{e}"),
        _ => id.to_owned(),
    }
}

const BILLING_MODES: [&str; 2] = ["PROVISIONED", "PAY_PER_REQUEST"];

const UNITS_MISSING: &str = "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED";

fn read_key(request: &Request) -> Result<KeySchema, Error> {
    let definitions = request.required("AttributeDefinitions", request.array("AttributeDefinitions")?)?;
    let definitions = definitions
        .iter()
        .map(read_definition)
        .collect::<Result<Vec<_>, Error>>()?;
    let elements = request.required("KeySchema", request.array("KeySchema")?)?;
    let elements = elements
        .iter()
        .map(read_element)
        .collect::<Result<Vec<_>, Error>>()?;
    let names: Vec<&str> = elements.iter().map(|(name, _)| name.as_str()).collect();
    match elements.iter().map(|(_, kind)| *kind).collect::<Vec<_>>()[..] {
        ["HASH"] => {}
        ["HASH", "RANGE"] if names[0] == names[1] => {
            return invalid(
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            );
        }
        ["HASH", "RANGE"] => {}
        ["HASH", _] => {
            return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
        }
        [] => {
            let rule = "Member must have length greater than or equal to 1";
            return invalid(constraint("'[]'", "KeySchema", rule));
        }
        [_, _, _, ..] => {
            let rule = "Member must have length less than or equal to 2";
            return invalid(constraint("'[...]'", "KeySchema", rule));
        }
        _ => return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    }
    let defined: Vec<&str> = definitions
        .iter()
        .map(|attribute| attribute.name.as_str())
        .collect();
    let find = |name: &str| {
        definitions
            .iter()
            .find(|attribute| attribute.name == name)
            .cloned()
    };
    let Some(keys) = names
        .iter()
        .map(|name| find(name))
        .collect::<Option<Vec<KeyAttribute>>>()
    else {
        return invalid(format!(
            "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], AttributeDefinitions: [{}]",
            names.join(", "),
            defined.join(", ")
        ));
    };
    if definitions.len() != keys.len() {
        return invalid(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        );
    }
    let mut keys = keys.into_iter();
    match (keys.next(), keys.next()) {
        (Some(hash), range) => Ok(KeySchema { hash, range }),
        (None, _) => invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    }
}

fn read_definition(json: &Json) -> Result<KeyAttribute, Error> {
    let definition = Request::nested(json)?;
    let key_type = match definition.one_of("AttributeType", &["B", "N", "S"])? {
        Some("S") => KeyType::S,
        Some("N") => KeyType::N,
        Some(_) => KeyType::B,
        None => return definition.required("AttributeType", None),
    };
    Ok(KeyAttribute {
        name: attribute_name(&definition)?,
        key_type,
    })
}

fn read_element(json: &Json) -> Result<(String, &'static str), Error> {
    let element = Request::nested(json)?;
    let kind = element.required("KeyType", element.one_of("KeyType", &["HASH", "RANGE"])?)?;
    Ok((attribute_name(&element)?, kind))
}

fn attribute_name(request: &Request) -> Result<String, Error> {
    let name = request.required("AttributeName", request.text("AttributeName")?)?;
    if (1..=255).contains(&name.len()) {
        Ok(name.to_owned())
    } else {
        invalid("One or more parameter values were invalid: an attribute name has 1 to 255 bytes")
    }
}

/// The `Tags` of a request.
pub(crate) fn read_tags(request: &Request) -> Result<BTreeMap<String, String>, Error> {
    let mut tags = BTreeMap::new();
    for tag in request.array("Tags")?.into_iter().flatten() {
        let tag = Request::nested(tag)?;
        let key = tag.required("Key", tag.text("Key")?)?;
        let value = tag.required("Value", tag.text("Value")?)?;
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            return invalid(
                "One or more parameter values were invalid: a tag has a key of 1 to 128 and a value of at most 256 characters",
            );
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    check_tag_count(&tags)?;
    Ok(tags)
}

/// Refuses more tags than a table may have.
pub(crate) fn check_tag_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TABLE_TAGS_MAX {
        return invalid(format!(
            "One or more parameter values were invalid: Too many tags: a table has at most {TABLE_TAGS_MAX}"
        ));
    }
    Ok(())
}
