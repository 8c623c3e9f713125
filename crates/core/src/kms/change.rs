//! The changes of keys: what each asks, what becomes of it. Pure; the time and all that is random come with the command.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    AliasTimes, KeyState, Keys, KmsError, KmsKey, Material, Rotation, S3_ALIAS, is_alias_name,
    is_reserved_alias,
};
use crate::{
    Time,
    limits::{
        KMS_ALIASES_MAX, KMS_DELETION_DAYS, KMS_DESCRIPTION_CHARS_MAX, KMS_KEYS_MAX, KMS_POLICY_BYTES_MAX,
        KMS_ROTATION_DAYS, KMS_ROTATION_DAYS_DEFAULT, KMS_ROTATIONS_ON_DEMAND_MAX, KMS_TAGS_MAX,
    },
};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A key that is to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its ID, a UUID that was drawn.
    pub id: String,
    /// Whose it is to be.
    pub account: String,
    /// The region of the request.
    pub region: String,
    /// What its owner says of it.
    pub description: String,
    /// Its policy; `None` for the default one.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its material, sealed.
    pub sealed: String,
}

/// A change. Keys are named by their IDs.
#[derive(Clone, Debug)]
pub enum Command {
    /// CreateKey.
    Create(NewKey),
    /// The key of S3 itself, in an account that has none yet.
    CreateForS3(NewKey),
    /// UpdateKeyDescription.
    Describe {
        /// Which.
        key: String,
        /// What its owner says of it now.
        description: String,
    },
    /// EnableKey.
    Enable(String),
    /// DisableKey.
    Disable(String),
    /// EnableKeyRotation.
    EnableRotation {
        /// Which.
        key: String,
        /// How often, in days.
        days: Option<i64>,
    },
    /// DisableKeyRotation.
    DisableRotation(String),
    /// RotateKeyOnDemand.
    Rotate {
        /// Which.
        key: String,
        /// The new material, sealed.
        sealed: String,
    },
    /// The rotation that is due.
    RotateDue {
        /// Which.
        key: String,
        /// The new material, sealed.
        sealed: String,
    },
    /// ScheduleKeyDeletion.
    ScheduleDeletion {
        /// Which.
        key: String,
        /// In how many days.
        days: Option<i64>,
    },
    /// CancelKeyDeletion.
    CancelDeletion(String),
    /// The deletion that is due.
    Delete(String),
    /// CreateAlias.
    CreateAlias {
        /// Its name, with `alias/`.
        alias: String,
        /// Which key.
        key: String,
    },
    /// UpdateAlias.
    UpdateAlias {
        /// Its name, with `alias/`.
        alias: String,
        /// Which key.
        key: String,
    },
    /// DeleteAlias.
    DeleteAlias {
        /// Whose it is.
        account: String,
        /// Its name, with `alias/`.
        alias: String,
    },
    /// PutKeyPolicy. Whether it locks its owner out is for who can read policies.
    PutPolicy {
        /// Which.
        key: String,
        /// The text.
        policy: String,
    },
    /// TagResource.
    Tag {
        /// Which.
        key: String,
        /// Tags to add or replace.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource.
    Untag {
        /// Which.
        key: String,
        /// The names of the tags to take off.
        names: Vec<String>,
    },
}

/// What a change does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys as they are from now on; the one that the command is about comes first.
    pub puts: Vec<KmsKey>,
    /// The ID of a key that is gone.
    pub delete: Option<String>,
}

impl From<KmsKey> for Change {
    fn from(key: KmsKey) -> Change {
        Change {
            puts: vec![key],
            delete: None,
        }
    }
}

