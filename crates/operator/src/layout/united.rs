//! Locks as people count them: what one holder took in both forms is one lock; and all those of a bucket and a table, page by page.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use tidelock_core::{LockInfo, address::LOCK_FILE_SUFFIX, limits::LOCK_READS_MAX};

use super::{Error, Facet, Layout, Lock};
use crate::dynamodb::{Condition, Item};

/// A lock, in each form in which it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct United {
    /// The key of the state.
    pub key: String,
    /// As [`Lock::name`].
    pub id: String,
    /// Its forms: one or two, the file first.
    pub forms: Vec<Lock>,
}

impl United {
    /// What its holder wrote, where it can be read.
    #[must_use]
    pub fn info(&self) -> Option<&LockInfo> {
        self.forms.iter().find_map(|lock| lock.parsed.as_ref())
    }

    /// The same, byte for byte.
    #[must_use]
    pub fn text(&self) -> &str {
        self.forms.first().map_or("", |lock| &lock.info)
    }

    /// Since when, in milliseconds since 1970: by the bucket's clock where there is a file, which comes first, else by the
    /// holder's.
    #[must_use]
    pub fn since_ms(&self) -> Option<i64> {
        self.forms.iter().find_map(|lock| lock.since_ms)
    }

    /// Whether it is there in this form.
    #[must_use]
    pub fn is_in(&self, facet: Facet) -> bool {
        self.forms.iter().any(|lock| lock.facet == facet)
    }
}

/// What became of a lock that was to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// It is free.
    Now,
    /// It was, when its turn came.
    Before,
}

/// The locks of a state, one for each ID.
fn united(locks: Vec<Lock>) -> Vec<United> {
    let mut all: Vec<United> = Vec::new();
    for lock in locks {
        let id = lock.name();
        match all.iter_mut().find(|one| one.id == id) {
            Some(one) => one.forms.push(lock),
            None => all.push(United {
                key: lock.key.clone(),
                id,
                forms: vec![lock],
            }),
        }
    }
    all
}

impl Layout {
    /// The locks of a state: none, one, or two where somebody locks in one form and somebody else in the other.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn held(&self, key: &str) -> Result<Vec<United>, Error> {
        Ok(united(self.locks_of(key).await?))
    }

    /// Frees the lock with this ID in each form in which it is there now, as Terraform does: the file first.
    ///
    /// # Errors
    /// [`Error`]; what is freed by then stays so, and the same again frees the rest.
    pub async fn free_id(&self, key: &str, id: &str) -> Result<Freed, Error> {
        let mut freed = Freed::Before;
        for lock in self.held(key).await?.into_iter().filter(|lock| lock.id == id) {
            for form in &lock.forms {
                if self.free(form).await? {
                    freed = Freed::Now;
                }
            }
        }
        Ok(freed)
    }

    /// The locks of all states whose key begins with `prefix`.
    #[must_use]
    pub fn locks<'a>(&'a self, prefix: &'a str) -> Locks<'a> {
        Locks {
            layout: self,
            prefix,
            next: Some(Next::Items(None)),
            seen: HashSet::new(),
            unread: Vec::new(),
            unreadable: Vec::new(),
            looked_at: 0,
        }
    }
}

/// The locks of many states, found as the pages of the table and of the bucket come.
#[derive(Debug)]
pub struct Locks<'a> {
    layout: &'a Layout,
    prefix: &'a str,
    next: Option<Next>,
    /// The states that are done: a lock in both forms is met twice.
    seen: HashSet<String>,
    /// Those that a page has shown and that were not looked at yet.
    unread: Vec<String>,
    unreadable: Vec<(String, Error)>,
    looked_at: u64,
}

/// Which page is next. The table comes first: it has little beside locks, and a bucket may be large.
#[derive(Debug)]
enum Next {
    Items(Option<Item>),
    Objects(Option<String>),
}

