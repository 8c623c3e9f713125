//! The lifecycle of a bucket's objects as S3 has it: which versions are at their end, by the rules that its owner has set.
//!
//! Days count as S3 counts them: the time of a rule is added to the time of the version, and what comes out is rounded up to the
//! next midnight UTC. Source: "Managing the lifecycle of objects" of the Amazon S3 user guide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Time, Version, limits::DAY_MS};

/// The rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The rules, in the order in which they came.
    pub rules: Vec<Rule>,
    /// From which size on storage classes would change. There are none, so that it is only given back.
    pub minimum_size: String,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it counts.
    pub enabled: bool,
    /// What it is for.
    pub filter: Filter,
    /// The end of current versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Expiration>,
    /// The end of versions that were replaced or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noncurrent: Option<Noncurrent>,
    /// After how many days an upload that was not completed is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_days: Option<u32>,
}

/// Which objects a rule is for, in the form in which it was said, as clients compare it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// The prefix of rules of the first form, beside the actions.
    Rule(String),
    /// All objects.
    All,
    /// One condition.
    One(Condition),
    /// Each of several.
    And(Vec<Condition>),
}

/// A condition on an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Its key begins with this.
    Prefix(String),
    /// It has this tag.
    Tag(String, String),
    /// It is larger than this, in bytes.
    Larger(u64),
    /// It is smaller than this, in bytes.
    Smaller(u64),
}

/// When current versions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after they were written.
    Days(u32),
    /// From this midnight on.
    Date(Time),
    /// Never; but a delete marker that hides nothing goes.
    Marker(bool),
}

/// When versions end that are not current any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noncurrent {
    /// So many days after they were replaced.
    pub days: u32,
    /// So many of the newest stay all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
}

impl Filter {
    /// Its conditions; none for all objects.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Filter::Rule(_) | Filter::All => &[],
            Filter::One(one) => std::slice::from_ref(one),
            Filter::And(all) => all,
        }
    }

    /// What keys must begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Filter::Rule(prefix) => prefix,
            other => other.conditions().iter().find_map(prefix_of).unwrap_or_default(),
        }
    }

    fn fits(&self, key: &str, standing: &Standing) -> bool {
        key.starts_with(self.prefix()) && self.conditions().iter().all(|one| one.fits(standing))
    }
}

fn prefix_of(condition: &Condition) -> Option<&str> {
    match condition {
        Condition::Prefix(prefix) => Some(prefix),
        Condition::Tag(..) | Condition::Larger(_) | Condition::Smaller(_) => None,
    }
}

impl Condition {
    /// Whether a version fits, its key apart. A delete marker has neither tags nor a size.
    fn fits(&self, standing: &Standing) -> bool {
        match self {
            Condition::Prefix(_) => true,
            Condition::Tag(key, value) => standing.tags.get(key) == Some(value),
            Condition::Larger(than) => standing.size.is_some_and(|size| size > *than),
            Condition::Smaller(than) => standing.size.is_some_and(|size| size < *than),
        }
    }
}

/// What of a version its end depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub seq: u64,
    written: Time,
    /// In bytes; `None` for a delete marker.
    size: Option<u64>,
    tags: BTreeMap<String, String>,
    protected: bool,
}

impl Standing {
    /// That of a version now.
    #[must_use]
    pub fn of(version: &Version, now: Time) -> Standing {
        let body = version.body.as_ref();
        let content = body.map(|body| &body.content);
        Standing {
            seq: version.seq,
            written: version.written,
            size: body.map(|body| body.size),
            tags: content.map(|content| content.tags.clone()).unwrap_or_default(),
            protected: version.is_protected(now, false),
        }
    }
}

/// What of an address is at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The current version is to be deleted as by S3's DELETE; or for good, where it is a delete marker that hides nothing.
    pub current: bool,
    /// Older versions are to go for good: their numbers, the oldest first.
    pub older: Vec<u64>,
}

impl Lifecycle {
    /// What is due of an object's versions, which are all that S3 shows, the newest first and current.
    #[must_use]
    pub fn due(&self, key: &str, versions: &[Standing], now: Time) -> Due {
        let mut due = Due::default();
        let Some((current, older)) = versions.split_first() else {
            return due;
        };
        let rules = || self.rules.iter().filter(|rule| rule.enabled);
        // A version that may not be deleted may be hidden all the same.
        due.current = rules().any(|rule| rule.ends_current(key, current, older.is_empty(), now));
        for (at, standing) in older.iter().enumerate() {
            let replaced = versions[at].written;
            let ends = |rule: &Rule| rule.ends_older(key, standing, at, replaced, now);
            if !standing.protected && rules().any(ends) {
                due.older.push(standing.seq);
            }
        }
        due.older.reverse();
        due
    }

    /// Whether an upload is to be aborted that was begun then.
    #[must_use]
    pub fn aborts(&self, key: &str, begun: Time, now: Time) -> bool {
        let aborts = |rule: &Rule| {
            let after = rule.abort_days.map(|days| midnight_after(begun, days));
            rule.enabled && key.starts_with(rule.filter.prefix()) && after.is_some_and(|after| after <= now)
        };
        self.rules.iter().any(aborts)
    }
}

impl Rule {
    fn ends_current(&self, key: &str, current: &Standing, is_only: bool, now: Time) -> bool {
        let Some(expiration) = self.expiration.filter(|_| self.filter.fits(key, current)) else {
            return false;
        };
        let is_marker = current.size.is_none();
        match expiration {
            // A delete marker is not hidden behind another one.
            _ if is_marker && !is_only => false,
            Expiration::Days(days) => midnight_after(current.written, days) <= now,
            Expiration::Date(date) => date <= now,
            Expiration::Marker(on) => on && is_marker,
        }
    }

    /// `newer` versions that are not current either are newer than it.
    fn ends_older(&self, key: &str, standing: &Standing, newer: usize, replaced: Time, now: Time) -> bool {
        let Some(noncurrent) = self.noncurrent.filter(|_| self.filter.fits(key, standing)) else {
            return false;
        };
        let kept = noncurrent.keep.map_or(0, |keep| keep as usize);
        newer >= kept && midnight_after(replaced, noncurrent.days) <= now
    }
}

/// So many days after that moment, and then the next midnight UTC.
fn midnight_after(from: Time, days: u32) -> Time {
    let exact = from.plus_ms(i64::from(days).saturating_mul(DAY_MS));
    let into_day = exact.0.rem_euclid(DAY_MS);
    exact.plus_ms((DAY_MS - into_day) % DAY_MS)
}
