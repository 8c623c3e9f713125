//! Versions into a bucket: each state's as versions of the object of its key, oldest first.

use tidelock_core::{Address, diff::visible};
use tidelock_operator::{
    archive::{Entry, marks},
    s3::{Client, ListedVersion, Versioning},
};

use super::Export;
use crate::{
    commands::transfer::{Done, Refused},
    exit::{Failure, Status},
    progress::Progress,
};

/// The bucket, and what stands before the keys in it.
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) prefix: String,
}

impl Export {
    pub(super) async fn to_bucket(&self, target: &Target) -> Result<Done, Failure> {
        let states = self.states().await?;
        check_one_bucket(&states)?;
        if !self.current {
            target.check_versioned().await?;
        }
        let (mut done, mut progress) = (Done::default(), Progress::start());
        for address in &states {
            let entries = self.history(address).await?;
            if entries.is_empty() {
                continue;
            }
            let key = format!("{}{}", target.prefix, address.key());
            let there = match self.current {
                true => target.is_current(&key, &entries[0]).await?,
                false => target.already_there(&key, &entries).await?,
            };
            let Some(there) = there else {
                done.refused.push(Refused {
                    address: address.to_string(),
                    why: format!(
                        "s3://{}/{key} holds other versions than those of this state; export it below another prefix",
                        target.bucket
                    ),
                });
                continue;
            };
            done.there += there as u64;
            for entry in &entries[there..] {
                progress.show(|| format!("{}; now {}", done.told(), visible(&address.to_string())));
                self.copy(address, entry, target, &key, &mut done).await?;
            }
            done.states += 1;
        }
        Ok(done)
    }

    async fn copy(
        &self,
        address: &Address,
        entry: &Entry,
        target: &Target,
        key: &str,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if entry.deleted {
            return Ok(target.client.delete_object(&target.bucket, key, None).await?);
        }
        // What retention has ended since it was listed is nowhere to be had.
        let Some(bytes) = self.bytes(address, entry).await? else {
            return Ok(());
        };
        done.copied += 1;
        done.bytes += bytes.len() as u64;
        let headers = marks::headers(entry);
        target
            .client
            .put_object(&target.bucket, key, bytes, &headers)
            .await?;
        Ok(())
    }
}

impl Target {
    async fn check_versioned(&self) -> Result<(), Failure> {
        let bucket = &self.bucket;
        match self.client.get_bucket_versioning(bucket).await? {
            Versioning::Enabled => Ok(()),
            Versioning::Suspended | Versioning::Never => {
                let message = format!(
                    "the bucket {bucket} is not versioned: it would keep only the newest version of each state. Make it so: \
                     aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled; \
                     or export only the newest: --current"
                );
                Err(Failure::new(Status::Failed, message))
            }
        }
    }

    /// The same of one version that is to be the current one: it replaces nothing but what an export has put there.
    async fn is_current(&self, key: &str, entry: &Entry) -> Result<Option<usize>, Failure> {
        let head = match self.client.head_object(&self.bucket, key, None).await {
            Ok(head) => head,
            Err(error) if error.code() == Some("404") => return Ok(Some(0)),
            Err(error) => return Err(error.into()),
        };
        if Some(head.etag.as_str()) == entry.md5.as_deref() || marks::md5(&head) == entry.md5.as_deref() {
            return Ok(Some(1));
        }
        Ok(marks::md5(&head).map(|_| 0))
    }

    /// How many of the versions, from the oldest on, are there from an earlier export; `None` when something else is.
    async fn already_there(&self, key: &str, entries: &[Entry]) -> Result<Option<usize>, Failure> {
        let there = versions_of(&self.client, &self.bucket, key).await?;
        if there.len() > entries.len() {
            return Ok(None);
        }
        for (listed, entry) in there.iter().zip(entries) {
            let is_same = match &entry.md5 {
                None => listed.is_delete_marker(),
                Some(_) if listed.is_delete_marker() => false,
                Some(md5) if listed.etag == *md5 => true,
                // The ETag is no MD5 where a KMS key encrypts.
                Some(md5) => {
                    let head = self
                        .client
                        .head_object(&self.bucket, key, Some(&listed.version))
                        .await?;
                    marks::md5(&head) == Some(md5)
                }
            };
            if !is_same {
                return Ok(None);
            }
        }
        Ok(Some(there.len()))
    }
}

/// The versions of one object, oldest first.
async fn versions_of(client: &Client, bucket: &str, key: &str) -> Result<Vec<ListedVersion>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = client.list_object_versions(bucket, key, after.as_ref()).await?;
        // Keys come in their order, and the key itself before those that only begin with it.
        let is_past = page.items.last().is_some_and(|last| last.key != key);
        found.extend(page.items.into_iter().filter(|listed| listed.key == key));
        after = page.next;
        if after.is_none() || is_past {
            found.reverse();
            return Ok(found);
        }
    }
}

/// The key of an object says nothing of the bucket that its state is from.
fn check_one_bucket(states: &[Address]) -> Result<(), Failure> {
    let mut buckets: Vec<&str> = states.iter().map(Address::bucket).collect();
    buckets.dedup();
    match buckets.as_slice() {
        [] | [_] => Ok(()),
        [first, ..] => {
            let message = format!(
                "the states are of {} buckets ({}), and one bucket cannot hold them apart; name one: \
                 tidelock export {first} --to s3://BUCKET",
                buckets.len(),
                buckets.join(", ")
            );
            Err(Failure::new(Status::Usage, message))
        }
    }
}
