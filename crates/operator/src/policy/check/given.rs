//! Somebody's policy, statement by statement, without the conditions that only a request could answer.

use serde::Serialize;
use serde_json::{Value, json};
use tidelock_core::policy::{Kind, Policy, PolicyError, Rights};

use super::{CheckError, Subject, rights};
use crate::policy::subject::account_of;

/// The condition keys that the requests we ask about have, in lower case.
const KNOWN: [&str; 5] = [
    "s3:prefix",
    "dynamodb:leadingkeys",
    "kms:viaservice",
    "kms:resourcealiases",
    "aws:securetransport",
];

/// A condition that depends on who asks, from where, or how.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Assumed {
    /// The statement's Sid, or its place as `statement 2`.
    pub statement: String,
    /// The condition keys.
    pub keys: Vec<String>,
    /// Whether the statement allows, and the condition is taken as met; a deny is taken as not met.
    pub allows: bool,
}

/// A policy, taken apart.
pub(super) struct Given {
    /// Statements that allow.
    pub(super) allows: Vec<One>,
    denies: Vec<Value>,
    pub(super) assumed: Vec<Assumed>,
}

/// One statement that allows.
pub(super) struct One {
    pub(super) label: String,
    pub(super) actions: Vec<String>,
    /// `NotAction`.
    pub(super) all_actions_but: Option<Vec<String>>,
    pub(super) resources: Vec<String>,
    value: Value,
}

impl Given {
    /// Reads a policy as IAM takes it, or wrapped as `aws iam get-role-policy` and `get-policy-version` show one.
    pub(super) fn read(text: &str) -> Result<Given, CheckError> {
        let text = text.trim_start_matches('\u{feff}');
        let value: Value = serde_json::from_str(text)?;
        let version = value.pointer("/PolicyVersion/Document");
        let inner = version.or_else(|| value.get("PolicyDocument"));
        // One that stands alone is judged as it is written, a name that comes twice included.
        let written = inner.map(Value::to_string);
        Policy::parse(written.as_deref().unwrap_or(text), Kind::Identity)?;
        let value = inner.unwrap_or(&value);
        let mut given = Given {
            allows: Vec::new(),
            denies: Vec::new(),
            assumed: Vec::new(),
        };
        for (place, statement) in (1..).zip(listed(&value["Statement"])) {
            let sid = statement["Sid"].as_str().filter(|sid| !sid.is_empty());
            let label = sid.map_or_else(|| format!("statement {place}"), str::to_owned);
            given.take(label, statement.clone());
        }
        Ok(given)
    }

    fn take(&mut self, label: String, mut statement: Value) {
        let allows = statement["Effect"] == "Allow";
        let keys = without_unknown(&mut statement);
        let is_known = keys.is_empty();
        if !is_known {
            self.assumed.push(Assumed {
                statement: label.clone(),
                keys,
                allows,
            });
        }
        match (allows, is_known) {
            (true, _) => self.allows.push(One {
                label,
                actions: texts(&statement["Action"]),
                all_actions_but: statement.get("NotAction").map(texts),
                resources: texts(&statement["Resource"]),
                value: statement,
            }),
            (false, true) => self.denies.push(statement),
            (false, false) => {}
        }
    }

    /// All that it allows and denies.
    pub(super) fn rights(&self) -> Result<Rights, PolicyError> {
        let allows = self.allows.iter().map(|one| &one.value);
        self.rights_with(allows)
    }

    /// What one statement allows, as far as nothing else denies it.
    pub(super) fn rights_of(&self, one: &One) -> Result<Rights, PolicyError> {
        self.rights_with(std::iter::once(&one.value))
    }

    fn rights_with<'a>(&'a self, allows: impl Iterator<Item = &'a Value>) -> Result<Rights, PolicyError> {
        let statements: Vec<&Value> = allows.chain(&self.denies).collect();
        if statements.is_empty() {
            return Ok(Rights::default());
        }
        rights(&json!({"Version": "2012-10-17", "Statement": statements}).to_string())
    }

    /// The subject with the region and the account that the policy names, where it has none of its own.
    pub(super) fn completed(&self, subject: &Subject) -> Subject {
        let mut completed = subject.clone();
        let resources = self.allows.iter().flat_map(|one| &one.resources);
        for arn in resources.filter(|arn| arn.contains(":dynamodb:") || arn.contains(":kms:")) {
            let region = arn
                .split(':')
                .nth(3)
                .filter(|region| !region.is_empty() && !region.contains(['*', '?', '$']));
            completed.region = completed.region.or_else(|| region.map(str::to_owned));
            completed.account = completed.account.or_else(|| account_of(arn));
        }
        completed
    }
}

/// What a statement with these actions alone would allow on a resource.
pub(super) fn only(actions: &[&str], resource: &str) -> Result<Rights, PolicyError> {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    rights(&json!({"Version": "2012-10-17", "Statement": statement}).to_string())
}

/// Takes the conditions out that no request of ours answers; their keys.
fn without_unknown(statement: &mut Value) -> Vec<String> {
    let mut taken = Vec::new();
    let Some(Value::Object(operators)) = statement.get_mut("Condition") else {
        return taken;
    };
    for keys in operators.values_mut().filter_map(Value::as_object_mut) {
        keys.retain(|key, _| {
            let is_known = KNOWN.contains(&key.to_ascii_lowercase().as_str());
            if !is_known {
                taken.push(key.clone());
            }
            is_known
        });
    }
    taken.sort();
    taken.dedup();
    taken
}

fn listed(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

fn texts(value: &Value) -> Vec<String> {
    let texts = listed(value).iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
