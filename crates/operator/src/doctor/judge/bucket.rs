//! What is wrong with the bucket and the lock table.

use serde_json::Value;
use tidelock_core::{
    diff::visible,
    limits::{DOCTOR_OLD_DAYS_MIN, DOCTOR_OLD_VERSIONS_MIN},
};

use super::quoted;
use crate::{
    doctor::{
        facts::{Bucket, Encryption, Rule, Setup, Table},
        finding::{Finding, Id},
    },
    s3::Versioning,
};

/// Fewer writes a second make one lock wait for another.
const TABLE_WRITES_MIN: u64 = 2;

/// Classes whose objects have to be restored before they can be read.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

pub(super) fn judge(setup: &Setup, bucket: &Bucket) -> Vec<Finding> {
    let (name, bootstrap) = (visible(&setup.bucket), setup.tidelock("bootstrap"));
    if bucket.missing {
        let what = format!("there is no bucket {name}");
        return vec![Finding::new(Id::BucketMissing, what, bootstrap)];
    }
    if let Some(region) = &bucket.elsewhere {
        let region = visible(region);
        let what = format!(
            "the bucket {name} is in {region}, and was looked for in {}",
            setup
                .region
                .as_deref()
                .map_or_else(|| "no region".to_owned(), visible)
        );
        let mend = format!(
            "write region = \"{region}\" into the block, then: terraform init -reconfigure; or set AWS_REGION={region}"
        );
        return vec![Finding::new(Id::BucketElsewhere, what, mend)];
    }
    let mut found: Vec<Finding> = kept(setup, bucket).into_iter().collect();
    found.extend(encryption(setup, bucket));
    found.extend(open(setup, bucket));
    let rules = bucket.lifecycle.iter().flatten();
    found.extend(rules.flat_map(|rule| lifecycle(setup, rule)));
    if bucket.retention == Some(true) {
        let what = format!(
            "the bucket {name} keeps every new object for a retention period: lock files stay for it too, and clients that send no checksum cannot write"
        );
        let mend = setup.aws(&format!("s3api put-object-lock-configuration --bucket {} --object-lock-configuration ObjectLockEnabled=Enabled", quoted(&setup.bucket)));
        found.push(Finding::new(Id::RetentionKeepsLocks, what, mend));
    }
    found
}

fn kept(setup: &Setup, bucket: &Bucket) -> Option<Finding> {
    let (name, mend) = (visible(&setup.bucket), setup.tidelock("bootstrap"));
    match bucket.versioning? {
        Versioning::Enabled => None,
        Versioning::Never => {
            let what = format!(
                "the bucket {name} keeps no old versions: a state that is overwritten or deleted is lost"
            );
            Some(Finding::new(Id::VersioningOff, what, mend))
        }
        Versioning::Suspended => {
            let what = format!(
                "the bucket {name} has stopped keeping old versions: a state that is overwritten is lost"
            );
            Some(Finding::new(Id::VersioningSuspended, what, mend))
        }
    }
}

fn encryption(setup: &Setup, bucket: &Bucket) -> Vec<Finding> {
    let (name, bootstrap) = (visible(&setup.bucket), setup.tidelock("bootstrap"));
    let mut found = Vec::new();
    if bucket.encryption == Some(Encryption::None) {
        let what =
            format!("the bucket {name} stores objects unencrypted where their writer does not say otherwise");
        found.push(Finding::new(Id::EncryptionOff, what, bootstrap));
    }
    let Some(Encryption::Kms(key)) = &bucket.encryption else {
        return found;
    };
    let shown = key.as_deref().map_or_else(|| "AWS's own".to_owned(), visible);
    if let Some(state) = bucket
        .key_state
        .as_ref()
        .filter(|state| *state != "Enabled" && *state != "Updating")
    {
        let what = format!(
            "the KMS key {shown} of the bucket {name} is {}: no state can be read or written",
            visible(state)
        );
        let key = quoted(key.as_deref().unwrap_or_default());
        let mend = match state.as_str() {
            "PendingDeletion" => format!(
                "{}, then: {}",
                setup.aws(&format!("kms cancel-key-deletion --key-id {key}")),
                setup.aws(&format!("kms enable-key --key-id {key}"))
            ),
            _ => setup.aws(&format!("kms enable-key --key-id {key}")),
        };
        found.push(Finding::new(Id::KmsKeyUnusable, what, mend));
    }
    if let (Some(ours), Some(theirs)) = (&setup.kms_key, key)
        && !is_same_key(ours, theirs)
    {
        let what = format!(
            "the block encrypts under the KMS key {}, and the bucket {name} under {shown}: lock files and states have different keys",
            visible(ours)
        );
        found.push(Finding::new(
            Id::KmsKeyDiffers,
            what,
            "name the bucket's key in the block (kms_key_id), or leave it out",
        ));
    }
    found
}

