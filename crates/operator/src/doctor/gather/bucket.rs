//! How the bucket and the table are set up.

use std::ops::ControlFlow;

use http::Method;
use serde_json::{Value, json};

use super::{Examination, is_denied, query};
use crate::{
    aws::{Element, Why},
    doctor::facts::{Bucket, Encryption, Fact, Rule, Table},
    s3::{self, Probe, PublicAccessBlock},
};

impl Examination<'_, '_> {
    /// The lifecycle rules, where they could be read, and whether new objects stay for a retention period.
    pub(super) async fn bucket(&mut self) -> ControlFlow<(), (Option<Vec<Rule>>, bool)> {
        let (s3, name) = (&self.layout.s3, self.setup.bucket.as_str());
        let mut bucket = Bucket {
            versioning: self.seen("versioning", s3.get_bucket_versioning(name).await)?,
            ..Bucket::default()
        };
        let encryption = self.seen("encryption", s3.get_bucket_encryption(name).await)?;
        bucket.encryption = encryption.map(encryption_of);
        if let Some(Encryption::Kms(Some(key))) = &bucket.encryption {
            bucket.key_state = self.seen("the KMS key", query::kms_key_state(self.layout, key).await)?;
        }
        let open = self.seen("public access", s3.get_public_access_block(name).await)?;
        bucket.public_access_open = open.map(|block| off(block.unwrap_or_default()));
        let policy = s3.get_bucket_policy(name).await;
        bucket.policy = match self.seen("the bucket's policy", policy)? {
            Some(None) => Some(Value::Null),
            Some(Some(text)) => self.seen("the bucket's policy", serde_json::from_str(&text))?,
            None => None,
        };
        let lifecycle = self.seen("lifecycle rules", s3.get_bucket_lifecycle(name).await)?;
        bucket.lifecycle = lifecycle.map(|lifecycle| {
            let rules = lifecycle.unwrap_or_default().rules;
            rules
                .iter()
                .filter(|rule| rule.is_enabled())
                .map(rule_of)
                .collect()
        });
        let ownership = self.seen("object ownership", s3.get_bucket_ownership(name).await)?;
        bucket.ownership = ownership.map(Option::unwrap_or_default);
        let retention = retention(s3, name).await;
        bucket.retention = self.seen("object lock", retention)?;
        let region = self.region().await?;
        bucket.elsewhere = region;
        let (rules, retains) = (bucket.lifecycle.clone(), bucket.retention == Some(true));
        self.judge(&Fact::Bucket(bucket))?;
        ControlFlow::Continue((rules, retains))
    }

    /// Where the bucket is, if that is another place than the block says: AWS forgives it by a redirect, or not.
    async fn region(&mut self) -> ControlFlow<(), Option<String>> {
        if self.setup.endpoint.is_some() {
            return ControlFlow::Continue(None);
        }
        let region = self.layout.s3.get_bucket_location(&self.setup.bucket).await;
        let region = self.seen("the bucket's region", region)?;
        ControlFlow::Continue(region.filter(|region| self.setup.region.as_ref() != Some(region)))
    }

    pub(super) async fn table(&mut self) -> ControlFlow<()> {
        let Some(name) = &self.setup.table else {
            return ControlFlow::Continue(());
        };
        let answer = self
            .layout
            .dynamodb
            .call("DescribeTable", name, &json!({ "TableName": name }))
            .await;
        let fact = match &answer {
            Ok(answer) => described(&answer["Table"]),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Some(Table::Missing),
            Err(error) if is_denied(error.code()) => None,
            Err(error) => match &error.why {
                // The store answers, but not this service: in XML, in HTML, or with a status that DynamoDB never gives.
                Why::Foreign { .. } => Some(Table::NoDynamoDb(error.to_string())),
                Why::Refused { status, code, .. }
                    if *code == status.to_string() || !code.ends_with("Exception") =>
                {
                    Some(Table::NoDynamoDb(error.to_string()))
                }
                Why::Refused { .. } | Why::Region(_) | Why::NoAnswer { .. } | Why::Unsigned(_) => None,
            },
        };
        match (fact, answer) {
            (Some(fact), _) => self.judge(&Fact::Table(fact)),
            (None, Err(error)) => self.skip(format!("the table: {error}")),
            (None, Ok(_)) => self.skip(format!("the table {name}: its description cannot be read")),
        }
    }
}

fn encryption_of(found: Option<s3::Encryption>) -> Encryption {
    match found {
        None => Encryption::None,
        Some(found) if found.is_kms() => Encryption::Kms(found.kms_key),
        Some(_) => Encryption::Store,
    }
}

fn off(block: PublicAccessBlock) -> Vec<&'static str> {
    let settings = block.named().into_iter();
    settings.filter(|(_, on)| !on).map(|(name, _)| name).collect()
}

fn rule_of(rule: &s3::Rule) -> Rule {
    let old = rule.expires_replaced_after();
    Rule {
        id: rule.id().to_owned(),
        prefix: rule.prefix().unwrap_or_default().to_owned(),
        narrowed: rule.prefix().is_none(),
        expires: rule.expires_current_after().is_some(),
        moves_to: rule.moves_current_to().map(str::to_owned),
        old_days: old.map(|(days, _)| days),
        old_kept: old.map_or(0, |(_, kept)| kept),
    }
}

/// Whether new objects get a retention period.
async fn retention(s3: &s3::Client, bucket: &str) -> Result<bool, s3::Error> {
    let probe = Probe {
        name: "GetObjectLockConfiguration",
        method: Method::GET,
        bucket,
        query: vec![("object-lock", "")],
        ..Probe::default()
    };
    match s3.probe(probe).await {
        Ok(answer) => Ok(Element::parse(&answer.body).is_some_and(|root| root.child("Rule").is_some())),
        Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => Ok(false),
        Err(error) => Err(error),
    }
}

fn described(table: &Value) -> Option<Table> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let types = table["AttributeDefinitions"].as_array()?;
    let kind = |name: &str| {
        let one = types.iter().find(|one| one["AttributeName"] == name);
        one.map_or_else(String::new, |one| text(&one["AttributeType"]))
    };
    let key = table["KeySchema"].as_array()?.iter();
    let key = key
        .map(|one| text(&one["AttributeName"]))
        .map(|name| (name.clone(), kind(&name)));
    let is_on_demand = table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST";
    let writes = table["ProvisionedThroughput"]["WriteCapacityUnits"].as_u64();
    Some(Table::Found {
        key: key.collect(),
        status: table["TableStatus"].as_str()?.to_owned(),
        writes: writes.filter(|writes| !is_on_demand && *writes > 0),
    })
}
