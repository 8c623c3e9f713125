//! Who held the lock when a state was written, as the versions of the lock file tell.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
};

use futures_util::future::try_join_all;
use tidelock_core::{LockInfo, address::LOCK_FILE_SUFFIX, limits::HOLDERS_IN_DOUBT_MAX};

use super::Listing;
use crate::{
    layout::{Error, Layout},
    s3::ListedVersion,
};

/// What Terraform calls a lock under which it writes nothing.
const PLAN: &str = "OperationTypePlan";

/// Who held the lock when: the versions of the lock file, each of which stands until the next or its delete marker.
#[derive(Debug)]
pub(super) struct Holders<'a> {
    listing: Listing<'a>,
    /// Those that matter for the time that was asked for last and for all before, each with the time that it ended.
    window: VecDeque<(ListedVersion, i64)>,
    /// When the next of the listing ended.
    ended_ms: i64,
    /// Whether the one before in the listing was a lock.
    follows_lock: bool,
    /// Those that have been read, by version ID; `None` where they say nothing.
    read: BTreeMap<String, Option<LockInfo>>,
}

impl<'a> Holders<'a> {
    pub(super) fn of(layout: &'a Layout, key: &str) -> Holders<'a> {
        Holders {
            listing: Listing::of(layout, format!("{key}{LOCK_FILE_SUFFIX}")),
            window: VecDeque::new(),
            ended_ms: i64::MAX,
            follows_lock: false,
            read: BTreeMap::new(),
        }
    }

    /// The lock files that may have been there at a time, no later than the one that was asked for before. S3's times are
    /// whole seconds: two that met in one are both in doubt.
    pub(super) async fn at(&mut self, time_ms: i64) -> Result<Vec<String>, Error> {
        while self
            .window
            .front()
            .is_some_and(|(lock, _)| lock.written_ms > time_ms)
        {
            self.window.pop_front();
        }
        while self
            .window
            .back()
            .is_none_or(|(lock, _)| lock.written_ms >= time_ms)
        {
            let Some(lock) = self.listing.next().await? else {
                break;
            };
            let ended_ms = self.ended_ms_of(&lock).await?;
            if lock.written_ms <= time_ms {
                self.window.push_back((lock, ended_ms));
            }
        }
        let locks = self.window.iter();
        let meant = locks.filter(|(lock, ended_ms)| !lock.is_delete_marker() && *ended_ms >= time_ms);
        let mut ids: Vec<String> = meant.map(|(lock, _)| lock.version.clone()).collect();
        if ids.len() > HOLDERS_IN_DOUBT_MAX {
            ids.clear();
        }
        Ok(ids)
    }

    /// When a lock ended: with the one that is next newer in the listing.
    async fn ended_ms_of(&mut self, lock: &ListedVersion) -> Result<i64, Error> {
        let ended_ms = mem::replace(&mut self.ended_ms, lock.written_ms);
        let is_open = mem::replace(&mut self.follows_lock, !lock.is_delete_marker());
        // Between two locks there is a delete marker. Stores that list those apart, with whole seconds, leave it behind the
        // lock that it ended when that took no second.
        if is_open && !lock.is_delete_marker() {
            let next = self.listing.peek().await?;
            let is_its_end =
                next.is_some_and(|next| next.is_delete_marker() && next.written_ms == lock.written_ms);
            if is_its_end {
                self.listing.next().await?;
                return Ok(lock.written_ms);
            }
        }
        Ok(ended_ms)
    }

    /// Reads the lock files that are not read yet, and forgets those that are not needed any more.
    pub(super) async fn read(&mut self, layout: &Layout, wanted: &[Vec<String>]) -> Result<(), Error> {
        let wanted: BTreeSet<&String> = wanted.iter().flatten().collect();
        self.read.retain(|id, _| wanted.contains(id));
        let unread = wanted.into_iter().filter(|id| !self.read.contains_key(*id));
        let key = &self.listing.key;
        let reads = unread.map(async |id| {
            let read = layout.read(key, Some(id)).await;
            let info = match read {
                Ok(object) => LockInfo::parse(&object.bytes).ok().map(|(info, _)| info),
                Err(error) if error.code().is_some() => None,
                Err(error) => return Err(Error::from(error)),
            };
            Ok((id.clone(), info))
        });
        let read = try_join_all(reads).await?;
        self.read.extend(read);
        Ok(())
    }

    /// The one of these under which something can have been written, if there is only one.
    pub(super) fn one_of(&self, ids: &[String]) -> Option<LockInfo> {
        let infos: Option<Vec<&LockInfo>> = ids.iter().map(|id| self.read.get(id)?.as_ref()).collect();
        let infos = infos?;
        if let [only] = infos[..] {
            return Some(only.clone());
        }
        let mut writers = infos.into_iter().filter(|info| info.operation != PLAN);
        let writer = writers.next()?;
        writers.next().is_none().then(|| writer.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aws::{Access, Environment, Settings, Wanted};

    /// Nobody is asked: all versions are loaded.
    fn layout() -> Layout {
        let settings = Settings::load(Environment::new([]), Wanted::default()).unwrap();
        Layout::new(Access::new(settings).unwrap(), "states".to_owned(), None).unwrap()
    }

    /// Versions of the lock file, newest first: those with a name are locks, the others delete markers.
    fn holders<'a>(layout: &'a Layout, listed: &[(&str, i64)]) -> Holders<'a> {
        let mut holders = Holders::of(layout, "k");
        holders.listing.next = None;
        holders.listing.loaded = listed
            .iter()
            .map(|&(id, written_ms)| ListedVersion {
                key: "k.tflock".to_owned(),
                version: id.to_owned(),
                current: false,
                written_ms,
                size: Some(1).filter(|_| !id.is_empty()),
                etag: String::new(),
            })
            .collect();
        holders
    }

    /// Which locks there may have been at each of these times, which fall.
    fn at(listed: &[(&str, i64)], times: &[i64]) -> Vec<Vec<String>> {
        let layout = layout();
        let mut holders = holders(&layout, listed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let at = times
            .iter()
            .map(|&time| runtime.block_on(holders.at(time)).unwrap());
        at.collect()
    }

    #[test]
    fn a_lock_stands_from_its_writing_to_its_delete_marker() {
        let listed = [("", 9_000), ("second", 7_000), ("", 4_000), ("first", 2_000)];
        let found = at(
            &listed,
            &[10_000, 8_000, 7_000, 5_000, 3_000, 3_000, 2_000, 1_000],
        );
        let none: [&str; 0] = [];
        let expected = [
            &none[..],
            &["second"],
            &["second"],
            &none,
            &["first"],
            &["first"],
            &["first"],
            &none,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_lock_that_nobody_has_taken_off_stands_still() {
        assert_eq!(at(&[("only", 2_000)], &[9_000]), [["only"]]);
    }

    #[test]
    fn a_delete_marker_that_is_listed_behind_its_lock_ends_it() {
        let listed = [("", 9_000), ("second", 9_000), ("first", 5_000), ("", 5_000)];
        assert_eq!(at(&listed, &[9_000, 5_000]), [["second"], ["first"]]);
    }

    #[test]
    fn locks_that_met_in_one_second_are_both_in_doubt() {
        let listed = [("", 5_000), ("second", 4_000), ("", 4_000), ("first", 2_000)];
        assert_eq!(at(&listed, &[4_000]), [["second", "first"]]);
        let many = ["a", "b", "c", "d", "e"].map(|id| (id, 4_000));
        assert_eq!(
            at(&many, &[4_000]),
            [Vec::<String>::new()],
            "nobody reads them all"
        );
    }

    #[test]
    fn of_two_in_doubt_the_one_that_can_have_written_counts() {
        let layout = layout();
        let mut holders = holders(&layout, &[]);
        let info = |id: &str, operation: &str| {
            let text = format!("{{\"ID\":\"{id}\",\"Operation\":\"{operation}\"}}");
            Some(LockInfo::parse(text.as_bytes()).unwrap().0)
        };
        let read = [
            ("plan", info("1", PLAN)),
            ("apply", info("2", "OperationTypeApply")),
            ("push", info("3", "state push")),
            ("other", None),
        ];
        holders.read = read.map(|(id, info)| (id.to_owned(), info)).into();
        let one_of = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            holders.one_of(&ids).map(|info| info.id)
        };
        assert_eq!(
            one_of(&["plan"]).as_deref(),
            Some("1"),
            "a refreshing one may write"
        );
        assert_eq!(one_of(&["plan", "apply"]).as_deref(), Some("2"));
        assert_eq!(one_of(&["apply", "push"]), None);
        assert_eq!(one_of(&["apply", "other"]), None, "it may have been the other");
        assert_eq!(one_of(&[]), None);
    }
}
