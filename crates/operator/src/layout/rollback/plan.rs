//! What a rollback would do: the serial that is above all, what will be different, and whether anything stands against it.

use futures_util::future::try_join_all;
use tidelock_core::{
    StateHeader,
    diff::{Diff, Sensitive},
    limits::{HISTORY_READS_MAX, STATE_START_BYTES},
    state_header::{of_start, with_serial},
};

use super::{Plan, RollbackError, Step};
use crate::{
    archive::md5_of,
    layout::{Layout, versions::Listing},
    s3::{self, ListedVersion, Object, Versioning},
};

impl Layout {
    /// Looks what it takes to make a version current again. `looking` hears how many versions have been looked at.
    ///
    /// # Errors
    /// [`RollbackError`].
    pub async fn plan_rollback(
        &self,
        key: &str,
        wanted: &str,
        looking: impl FnMut(u64),
    ) -> Result<Plan, RollbackError> {
        let current = self.current(key).await?;
        let old = self.read(key, Some(wanted)).await;
        let old = old.map_err(|error| match error.code() {
            Some("NoSuchVersion" | "NoSuchKey") => RollbackError::Gone,
            // That is what a delete marker answers.
            Some("MethodNotAllowed") => RollbackError::NoState,
            _ => error.into(),
        })?;
        let header = StateHeader::parse(&old.bytes).map_err(|_| RollbackError::NoState)?;
        let mut plan = Plan {
            key: key.to_owned(),
            wanted: wanted.to_owned(),
            step: Step::Nothing,
            unread: 0,
            current,
        };
        let diff = match compare(plan.current.as_ref(), &old, &header) {
            Difference::Yes(diff) => diff,
            Difference::OtherLineage(current) => {
                return Err(RollbackError::OtherLineage {
                    own: header.lineage,
                    current,
                });
            }
            Difference::No => {
                let now = plan.current.as_ref().map(|current| md5_of(&current.bytes));
                let digest = self.digest(key).await?;
                if digest.is_some() && digest != now {
                    plan.step = Step::Digest;
                }
                return Ok(plan);
            }
        };
        if header.encrypted {
            return Err(RollbackError::Sealed);
        }
        if let Some(current) = &plan.current {
            self.check_kept(current).await?;
        }
        let (highest, unread) = self.highest_serial(key, &header, looking).await?;
        let serial = highest.saturating_add(1);
        let body = with_serial(&old.bytes, serial).map_err(|_| RollbackError::NoState)?;
        plan.unread = unread;
        plan.step = Step::Write {
            body: body.into(),
            serial,
            diff,
        };
        Ok(plan)
    }

    /// What has an ID of its own stays when something else is written; what is called `null` only where versioning is on.
    async fn check_kept(&self, current: &Object) -> Result<(), RollbackError> {
        if current
            .version
            .as_deref()
            .is_some_and(|version| version != "null")
        {
            return Ok(());
        }
        match self.s3.get_bucket_versioning(&self.bucket).await? {
            Versioning::Enabled => Ok(()),
            Versioning::Suspended | Versioning::Never => Err(RollbackError::NotKept),
        }
    }

    /// The highest serial that a state of this lineage has, in whichever version: a plan that was saved then must not fit what
    /// is written now. And how many versions cannot be read.
    async fn highest_serial(
        &self,
        key: &str,
        own: &StateHeader,
        mut looking: impl FnMut(u64),
    ) -> Result<(u64, u64), RollbackError> {
        let mut listing = Listing::of(self, key.to_owned());
        let (mut highest, mut unread, mut seen) = (own.serial, 0, 0);
        loop {
            let mut listed = Vec::new();
            while listed.len() < HISTORY_READS_MAX
                && let Some(next) = listing.next().await?
            {
                listed.extend(Some(next).filter(|next| next.size.is_some_and(|size| size > 0)));
            }
            if listed.is_empty() {
                return Ok((highest, unread));
            }
            let starts = listed.iter().map(|listed| self.serial_of(key, listed));
            for start in try_join_all(starts).await? {
                match start {
                    Ok((serial, lineage)) if lineage == own.lineage => highest = highest.max(serial),
                    Ok(_) => {}
                    Err(Unread) => unread += 1,
                }
            }
            seen += listed.len() as u64;
            looking(seen);
        }
    }

    /// Serial and lineage of a version, of which only the beginning is read where that tells.
    async fn serial_of(
        &self,
        key: &str,
        listed: &ListedVersion,
    ) -> Result<Result<(u64, String), Unread>, s3::Error> {
        let version = listed.version.as_str();
        let mut headers = self.encryption.headers_of_get();
        headers.push(("range", format!("bytes=0-{}", STATE_START_BYTES - 1)));
        let start = self
            .s3
            .get_object_with(&self.bucket, key, Some(version), headers)
            .await;
        let read = match start {
            Ok(start) => match of_start(&start.bytes) {
                Some(found) => return Ok(Ok(found)),
                None => self.read(key, Some(version)).await,
            },
            Err(error) => Err(error),
        };
        match read {
            // What is no state has no serial.
            Ok(object) => Ok(Ok(StateHeader::parse(&object.bytes)
                .map(|header| (header.serial, header.lineage))
                .unwrap_or_default())),
            Err(error) if error.code().is_some() => Ok(Err(Unread)),
            Err(error) => Err(error),
        }
    }
}

/// A version that the store does not hand out.
struct Unread;

/// Whether there is anything to go back to, and what it is where that can be told.
enum Difference {
    No,
    Yes(Option<Box<Diff>>),
    /// It is of another history: that of the state now.
    OtherLineage(String),
}

/// How the state now and the old one differ.
fn compare(current: Option<&Object>, old: &Object, header: &StateHeader) -> Difference {
    let now = match current {
        Some(current) if current.bytes == old.bytes => return Difference::No,
        Some(current) => current,
        None => return Difference::Yes(None),
    };
    let Ok(current) = StateHeader::parse(&now.bytes) else {
        return Difference::Yes(None);
    };
    if current.lineage != header.lineage {
        return Difference::OtherLineage(current.lineage);
    }
    match Diff::between(&now.bytes, &old.bytes, Sensitive::Hide) {
        Ok(diff) if diff.is_empty() => Difference::No,
        diff => Difference::Yes(diff.ok().map(Box::new)),
    }
}