/// What follows from a command (a table, and as long as one).
///
/// # Errors
/// In AWS's words why nothing does.
pub fn change(keys: &Keys, command: &Command, now: Time) -> Result<Change, KmsError> {
    let owned = |id: &str| owned(keys, id, now);
    match command {
        Command::Create(new) => create(keys, new, now),
        Command::CreateForS3(new) => create_for_s3(keys, new, now),
        Command::Describe { key, description } => describe(owned(key)?, description),
        Command::Enable(key) => set_state(owned(key)?, KeyState::Enabled),
        Command::Disable(key) => set_state(owned(key)?, KeyState::Disabled),
        Command::EnableRotation { key, days } => enable_rotation(owned(key)?, *days, now),
        Command::DisableRotation(key) => {
            let mut key = owned(key)?;
            key.check_usable()?;
            key.rotation = None;
            Ok(key.into())
        }
        Command::Rotate { key, sealed } => rotate(owned(key)?, sealed, now),
        Command::RotateDue { key, sealed } => rotate_due(keys, key, sealed, now),
        Command::ScheduleDeletion { key, days } => schedule_deletion(owned(key)?, *days, now),
        Command::CancelDeletion(key) => cancel_deletion(owned(key)?),
        Command::Delete(key) => Ok(delete(keys, key, now)),
        Command::CreateAlias { alias, key } => create_alias(keys, owned(key)?, alias, now),
        Command::UpdateAlias { alias, key } => update_alias(keys, owned(key)?, alias, now),
        Command::DeleteAlias { account, alias } => delete_alias(keys, account, alias),
        Command::PutPolicy { key, policy } => {
            check_policy(policy)?;
            let mut key = owned(key)?;
            key.policy.clone_from(policy);
            Ok(key.into())
        }
        Command::Tag { key, tags } => tag(owned(key)?, tags),
        Command::Untag { key, names } => {
            let mut key = owned(key)?;
            key.check_kept()?;
            key.tags.retain(|name, _| !names.contains(name));
            Ok(key.into())
        }
    }
}

/// A key that its account may change.
fn owned(keys: &Keys, id: &str, now: Time) -> Result<KmsKey, KmsError> {
    let key = keys.get(id).filter(|key| !key.is_over(now));
    let key = key.ok_or_else(|| KmsError::NotFound(format!("Key '{id}' does not exist")))?;
    if key.aws_managed {
        let arn = key.arn();
        return Err(KmsError::AccessDenied(format!(
            "{arn} is managed by AWS and cannot be changed."
        )));
    }
    Ok(KmsKey::clone(key))
}

fn create(keys: &Keys, new: &NewKey, now: Time) -> Result<Change, KmsError> {
    if keys.of(&new.account).count() >= KMS_KEYS_MAX {
        return Err(KmsError::LimitExceeded(format!(
            "The account has {KMS_KEYS_MAX} keys already."
        )));
    }
    check_description(&new.description)?;
    check_tags(&new.tags)?;
    if let Some(policy) = &new.policy {
        check_policy(policy)?;
    }
    let policy = new.policy.clone();
    Ok(fresh(new, policy.unwrap_or_else(|| default_policy(&new.account)), now).into())
}

fn create_for_s3(keys: &Keys, new: &NewKey, now: Time) -> Result<Change, KmsError> {
    if let Some(key) = keys.with_alias(&new.account, S3_ALIAS) {
        // Somebody else was first to need it.
        return Ok(KmsKey::clone(key).into());
    }
    let mut key = fresh(new, s3_policy(&new.account, &new.region), now);
    key.aws_managed = true;
    "Default key that protects my S3 objects when no other key is defined".clone_into(&mut key.description);
    key.rotation = Some(Rotation {
        days: KMS_ROTATION_DAYS_DEFAULT,
        next: in_days(now, KMS_ROTATION_DAYS_DEFAULT.into()),
    });
    key.aliases.insert(S3_ALIAS.to_owned(), made(now));
    Ok(key.into())
}

fn fresh(new: &NewKey, policy: String, now: Time) -> KmsKey {
    KmsKey {
        id: new.id.clone(),
        account: new.account.clone(),
        region: new.region.clone(),
        created: now,
        description: new.description.clone(),
        state: KeyState::Enabled,
        aws_managed: false,
        policy,
        tags: new.tags.clone(),
        rotation: None,
        materials: vec![Material {
            number: 1,
            since: now,
            on_demand: false,
            sealed: new.sealed.clone(),
        }],
        aliases: BTreeMap::new(),
    }
}

fn describe(mut key: KmsKey, description: &str) -> Result<Change, KmsError> {
    key.check_kept()?;
    check_description(description)?;
    description.clone_into(&mut key.description);
    Ok(key.into())
}

fn set_state(mut key: KmsKey, state: KeyState) -> Result<Change, KmsError> {
    key.check_kept()?;
    key.state = state;
    Ok(key.into())
}

