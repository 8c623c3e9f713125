//! What a bucket and a table are like, gathered: everything that is judged, and nothing else.

use super::{Error, Part, Wanted, judge::OLD_VERSIONS};
use crate::{
    dynamodb::{self, Table},
    layout::Layout,
    s3::{self, Encryption, Lifecycle, PublicAccessBlock, Rule, Versioning},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `None` where there is no such bucket.
    pub bucket: Option<BucketFacts>,
    /// `None` where there is no such table, or none is wanted.
    pub table: Option<TableFacts>,
}

/// A setting; or, where the store has no such, what it said.
pub(super) type Told<T> = Result<T, String>;

/// The settings of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketFacts {
    /// Where it is.
    pub region: Told<String>,
    /// Whether it keeps versions.
    pub versioning: Told<Versioning>,
    /// How it encrypts.
    pub encryption: Told<Option<Encryption>>,
    /// What is blocked of public access.
    pub public_access: Told<Option<PublicAccessBlock>>,
    /// Who owns the objects.
    pub ownership: Told<Option<String>>,
    /// Its policy.
    pub policy: Told<Option<String>>,
    /// Its lifecycle rules.
    pub lifecycle: Told<Option<Lifecycle>>,
    /// Its tags.
    pub tags: Told<std::collections::BTreeMap<String, String>>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// How DynamoDB describes it.
    pub table: Table,
    /// Whether it can be put back to a point in time; not known while it is being made.
    pub recovery: Option<Told<bool>>,
}

impl Facts {
    /// Whether the table is being made or changed, and takes no further change.
    pub(super) fn is_table_busy(&self) -> bool {
        let busy = |facts: &TableFacts| facts.table.status != "ACTIVE";
        self.table.as_ref().is_some_and(busy)
    }

    /// Whether the store has taken our rule and forgotten how many versions it keeps: waiting helps nothing.
    pub(super) fn drops_newer_versions(&self, wanted: &Wanted, part: Part) -> bool {
        let Some(Ok(Some(found))) = self.bucket.as_ref().map(|facts| &facts.lifecycle) else {
            return false;
        };
        let forgot = |rule: &Rule| rule.expires_replaced_after() == Some((wanted.keep_days, 0));
        let mut ours = found.rules.iter().filter(|rule| rule.id() == OLD_VERSIONS);
        part == Part::OldVersions && wanted.keep_versions > 0 && ours.any(forgot)
    }
}

/// Asks for everything.
pub(super) async fn gather(layout: &Layout, wanted: &Wanted) -> Result<Facts, Error> {
    // Not by HeadBucket: whoever is not on an allow-list may not list, and may set the bucket up all the same.
    let bucket = match told(layout.s3.get_bucket_versioning(&wanted.bucket).await) {
        Ok(versioning) => Some(of_bucket(&layout.s3, &wanted.bucket, versioning).await?),
        Err(why) if why.code() == Some("NoSuchBucket") => None,
        Err(why) if matches!(why.code(), Some("AccessDenied" | "403")) => {
            return Err(Error::Forbidden(wanted.bucket.clone()));
        }
        Err(why) => return Err(why.into()),
    };
    let table = match &wanted.table {
        Some(table) => of_table(&layout.dynamodb, table).await?,
        None => None,
    };
    Ok(Facts { bucket, table })
}

async fn of_bucket(
    s3: &s3::Client,
    bucket: &str,
    versioning: Told<Versioning>,
) -> Result<BucketFacts, s3::Error> {
    Ok(BucketFacts {
        region: told(s3.get_bucket_location(bucket).await)?,
        versioning,
        encryption: told(s3.get_bucket_encryption(bucket).await)?,
        public_access: told(s3.get_public_access_block(bucket).await)?,
        ownership: told(s3.get_bucket_ownership(bucket).await)?,
        policy: told(s3.get_bucket_policy(bucket).await)?,
        lifecycle: told(s3.get_bucket_lifecycle(bucket).await)?,
        tags: told(s3.get_bucket_tagging(bucket).await)?,
    })
}

#[allow(clippy::result_large_err, reason = "the client's own error")]
fn told<T>(answer: Result<T, s3::Error>) -> Result<Told<T>, s3::Error> {
    match answer {
        Err(why) if why.is_not_offered() => Ok(Err(why.why.to_string())),
        answer => answer.map(Ok),
    }
}

async fn of_table(dynamodb: &dynamodb::Client, name: &str) -> Result<Option<TableFacts>, Error> {
    let Some(table) = dynamodb.describe_table(name).await? else {
        return Ok(None);
    };
    let recovery = match table.status.as_str() {
        "ACTIVE" => match dynamodb.has_point_in_time_recovery(name).await {
            Err(why) if why.code() == Some("UnknownOperationException") => Some(Err(why.why.to_string())),
            answer => Some(Ok(answer?)),
        },
        _ => None,
    };
    Ok(Some(TableFacts { table, recovery }))
}
