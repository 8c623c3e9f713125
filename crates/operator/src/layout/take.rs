//! Taking a state's lock in every form at once, as Terraform does with `use_lockfile` and `dynamodb_table`: who locks in
//! either form is kept out.

use std::{collections::BTreeMap, fmt::Display};

use bytes::Bytes;
use serde_json::json;
use tidelock_core::address::LOCK_FILE_SUFFIX;

use super::{Error, Facet, INFO, Layout, Lock};
use crate::dynamodb::{self, Condition, Item};

/// Tries of a conditional write that the store could not decide.
const UNDECIDED_MAX: u32 = 5;

/// A lock that is wanted.
#[derive(Clone, Debug)]
pub struct Want {
    /// Its ID, a UUID: nobody else's.
    pub id: String,
    /// What for, in a word, such as `rollback`.
    pub operation: String,
    /// `user@host`.
    pub who: String,
    /// More, for those who are kept out.
    pub info: String,
    /// Now, as RFC 3339.
    pub created: String,
}

/// A lock that is held, until it is released: dropping it releases nothing.
#[derive(Debug)]
#[must_use = "a lock that is not released stays"]
pub struct Held {
    key: String,
    id: String,
    info: String,
}

/// Why a lock was not taken. Nothing is held then, or it says so.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Somebody else has it.
    #[error("it is locked")]
    Locked(Vec<Lock>),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
}

impl Layout {
    /// Takes the lock of a state: the lock file, then the table's item where there is a table, with one ID.
    ///
    /// # Errors
    /// [`TakeError`]; what was taken before is released again.
    pub async fn take(&self, key: &str, want: &Want) -> Result<Held, TakeError> {
        let held = Held {
            key: key.to_owned(),
            id: want.id.clone(),
            info: self.info(key, want),
        };
        let there = self.locks_of(key).await?;
        if there.iter().any(|lock| lock.info != held.info) {
            return Err(TakeError::Locked(there));
        }
        if let Err(error) = self.take_file(&held).await {
            // The lock may be there even so, if only an answer was lost; of the item nobody has asked.
            let released = held.release_file(self).await;
            return Err(match released {
                Ok(()) => error,
                Err(why) => held.stays(self, Some(&error), why).into(),
            });
        }
        if let Err(error) = self.take_item(&held).await {
            return held.release_after(self, Err(error)).await;
        }
        Ok(held)
    }

    /// As Terraform writes it.
    fn info(&self, key: &str, want: &Want) -> String {
        let path = self.item_name(key);
        let info = json!({
            "ID": want.id, "Operation": want.operation, "Info": want.info, "Who": want.who,
            "Version": env!("CARGO_PKG_VERSION"), "Created": want.created, "Path": path,
        });
        info.to_string()
    }

    async fn take_file(&self, held: &Held) -> Result<(), TakeError> {
        let file = format!("{}{LOCK_FILE_SUFFIX}", held.key);
        let mut absent = self.encryption.headers_of_put();
        absent.extend([
            ("if-none-match", "*".to_owned()),
            ("content-type", "application/json".to_owned()),
        ]);
        for _ in 0..UNDECIDED_MAX {
            let body = Bytes::from(held.info.clone());
            let put = self.s3.put_object(&self.bucket, &file, body, &absent).await;
            match put {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some("ConditionalRequestConflict") => {}
                Err(error) if error.code() == Some("PreconditionFailed") => {
                    return match self.lock_file(&held.key).await? {
                        // The answer to a try before was lost.
                        Some(lock) if lock.info == held.info => Ok(()),
                        lock => Err(TakeError::Locked(lock.into_iter().collect())),
                    };
                }
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        Err(TakeError::Locked(
            self.lock_file(&held.key).await?.into_iter().collect(),
        ))
    }

    async fn take_item(&self, held: &Held) -> Result<(), TakeError> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let name = self.item_name(&held.key);
        let mut item = Item::new();
        item.insert(dynamodb::LOCK_ID.to_owned(), dynamodb::string(&name));
        item.insert(INFO.to_owned(), dynamodb::string(&held.info));
        let absent = Condition {
            expression: "attribute_not_exists(LockID)",
            values: BTreeMap::new(),
        };
        match self.dynamodb.put_item(table, &item, Some(&absent)).await {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                let item = self.dynamodb.get_item(table, &name).await.map_err(Error::from)?;
                let lock = item.and_then(|item| self.lock_of_item(&item));
                match lock {
                    Some(lock) if lock.info == held.info => Ok(()),
                    lock => Err(TakeError::Locked(lock.into_iter().collect())),
                }
            }
            Err(error) => Err(Error::from(error).into()),
        }
    }
}

impl Held {
    /// Releases it in Terraform's order, in each form in which it is still ours.
    ///
    /// # Errors
    /// [`Error`] of the first form that could not be released; the other one has been tried too.
    pub async fn release(self, layout: &Layout) -> Result<(), Error> {
        self.release_both(layout).await
    }

    /// Releases it after what was done under it. Where the lock stays, that is told beside what failed before.
    ///
    /// # Errors
    /// The one that was there, or [`Error::LockStays`].
    pub async fn release_after<T, E: Display + From<Error>>(
        self,
        layout: &Layout,
        done: Result<T, E>,
    ) -> Result<T, E> {
        match self.release_both(layout).await {
            Ok(()) => done,
            Err(why) => Err(self.stays(layout, done.err().as_ref(), why).into()),
        }
    }

    fn stays(&self, layout: &Layout, first: Option<&impl Display>, why: Error) -> Error {
        Error::LockStays {
            address: layout.item_name(&self.key),
            endpoint: layout.s3.endpoint(),
            id: self.id.clone(),
            first: first.map(|first| format!("{first}; and ")).unwrap_or_default(),
            why: Box::new(why),
        }
    }

    async fn release_both(&self, layout: &Layout) -> Result<(), Error> {
        let file = self.release_file(layout).await;
        file.and(self.release_item(layout).await)
    }

    async fn release_file(&self, layout: &Layout) -> Result<(), Error> {
        match layout.lock_file(&self.key).await? {
            Some(lock) if lock.info == self.info => layout.free(&lock).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn release_item(&self, layout: &Layout) -> Result<(), Error> {
        let item = Lock {
            key: self.key.clone(),
            facet: Facet::Table,
            info: self.info.clone(),
            parsed: None,
            since_ms: None,
            etag: String::new(),
        };
        layout.free(&item).await.map(drop)
    }
}
