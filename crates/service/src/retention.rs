//! How long old versions are kept: an operator's rules, for ever where there is none.

use std::{num::NonZero, sync::Arc};

use tidelock_core::{Address, AddressError};

/// What is kept of the addresses that begin with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `BUCKET` for all in it, or `BUCKET/KEY-PREFIX`.
    pub prefix: String,
    /// How many of the newest versions stay, the current one among them.
    pub keep: Option<NonZero<usize>>,
    /// How long a version stays after it was replaced, in milliseconds.
    pub keep_for_ms: Option<i64>,
}

impl Rule {
    /// Whether a version may go that `newer` versions came after, and that was replaced `replaced_for_ms` ago: nobody
    /// wants it who counts, and nobody who looks at the calendar. The current version never may.
    ///
    /// Its age counts from when it was replaced, as S3's lifecycle counts it: a state that stood for a year and is
    /// overwritten today is the one that somebody wants back tomorrow.
    #[must_use]
    pub fn lets_go(&self, newer: usize, replaced_for_ms: i64) -> bool {
        let too_many = self.keep.is_none_or(|keep| newer >= keep.get());
        let too_old = self.keep_for_ms.is_none_or(|keep| replaced_for_ms > keep);
        newer > 0 && too_many && too_old
    }
}

/// Why a rule is none. Rules are numbered from 1, as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// It would keep nothing, or everything.
    #[error("[[retention]] {number} ({prefix}) says neither `keep` nor `keep_for`: give one or both")]
    SaysNothing {
        /// Which one.
        number: usize,
        /// Its prefix.
        prefix: String,
    },
    /// It would drop everything at once, or what is not written yet.
    #[error("[[retention]] {number} ({prefix}): `keep_for` must be longer than nothing, such as 90d")]
    NoTime {
        /// Which one.
        number: usize,
        /// Its prefix.
        prefix: String,
    },
    /// It can match nothing.
    #[error("[[retention]] {number}: the prefix {prefix:?} is no BUCKET and no BUCKET/KEY-PREFIX: {why}")]
    Prefix {
        /// Which one.
        number: usize,
        /// Its prefix.
        prefix: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// Only one of them could count.
    #[error("[[retention]] {first} and {second} are both for {prefix}: leave one")]
    Twice {
        /// The one before.
        first: usize,
        /// The one after.
        second: usize,
        /// The prefix of both.
        prefix: String,
    },
}

/// The rules of a server; none by default, and then every version is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention(Arc<[Rule]>);

impl Retention {
    /// Rules in any order.
    ///
    /// # Errors
    /// [`RetentionError`] for the first rule that cannot be meant.
    pub fn new(mut rules: Vec<Rule>) -> Result<Retention, RetentionError> {
        for at in 0..rules.len() {
            let (before, rest) = rules.split_at_mut(at);
            let (number, rule) = (at + 1, &mut rest[0]);
            check(number, rule)?;
            // A bucket is all that begins with its name and a slash; one form, so that two rules for it are seen.
            if !rule.prefix.contains('/') {
                rule.prefix.push('/');
            }
            if let Some(first) = before.iter().position(|other| other.prefix == rule.prefix) {
                return Err(RetentionError::Twice {
                    first: first + 1,
                    second: number,
                    prefix: rule.prefix.clone(),
                });
            }
        }
        Ok(Retention(rules.into()))
    }

    /// Whether everything is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule that counts for an address: the one with the longest prefix.
    #[must_use]
    pub fn rule_for(&self, address: &Address) -> Option<&Rule> {
        let fits = |rule: &&Rule| {
            let key = rule.prefix.strip_prefix(address.bucket());
            let key = key.and_then(|rest| rest.strip_prefix('/'));
            key.is_some_and(|prefix| address.key().starts_with(prefix))
        };
        self.0.iter().filter(fits).max_by_key(|rule| rule.prefix.len())
    }
}