impl Locks<'_> {
    /// How many items and objects were looked at.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// Some more locks, which may be none; `None` after the last ones.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn more(&mut self) -> Result<Option<Vec<United>>, Error> {
        if self.unread.is_empty() {
            let keys = match self.next.take() {
                None => return Ok(None),
                Some(Next::Items(after)) => self.items(after).await?,
                Some(Next::Objects(after)) => self.objects(after).await?,
            };
            let new = keys.into_iter().filter(|key| self.seen.insert(key.clone()));
            self.unread = new.collect();
        }
        // A page may show a thousand locks, and whoever looks wants to see the first ones.
        let rest = self.unread.split_off(self.unread.len().min(LOCK_READS_MAX));
        let now = std::mem::replace(&mut self.unread, rest);
        let layout = self.layout;
        let held = stream::iter(&now)
            .map(|key| layout.held(key))
            .buffered(LOCK_READS_MAX);
        let held: Vec<Result<Vec<United>, Error>> = held.collect().await;
        let mut all = Vec::new();
        for (key, held) in now.iter().zip(held) {
            match held {
                Ok(held) => all.extend(held),
                // One team's key is no reason to show nobody's locks.
                Err(error) if error.is_of_one_object() => self.unreadable.push((key.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(all))
    }

    /// The states whose lock the store would not show, since this was asked last, and why.
    pub fn unreadable(&mut self) -> Vec<(String, Error)> {
        std::mem::take(&mut self.unreadable)
    }

    /// The states that a page of the table shows locked.
    async fn items(&mut self, after: Option<Item>) -> Result<Vec<String>, Error> {
        let Some(table) = &self.layout.table else {
            self.next = Some(Next::Objects(None));
            return Ok(Vec::new());
        };
        let begin = self.layout.item_name(self.prefix);
        let locks = Condition {
            expression: "begins_with(LockID, :begin) AND (attribute_exists(Info) OR NOT contains(LockID, :digest))",
            values: [(":begin", begin), (":digest", super::DIGEST_SUFFIX.to_owned())].into(),
        };
        let page = self
            .layout
            .dynamodb
            .scan_where(table, Some(&locks), after.as_ref())
            .await?;
        self.looked_at += page.scanned;
        self.next = Some(match page.next {
            Some(next) => Next::Items(Some(next)),
            None => Next::Objects(None),
        });
        let keys = page
            .items
            .iter()
            .filter_map(|item| self.layout.lock_of_item(item));
        Ok(keys.map(|lock| lock.key).collect())
    }

    /// The states beside which a page of the bucket shows a lock file.
    async fn objects(&mut self, after: Option<String>) -> Result<Vec<String>, Error> {
        let (s3, bucket) = (&self.layout.s3, &self.layout.bucket);
        let page = s3.list_objects(bucket, self.prefix, after.as_deref()).await?;
        self.looked_at += page.items.len() as u64;
        self.next = page.next.map(|next| Next::Objects(Some(next)));
        let keys = page
            .items
            .iter()
            .filter_map(|object| object.key.strip_suffix(LOCK_FILE_SUFFIX));
        Ok(keys.filter(|key| !key.is_empty()).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(facet: Facet, info: &str, since_ms: Option<i64>) -> Lock {
        Lock::new("app", facet, info.to_owned(), since_ms, String::new())
    }

    fn info(id: &str) -> String {
        format!(r#"{{"ID":"{id}","Created":"1970-01-01T00:00:07Z"}}"#)
    }

    #[test]
    fn what_was_taken_in_both_forms_is_one_lock_and_its_age_is_the_buckets() {
        let info = info("a");
        let table = lock(Facet::Table, &info, None);
        let both = united(vec![lock(Facet::File, &info, Some(9_000)), table.clone()]);
        assert_eq!(both.len(), 1);
        assert!(both[0].is_in(Facet::File) && both[0].is_in(Facet::Table));
        assert_eq!(both[0].since_ms(), Some(9_000));
        assert_eq!(united(vec![table])[0].since_ms(), Some(7_000));
    }

    #[test]
    fn two_holders_in_two_forms_are_two_locks() {
        let [one, other] = [info("a"), info("b")];
        let two = united(vec![
            lock(Facet::File, &one, None),
            lock(Facet::Table, &other, None),
        ]);
        let ids: Vec<&str> = two.iter().map(|lock| lock.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn what_cannot_be_read_has_an_id_all_the_same() {
        let strange = united(vec![
            lock(Facet::File, "abc", None),
            lock(Facet::Table, "abc", None),
        ]);
        assert_eq!(strange.len(), 1);
        assert_eq!(strange[0].id, "md5:900150983cd24fb0d6963f7d28e17f72");
        assert_eq!((strange[0].info(), strange[0].since_ms()), (None, None));
    }
}