/// One may be named by its ARN, the other by its ID; what an alias means is not known here.
fn is_same_key(one: &str, other: &str) -> bool {
    let id = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
    one.contains("alias/") || other.contains("alias/") || id(one) == id(other)
}

fn open(setup: &Setup, bucket: &Bucket) -> Vec<Finding> {
    let (name, bootstrap) = (visible(&setup.bucket), setup.tidelock("bootstrap"));
    let mut found = Vec::new();
    if let Some(off) = bucket.public_access_open.as_ref().filter(|off| !off.is_empty()) {
        let what = format!(
            "the bucket {name} can be opened to everybody: not set are {}",
            off.join(", ")
        );
        found.push(Finding::new(Id::PublicAccessOpen, what, bootstrap.clone()));
    }
    if let Some(policy) = &bucket.policy {
        if statements(policy).any(lets_everybody_in) {
            let what = format!(
                "the policy of the bucket {name} allows something to everybody (Principal \"*\") without a condition"
            );
            let mend = setup.aws(&format!(
                "s3api get-bucket-policy --bucket {}",
                quoted(&setup.bucket)
            ));
            found.push(Finding::new(
                Id::PolicyPublic,
                what,
                format!("look at it: {mend}; then name who may: tidelock policy"),
            ));
        }
        if setup.is_over_tls() && !statements(policy).any(demands_tls) {
            let what = format!("the policy of the bucket {name} lets requests without TLS in");
            found.push(Finding::new(Id::PlainHttpAllowed, what, bootstrap));
        }
    }
    let is_aws = setup.endpoint.is_none();
    let has_lists = |owner: &&String| match owner.as_str() {
        "BucketOwnerEnforced" => false,
        "" => is_aws,
        _ => true,
    };
    if bucket.ownership.as_ref().filter(has_lists).is_some() {
        let what = format!(
            "access control lists count in the bucket {name}: whoever writes an object can open it to others"
        );
        let mend = setup.aws(&format!("s3api put-bucket-ownership-controls --bucket {} --ownership-controls 'Rules=[{{ObjectOwnership=BucketOwnerEnforced}}]'", quoted(&setup.bucket)));
        found.push(Finding::new(Id::AclsEnabled, what, mend));
    }
    found
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    let statement = &policy["Statement"];
    let many = statement.as_array().map(Vec::as_slice);
    many.unwrap_or(std::slice::from_ref(statement)).iter()
}

fn is_everybody(statement: &Value) -> bool {
    let any = |value: &Value| match value {
        Value::String(one) => one == "*",
        Value::Array(many) => many.iter().any(|one| one == "*"),
        _ => false,
    };
    any(&statement["Principal"]) || any(&statement["Principal"]["AWS"])
}

fn lets_everybody_in(statement: &Value) -> bool {
    let conditions = statement["Condition"].as_object().map_or(0, serde_json::Map::len);
    statement["Effect"] == "Allow" && is_everybody(statement) && conditions == 0
}

fn demands_tls(statement: &Value) -> bool {
    let condition = statement["Condition"].as_object().into_iter().flatten();
    let mut keys = condition
        .filter(|(operator, _)| operator.starts_with("Bool"))
        .flat_map(|(_, keys)| keys.as_object().into_iter().flatten());
    let says_plain = keys.any(|(key, value)| {
        let value = value.as_array().and_then(|many| many.first()).unwrap_or(value);
        key.eq_ignore_ascii_case("aws:SecureTransport") && (value == "false" || *value == Value::Bool(false))
    });
    statement["Effect"] == "Deny" && is_everybody(statement) && says_plain
}