fn check(number: usize, rule: &Rule) -> Result<(), RetentionError> {
    let prefix = || rule.prefix.clone();
    let (bucket, key) = rule.prefix.split_once('/').unwrap_or((&rule.prefix, ""));
    // Any key will do for a bucket alone.
    let key = if key.is_empty() { "k" } else { key };
    Address::new(bucket, key).map_err(|why| RetentionError::Prefix {
        number,
        prefix: prefix(),
        why,
    })?;
    match (rule.keep, rule.keep_for_ms) {
        (None, None) => Err(RetentionError::SaysNothing {
            number,
            prefix: prefix(),
        }),
        (_, Some(..=0)) => Err(RetentionError::NoTime {
            number,
            prefix: prefix(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(prefix: &str, keep: usize, keep_for_ms: Option<i64>) -> Rule {
        Rule {
            prefix: prefix.to_owned(),
            keep: NonZero::new(keep),
            keep_for_ms,
        }
    }

    fn at(address: &str) -> Address {
        Address::parse(address).unwrap()
    }

    #[test]
    fn the_longest_prefix_that_fits_counts() {
        let rules = [
            rule("tfstate/env:/review-", 2, None),
            rule("tfstate", 1, None),
            rule("tfstate/env:/", 3, None),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let retention = Retention::new(order.map(|at| rules[at].clone()).into()).unwrap();
            let keep = |address: &str| retention.rule_for(&at(address)).and_then(|rule| rule.keep);
            assert_eq!(keep("tfstate/env:/review-7/a").unwrap().get(), 2);
            assert_eq!(keep("tfstate/env:/prod/a").unwrap().get(), 3);
            assert_eq!(keep("tfstate/env").unwrap().get(), 1);
            assert_eq!(keep("tfstate2/a"), None);
            assert_eq!(keep("tfstat/e/a"), None);
            assert_eq!(keep("other/tfstate/a"), None);
        }
        assert_eq!(Retention::default().rule_for(&at("tfstate/a")), None);
    }

    #[test]
    fn what_both_limits_are_given_for_goes_when_both_let_it_go() {
        let (count, age, both) = (
            rule("abc", 3, None),
            rule("abc", 0, Some(100)),
            rule("abc", 3, Some(100)),
        );
        assert!(!count.lets_go(2, i64::MAX) && count.lets_go(3, 0));
        assert!(!age.lets_go(usize::MAX, 100) && age.lets_go(1, 101));
        assert!(!both.lets_go(3, 100) && !both.lets_go(2, 101) && both.lets_go(3, 101));
    }

    #[test]
    fn the_current_version_never_goes() {
        for rule in [
            rule("abc", 1, None),
            rule("abc", 0, Some(1)),
            rule("abc", 1, Some(1)),
        ] {
            assert!(!rule.lets_go(0, i64::MAX) && rule.lets_go(1, i64::MAX));
        }
    }

    #[test]
    fn a_rule_that_cannot_be_meant_is_refused_with_its_number() {
        let good = rule("tfstate/a", 1, None);
        for (bad, expected) in [
            (rule("tfstate", 0, None), "[[retention]] 2 (tfstate) says neither"),
            (
                rule("tfstate", 1, Some(0)),
                "[[retention]] 2 (tfstate): `keep_for`",
            ),
            (
                rule("tfstate", 0, Some(-1)),
                "[[retention]] 2 (tfstate): `keep_for`",
            ),
            (rule("", 1, None), "[[retention]] 2: the prefix \"\""),
            (rule("/a", 1, None), "[[retention]] 2: the prefix \"/a\""),
            (rule("Tfstate/a", 1, None), "[[retention]] 2: the prefix"),
            (rule("tfstate/a\0", 1, None), "[[retention]] 2: the prefix"),
            (
                rule("tfstate/a", 1, None),
                "[[retention]] 1 and 2 are both for tfstate/a",
            ),
        ] {
            let refused = Retention::new(vec![good.clone(), bad]).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
        let twice = vec![rule("tfstate", 1, None), rule("tfstate/", 2, None)];
        assert!(Retention::new(twice).is_err());
    }
}