fn enable_rotation(mut key: KmsKey, days: Option<i64>, now: Time) -> Result<Change, KmsError> {
    key.check_usable()?;
    let kept = key.rotation.map(|rotation| rotation.days);
    let days = match days {
        None => kept.unwrap_or(KMS_ROTATION_DAYS_DEFAULT),
        Some(days) => within("rotationPeriodInDays", days, &KMS_ROTATION_DAYS)?,
    };
    if kept != Some(days) {
        let next = in_days(now, days.into());
        key.rotation = Some(Rotation { days, next });
    }
    Ok(key.into())
}

fn rotate(mut key: KmsKey, sealed: &str, now: Time) -> Result<Change, KmsError> {
    key.check_usable()?;
    let so_far = key.materials.iter().filter(|material| material.on_demand).count();
    if so_far >= KMS_ROTATIONS_ON_DEMAND_MAX {
        return Err(KmsError::LimitExceeded(format!(
            "The key {} has been rotated on demand {so_far} times, which is the limit.",
            key.arn()
        )));
    }
    add_material(&mut key, sealed, true, now);
    Ok(key.into())
}

fn rotate_due(keys: &Keys, id: &str, sealed: &str, now: Time) -> Result<Change, KmsError> {
    let Some(key) = keys.get(id).filter(|key| key.is_rotation_due(now)) else {
        return Ok(Change::default());
    };
    let mut key = KmsKey::clone(key);
    add_material(&mut key, sealed, false, now);
    key.rotation = key.rotation.map(|Rotation { days, next }| {
        let (period, late) = (i64::from(days) * DAY_MS, now.since(next));
        let next = next.plus_ms((late / period + 1) * period);
        Rotation { days, next }
    });
    Ok(key.into())
}

fn add_material(key: &mut KmsKey, sealed: &str, on_demand: bool, now: Time) {
    let last = key.materials.last().map_or(0, |material| material.number);
    key.materials.push(Material {
        number: last + 1,
        since: now,
        on_demand,
        sealed: sealed.to_owned(),
    });
}

fn schedule_deletion(mut key: KmsKey, days: Option<i64>, now: Time) -> Result<Change, KmsError> {
    let longest = *KMS_DELETION_DAYS.end();
    let days = within("pendingWindowInDays", days.unwrap_or(longest), &KMS_DELETION_DAYS)?;
    key.check_kept()?;
    key.state = KeyState::PendingDeletion(in_days(now, days.into()));
    Ok(key.into())
}

fn cancel_deletion(mut key: KmsKey) -> Result<Change, KmsError> {
    if key.check_kept().is_ok() {
        let arn = key.arn();
        return Err(KmsError::InvalidState(format!("{arn} is not pending deletion.")));
    }
    key.state = KeyState::Disabled;
    Ok(key.into())
}

fn delete(keys: &Keys, id: &str, now: Time) -> Change {
    let over = keys.get(id).filter(|key| key.is_over(now));
    Change {
        puts: Vec::new(),
        delete: over.map(|key| key.id.clone()),
    }
}

fn create_alias(keys: &Keys, mut key: KmsKey, alias: &str, now: Time) -> Result<Change, KmsError> {
    check_alias(alias)?;
    key.check_kept()?;
    if keys.with_alias(&key.account, alias).is_some() {
        let arn = key.alias_arn(alias);
        return Err(KmsError::AlreadyExists(format!(
            "An alias with the name {arn} already exists"
        )));
    }
    give(&mut key, alias, made(now))?;
    Ok(key.into())
}

fn update_alias(keys: &Keys, mut key: KmsKey, alias: &str, now: Time) -> Result<Change, KmsError> {
    check_alias(alias)?;
    key.check_kept()?;
    let mut former = holder(keys, &key.account, alias)?;
    let times = former.aliases.remove(alias).unwrap_or_else(|| made(now));
    let times = AliasTimes {
        updated: now,
        ..times
    };
    if former.id == key.id {
        key.aliases.insert(alias.to_owned(), times);
        return Ok(key.into());
    }
    give(&mut key, alias, times)?;
    Ok(Change {
        puts: vec![key, former],
        delete: None,
    })
}

fn delete_alias(keys: &Keys, account: &str, alias: &str) -> Result<Change, KmsError> {
    check_alias(alias)?;
    let mut key = holder(keys, account, alias)?;
    key.aliases.remove(alias);
    Ok(key.into())
}

