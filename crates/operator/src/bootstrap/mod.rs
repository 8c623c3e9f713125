//! Sets up a bucket, and a table where one is wanted, for Terraform's states: looks, plans, changes what was agreed to,
//! and looks again until it is so.
//!
//! Nothing that is stricter than wanted is loosened, and what others have set beside it (policy statements, lifecycle rules,
//! tags) stays. None of S3's settings can be written on a condition, so that everything is read again right before each
//! change, and a change that was not agreed to ends it.

mod facts;
mod judge;
mod kms;
mod plan;
mod policy;
pub mod print;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tidelock_core::limits::{BOOTSTRAP_PAUSE_MS, BOOTSTRAP_PAUSES_MAX};
use tokio::time;

pub use facts::{BucketFacts, Facts, TableFacts};
pub use judge::judge;
pub use plan::{Part, Setting, Step, TableTarget, Target, Verdict};

use crate::{
    dynamodb::{self, NewTable},
    layout::Layout,
    s3,
};

/// What a bucket for states, and its table, are to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The bucket.
    pub bucket: String,
    /// The region that it is made in.
    pub region: String,
    /// The KMS key of the bucket: an ARN, an ID or an alias. S3's own keys (`AES256`) where there is none.
    pub kms_key: Option<String>,
    /// The ARNs of those who alone may read and write objects; everybody whom a policy allows, where it is empty.
    pub allow: Vec<String>,
    /// Tags of bucket and table.
    pub tags: BTreeMap<String, String>,
    /// Whether a bucket that was there before and keeps every version for ever is to end them; a new one does in any case.
    pub ends_versions: bool,
    /// For how many days every replaced version is kept.
    pub keep_days: u32,
    /// How many replaced versions are kept of each object, however old.
    pub keep_versions: u32,
    /// The lock table.
    pub table: Option<String>,
    /// The KMS key of the table; DynamoDB's own key where there is none.
    pub table_kms_key: Option<String>,
    /// Whether it is reached by TLS: a policy that demands TLS would lock everybody out where it is not.
    pub over_tls: bool,
}

/// What would be done, setting by setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Every setting, with what is wanted and what was found.
    pub settings: Vec<Setting>,
    /// What there is once it is carried out.
    pub target: Target,
    /// What was found.
    pub facts: Facts,
    /// What is worth knowing beside: a sentence each.
    pub notes: Vec<String>,
}

/// Why a bucket could not be looked at or set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to S3.
    #[error(transparent)]
    S3(#[from] s3::Error),
    /// A call to DynamoDB.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
    /// The bucket cannot be looked at.
    #[error(
        "the bucket {0} is there, and this key may not look at it: it is another account's (names are unique in all of AWS), \
         or the action s3:GetBucketVersioning is missing"
    )]
    Forbidden(String),
    /// The KMS key cannot be used.
    #[error("the KMS key {key}: {why}")]
    Key {
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
    /// The plan no longer fits.
    #[error(
        "the {part} of {name} changed since the plan was shown; what was done so far stays. Run the command again"
    )]
    Changed {
        /// What changed.
        part: Part,
        /// The bucket or the table.
        name: String,
    },
}

impl Plan {
    /// What would be changed, each change once.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let mut seen: Vec<&Step> = Vec::new();
        let steps = self.settings.iter().filter_map(Setting::step);
        steps.filter(move |step| {
            let is_new = !seen.contains(step);
            seen.push(step);
            is_new
        })
    }

    /// Whether everything is as wanted, or stricter, or cannot be had here.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.settings.iter().all(|setting| setting.step().is_none())
    }

    /// What cannot be mended by any change.
    pub fn impossible(&self) -> impl Iterator<Item = &Setting> {
        let is = |setting: &&Setting| matches!(setting.verdict, Verdict::Impossible(_));
        self.settings.iter().filter(is)
    }
}

/// Looks at the bucket and the table, and says what would have to change.
///
/// # Errors
/// [`Error`].
pub async fn inspect(layout: &Layout, wanted: &Wanted) -> Result<Plan, Error> {
    let mut wanted = wanted.clone();
    for key in [&mut wanted.kms_key, &mut wanted.table_kms_key]
        .into_iter()
        .flatten()
    {
        *key = kms::arn(&layout.access, key).await?;
    }
    let facts = facts::gather(layout, &wanted).await?;
    Ok(judge(&wanted, facts))
}

