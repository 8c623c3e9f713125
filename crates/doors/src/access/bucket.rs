//! Whose a bucket is, and what its policy and its public access block say.

use std::sync::{Arc, MutexGuard, PoisonError};

use quick_xml::{Reader, events::Event};
use tidelock_core::policy::{Kind, ResourceRule};
use tidelock_service::{Bucket, Error};

use super::{Access, Owner};

/// The bucket's policy, among what the S3 door keeps with it.
const POLICY: &str = "policy";
/// The bucket's public access block.
const PUBLIC_ACCESS_BLOCK: &str = "publicAccessBlock";

impl Access {
    /// A bucket as it was when this request first asked for it. What has to hold until something is done is looked at again
    /// where it is done.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or when the engine fails.
    pub(crate) async fn bucket(&self, name: &str) -> Result<Arc<Bucket>, Error> {
        let known = self.last_bucket().clone();
        if let Some(bucket) = known.filter(|bucket| bucket.name == name) {
            return Ok(bucket);
        }
        let bucket = Arc::new(self.service.bucket(name).await?);
        *self.last_bucket() = Some(Arc::clone(&bucket));
        Ok(bucket)
    }

    fn last_bucket(&self) -> MutexGuard<'_, Option<Arc<Bucket>>> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose a bucket is. One that does not exist is the caller's, so that whoever may ask for it is told.
///
/// # Errors
/// When the engine fails.
pub(crate) async fn bucket_owner(access: &Access, name: &str) -> Result<Owner, Error> {
    let bucket = match access.bucket(name).await {
        Ok(bucket) => bucket,
        Err(Error::NoSuchBucket(_)) => {
            return Ok(Owner {
                absent: true,
                ..Owner::account(access.account())
            });
        }
        Err(fault) => return Err(fault),
    };
    let policy = bucket.documents.get(POLICY).map(|text| {
        let name = format!("the policy of the bucket {}", bucket.name);
        access.policies.of(Kind::Bucket, &name, text)
    });
    // Only a policy can be a public one: without it the block says nothing here, and every request would read it.
    let block = bucket
        .documents
        .get(PUBLIC_ACCESS_BLOCK)
        .filter(|_| policy.is_some());
    Ok(Owner {
        policy,
        rule: ResourceRule::Usual {
            restrict_public: block.is_some_and(|block| restricts_public(block)),
        },
        account: bucket.owner.clone(),
        absent: false,
    })
}

/// Whose what is kept of the states in a bucket is: history outlives its bucket, and stays whose it was.
///
/// # Errors
/// When the engine fails.
pub(crate) async fn history_owner(access: &Access, name: &str) -> Result<Owner, Error> {
    let owner = bucket_owner(access, name).await?;
    if !owner.absent {
        return Ok(owner);
    }
    let former = access.service.former_owner(name).await?;
    Ok(former.map_or(owner, |account| Owner::account(&account)))
}

/// Whether a public access block says that a public policy gives nothing to other accounts.
fn restricts_public(block: &str) -> bool {
    let mut reader = Reader::from_str(block);
    let mut inside = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => inside = start.local_name().as_ref() == "RestrictPublicBuckets",
            Ok(Event::Text(text)) if inside => {
                return text.trim_ascii().eq_ignore_ascii_case("true");
            }
            Ok(Event::Eof) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::restricts_public;

    #[test]
    fn a_block_restricts_when_it_says_so() {
        let block = |set: &str| {
            format!(
                "<PublicAccessBlockConfiguration xmlns=\"x\"><BlockPublicAcls>true</BlockPublicAcls>\
                 <RestrictPublicBuckets>{set}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
            )
        };
        for (set, restricts) in [("true", true), (" TRUE\n", true), ("false", false), ("", false)] {
            assert_eq!(restricts_public(&block(set)), restricts, "{set}");
        }
        assert!(!restricts_public("<a>true</a>") && !restricts_public("no XML"));
    }
}