fn holder(keys: &Keys, account: &str, alias: &str) -> Result<KmsKey, KmsError> {
    keys.named(account, alias)
        .map(|key: &Arc<KmsKey>| KmsKey::clone(key))
}

fn give(key: &mut KmsKey, alias: &str, times: AliasTimes) -> Result<(), KmsError> {
    if key.aliases.len() >= KMS_ALIASES_MAX {
        let arn = key.arn();
        return Err(KmsError::LimitExceeded(format!(
            "The key {arn} has {KMS_ALIASES_MAX} aliases already."
        )));
    }
    key.aliases.insert(alias.to_owned(), times);
    Ok(())
}

fn tag(mut key: KmsKey, tags: &BTreeMap<String, String>) -> Result<Change, KmsError> {
    key.check_kept()?;
    key.tags.extend(tags.clone());
    check_tags(&key.tags)?;
    Ok(key.into())
}

fn made(now: Time) -> AliasTimes {
    AliasTimes {
        created: now,
        updated: now,
    }
}

fn in_days(now: Time, days: i64) -> Time {
    now.plus_ms(days.saturating_mul(DAY_MS))
}

fn within(member: &str, value: i64, bounds: &std::ops::RangeInclusive<i64>) -> Result<u32, KmsError> {
    let broken = |rule: &str, bound: i64| {
        KmsError::Validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have \
             value {rule} than or equal to {bound}"
        ))
    };
    if value < *bounds.start() {
        return Err(broken("greater", *bounds.start()));
    }
    match u32::try_from(value) {
        Ok(days) if value <= *bounds.end() => Ok(days),
        _ => Err(broken("less", *bounds.end())),
    }
}

fn check_alias(alias: &str) -> Result<(), KmsError> {
    if !alias.starts_with("alias/") {
        return Err(KmsError::Validation("Invalid identifier".to_owned()));
    }
    if !is_alias_name(alias) {
        return Err(KmsError::InvalidAlias(format!(
            "{alias} contains invalid characters for an alias"
        )));
    }
    match is_reserved_alias(alias) {
        // AWS says so by its name alone (NotAuthorizedException), and documents this.
        true => Err(KmsError::InvalidAlias(
            "Alias names that begin with alias/aws/ are reserved".to_owned(),
        )),
        false => Ok(()),
    }
}

fn check_description(description: &str) -> Result<(), KmsError> {
    match description.chars().count() <= KMS_DESCRIPTION_CHARS_MAX {
        true => Ok(()),
        false => Err(KmsError::Validation(format!(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length \
             less than or equal to {KMS_DESCRIPTION_CHARS_MAX}"
        ))),
    }
}

fn check_policy(policy: &str) -> Result<(), KmsError> {
    match policy.len() <= KMS_POLICY_BYTES_MAX {
        true => Ok(()),
        false => Err(KmsError::LimitExceeded(format!(
            "The key policy is longer than {KMS_POLICY_BYTES_MAX} bytes."
        ))),
    }
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), KmsError> {
    if tags.len() > KMS_TAGS_MAX {
        return Err(KmsError::LimitExceeded(format!(
            "A key has at most {KMS_TAGS_MAX} tags."
        )));
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().count() > 128 || value.chars().count() > 256 {
            return Err(KmsError::Tag(
                "A tag's key has 1 to 128 characters, its value at most 256.".to_owned(),
            ));
        }
        if name.starts_with("aws:") {
            return Err(KmsError::Tag(
                "aws: prefixed tag key names are not allowed for external use.".to_owned(),
            ));
        }
    }
    Ok(())
}

/// The policy of a key that is made without one: the account decides by its own policies.
fn default_policy(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// The policy of S3's own key: whoever may use S3 in the account uses it through S3.
fn s3_policy(account: &str, region: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-s3-2",
  "Statement" : [ {{
    "Sid" : "Allow access through S3 for all principals in the account that are authorized to use S3",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "*"
    }},
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {{
      "StringEquals" : {{
        "kms:CallerAccount" : "{account}",
        "kms:ViaService" : "s3.{region}.amazonaws.com"
      }}
    }}
  }}, {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*" ],
    "Resource" : "*"
  }} ]
}}"#
    )
}