fn lifecycle(setup: &Setup, rule: &Rule) -> Vec<Finding> {
    // Workspaces are below their own prefix, and as many states as the others.
    let key = setup.key.as_deref();
    let touches = key.is_none_or(|key| key.starts_with(&rule.prefix)) || rule.prefix.starts_with("env:");
    if rule.narrowed || !touches {
        return Vec::new();
    }
    let (name, id) = (visible(&setup.bucket), visible(&rule.id));
    let mend = setup.aws(&format!(
        "s3api get-bucket-lifecycle-configuration --bucket {}",
        quoted(&setup.bucket)
    ));
    let mend = format!("look at it: {mend}; take the rule out, or give it a prefix without states");
    let mut found = Vec::new();
    if rule.expires {
        let what =
            format!("the lifecycle rule {id} of the bucket {name} deletes current states after a while");
        found.push(Finding::new(Id::LifecycleDeletesStates, what, mend.clone()));
    }
    if let Some(class) = rule
        .moves_to
        .as_ref()
        .filter(|class| ARCHIVES.contains(&class.as_str()))
    {
        let what = format!(
            "the lifecycle rule {id} of the bucket {name} moves states to {class}, where Terraform cannot read them"
        );
        found.push(Finding::new(Id::LifecycleArchivesStates, what, mend));
    }
    if let Some(days) = rule
        .old_days
        .filter(|days| *days < DOCTOR_OLD_DAYS_MIN && rule.old_kept < DOCTOR_OLD_VERSIONS_MIN)
    {
        let what = format!(
            "the lifecycle rule {id} of the bucket {name} ends old versions after {days} days: what was lost before cannot be had back"
        );
        found.push(Finding::new(
            Id::LifecycleEatsVersions,
            what,
            format!(
                "keep {DOCTOR_OLD_DAYS_MIN} days or {DOCTOR_OLD_VERSIONS_MIN} versions at least: {}",
                setup.tidelock("bootstrap")
            ),
        ));
    }
    found
}

pub(super) fn table(setup: &Setup, table: &Table) -> Vec<Finding> {
    let name = visible(setup.table.as_deref().unwrap_or_default());
    let one = |id, what, mend: String| vec![Finding::new(id, what, mend)];
    match table {
        Table::Missing => one(
            Id::TableMissing,
            format!("there is no table {name}"),
            setup.tidelock("bootstrap"),
        ),
        Table::NoDynamoDb(why) => {
            let what = format!(
                "the locks should be in the table {name}, but there is no DynamoDB: {}",
                visible(why)
            );
            one(Id::NoDynamoDb, what, "write use_lockfile = true into the block in place of dynamodb_table, then: terraform init -reconfigure".to_owned())
        }
        Table::Found { key, status, writes } => {
            let mut found = Vec::new();
            if !matches!(&key[..], [(name, kind)] if name == "LockID" && kind == "S") {
                let shown: Vec<String> = key
                    .iter()
                    .map(|(name, kind)| format!("{} ({})", visible(name), visible(kind)))
                    .collect();
                let what = format!(
                    "the table {name} has the key {}, and Terraform locks in tables whose key is LockID (S) alone",
                    shown.join(" and ")
                );
                let mend = format!("make another: {}", setup.tidelock("bootstrap"));
                found.push(Finding::new(Id::TableKeyWrong, what, mend));
            }
            // One that is being changed takes requests.
            if status != "ACTIVE" && status != "UPDATING" {
                let what = format!("the table {name} is {}, and takes no locks", visible(status));
                let mend = setup.aws(&format!(
                    "dynamodb wait table-exists --table-name {}",
                    quoted(setup.table.as_deref().unwrap_or_default())
                ));
                found.push(Finding::new(Id::TableNotActive, what, mend));
            }
            if let Some(writes) = writes.filter(|writes| *writes < TABLE_WRITES_MIN) {
                let what = format!(
                    "the table {name} takes {writes} write a second, and taking a lock and keeping a digest are two"
                );
                let mend = setup.aws(&format!(
                    "dynamodb update-table --table-name {} --billing-mode PAY_PER_REQUEST",
                    quoted(setup.table.as_deref().unwrap_or_default())
                ));
                found.push(Finding::new(Id::TableSlow, what, mend));
            }
            found
        }
    }
}