/// What is told while a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A change was made.
    Done(&'a Setting),
    /// A change was made and does not show yet, or cannot be made yet.
    Waiting(&'a Setting),
}

/// Carries out what was agreed to, and looks until it is so; `tell` hears of each change.
///
/// What is found anew counts: a change that is no longer needed is left out, and one that was not agreed to is none.
///
/// # Errors
/// [`Error`]; what was done before stays, and doing it again changes nothing.
pub async fn apply(
    layout: &Layout,
    wanted: &Wanted,
    agreed: &Plan,
    mut tell: impl FnMut(News<'_>),
) -> Result<Plan, Error> {
    // What is found to be there from now on may be what was agreed to be made.
    let wanted = &Wanted {
        ends_versions: wanted.ends_versions || agreed.steps().any(|step| *step == Step::CreateBucket),
        ..wanted.clone()
    };
    let mut given_up: BTreeMap<Part, Verdict> = BTreeMap::new();
    let mut carried: BTreeSet<Part> = BTreeSet::new();
    let mut pauses = 0;
    loop {
        let mut now = inspect(layout, wanted).await?;
        now.give_up(&given_up);
        let Some(setting) = now.settings.iter().find(|setting| setting.step().is_some()) else {
            return Ok(now);
        };
        let (part, step) = (setting.part, setting.step().expect("it was looked for"));
        if carried.contains(&part) || (part.is_of_table() && now.facts.is_table_busy()) {
            if pauses == BOOTSTRAP_PAUSES_MAX || now.facts.drops_newer_versions(wanted, part) {
                given_up.insert(part, Verdict::Impossible(NOT_TAKEN.to_owned()));
                continue;
            }
            tell(News::Waiting(setting));
            pauses += 1;
            time::sleep(Duration::from_millis(BOOTSTRAP_PAUSE_MS)).await;
            continue;
        }
        if !agreed.steps().any(|other| other == step) {
            let name = part.owner(wanted);
            return Err(Error::Changed { part, name });
        }
        let same = now.settings.iter().filter(|other| other.step() == Some(step));
        match carry_out(layout, wanted, step).await {
            Ok(()) => same.clone().for_each(|setting| tell(News::Done(setting))),
            Err(why) if is_not_offered(&why) => {
                let verdict = Verdict::LeftOut(why.to_string());
                given_up.extend(same.clone().map(|setting| (setting.part, verdict.clone())));
            }
            Err(why) => return Err(why),
        }
        carried.extend(same.map(|setting| setting.part));
        pauses = 0;
    }
}

/// Of a change that was answered with success, and does not show however long one looks.
const NOT_TAKEN: &str = "the store answered that it was done, and it is not so";

impl Plan {
    /// What was tried in vain is no change any more.
    fn give_up(&mut self, given_up: &BTreeMap<Part, Verdict>) {
        for setting in &mut self.settings {
            if let (Some(_), Some(verdict)) = (setting.step(), given_up.get(&setting.part)) {
                setting.verdict = verdict.clone();
            }
        }
    }
}

async fn carry_out(layout: &Layout, wanted: &Wanted, step: &Step) -> Result<(), Error> {
    let (s3, dynamodb, bucket) = (&layout.s3, &layout.dynamodb, &wanted.bucket);
    let table = wanted.table.as_deref().unwrap_or_default();
    match step {
        Step::CreateBucket => match s3.create_bucket(bucket, &wanted.region).await {
            // A try whose answer was lost, or somebody else of this account: what it is like is looked at next.
            Err(why) if why.code() == Some("BucketAlreadyOwnedByYou") => {}
            answer => answer?,
        },
        Step::Versioning => s3.enable_bucket_versioning(bucket).await?,
        Step::Encryption(encryption) => s3.put_bucket_encryption(bucket, encryption).await?,
        Step::PublicAccess => {
            let all = s3::PublicAccessBlock::ALL;
            s3.put_public_access_block(bucket, all).await?;
        }
        Step::Ownership => s3.put_bucket_ownership(bucket, judge::OWNER).await?,
        Step::Policy(policy) => s3.put_bucket_policy(bucket, policy).await?,
        Step::Lifecycle(lifecycle) => s3.put_bucket_lifecycle(bucket, lifecycle).await?,
        Step::Tags(tags) => s3.put_bucket_tagging(bucket, tags).await?,
        Step::CreateTable { kms_key } => {
            let new = NewTable {
                kms_key: kms_key.clone(),
                tags: wanted.tags.clone(),
            };
            match dynamodb.create_lock_table(table, &new).await {
                Err(why) if why.code() == Some("ResourceInUseException") => {}
                answer => answer?,
            }
        }
        Step::TableEncryption(key) => dynamodb.encrypt_table(table, key).await?,
        Step::Recovery => dynamodb.enable_point_in_time_recovery(table).await?,
    }
    Ok(())
}

/// Whether the store says that it has no such setting.
fn is_not_offered(error: &Error) -> bool {
    match error {
        Error::S3(error) => error.is_not_offered(),
        Error::DynamoDb(error) => error.code() == Some("UnknownOperationException"),
        _ => false,
    }
}
