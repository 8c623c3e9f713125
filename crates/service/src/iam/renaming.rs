//! A user or role that is deleted or renamed, in the policies of buckets and of KMS keys.
//!
//! What a policy names is a person or a program, not a name: it stands there by its ID when it is gone, as in the trust policies
//! of roles, which the directory's own change takes care of.

use tidelock_core::{
    iam::{Renamed, rename_principal},
    kms::Command,
    limits::BUCKETS_MAX,
};
use tidelock_engine::{Batch, Expect};
use tokio::sync::MutexGuard;

use crate::{Bucket, Error, Service, rows};

/// The name under which a bucket keeps its policy.
const POLICY: &str = "policy";

impl Service {
    /// Keeps the directory as it is for as long as what comes back lives. Who looks whether everybody exists whom a policy
    /// names, and then stores the policy, holds this meanwhile: nobody is deleted in between.
    pub async fn hold_directory(&self) -> MutexGuard<'_, ()> {
        self.iam.changing.lock().await
    }

    /// Adds to the batch of a change what becomes of the policies of buckets.
    pub(super) async fn rename_in_buckets(&self, renamed: &Renamed, batch: &mut Batch) -> Result<(), Error> {
        for (row, entry) in self.engine.scan(rows::space(b'b'), BUCKETS_MAX).await? {
            let mut bucket: Bucket = rows::decode(&row, &entry.value)?;
            let policy = bucket.documents.get_mut(POLICY);
            let Some((policy, other)) =
                policy.and_then(|policy| rename_principal(policy, renamed).map(|other| (policy, other)))
            else {
                continue;
            };
            *policy = other;
            batch.checks.push((row.clone(), Expect::At(entry.revision)));
            batch.puts.push((row, rows::encode(&bucket)));
        }
        Ok(())
    }

    /// Changes the policies of KMS keys. It comes before the change itself: what is cut short leaves somebody less trusted,
    /// never more.
    pub(super) async fn rename_in_keys(&self, renamed: &Renamed) -> Result<(), Error> {
        let kms = self.kms().await?;
        for key in kms.keys().all() {
            if let Some(policy) = rename_principal(&key.policy, renamed) {
                let key = key.id.clone();
                self.change_kms(Command::PutPolicy { key, policy }).await?;
            }
        }
        Ok(())
    }
}
