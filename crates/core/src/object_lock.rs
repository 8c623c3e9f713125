//! Object Lock as S3 has it: which versions may not be deleted until when, and who may change that.
//!
//! Source: "Locking objects with Object Lock" of the Amazon S3 user guide.

use serde::{Deserialize, Serialize};

use crate::{Time, limits::DAY_MS};

/// How firmly a retention holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Who has the right to may end it early.
    Governance,
    /// Nobody may, the operator of the server included.
    Compliance,
}

/// Until when a version may not be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectRetention {
    /// How firmly.
    pub mode: Mode,
    /// Until when.
    pub until: Time,
}

/// What protects one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Protection {
    /// Its retention, which may be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<ObjectRetention>,
    /// Its legal hold: `None` when there never was one, since S3 tells that from one that was lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

impl Protection {
    /// Whether nothing was ever said.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Protection::default()
    }

    /// Whether the version may not be deleted now. `bypass`: by one who has the right to end governance.
    #[must_use]
    pub fn holds(&self, now: Time, bypass: bool) -> bool {
        let retained = self.current(now);
        self.legal_hold == Some(true)
            || retained.is_some_and(|retained| retained.mode == Mode::Compliance || !bypass)
    }

    /// Whether the retention may become `next`. It may always become longer; shorter, or another one, where it is
    /// over, or is governance and `bypass`.
    #[must_use]
    pub fn may_become(&self, next: Option<ObjectRetention>, now: Time, bypass: bool) -> bool {
        let Some(current) = self.current(now) else {
            return true;
        };
        let longer = next.is_some_and(|next| next.mode == current.mode && next.until >= current.until);
        longer || (bypass && current.mode == Mode::Governance)
    }

    /// The retention, unless it is over.
    fn current(&self, now: Time) -> Option<ObjectRetention> {
        self.retention.filter(|retention| now < retention.until)
    }
}

/// Object Lock of a bucket. A bucket that has it keeps it, and stays versioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// What each new version gets that says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultRetention>,
}

/// The retention that a bucket gives to each new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How firmly.
    pub mode: Mode,
    /// For how long.
    pub period: Period,
}

/// A time in days or years, kept as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// Days.
    Days(u32),
    /// Years, of 365 days each.
    Years(u32),
}

impl DefaultRetention {
    /// The retention of a version that is written now.
    #[must_use]
    pub fn from(&self, now: Time) -> ObjectRetention {
        let days = match self.period {
            Period::Days(days) => i64::from(days),
            Period::Years(years) => i64::from(years) * 365,
        };
        ObjectRetention {
            mode: self.mode,
            until: now.plus_ms(days.saturating_mul(DAY_MS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000);

    fn retained(mode: Mode, until: i64) -> Protection {
        Protection {
            retention: Some(ObjectRetention {
                mode,
                until: Time(until),
            }),
            legal_hold: None,
        }
    }

    #[test]
    fn governance_gives_way_to_who_may_and_compliance_to_nobody() {
        for (protection, without, with) in [
            (Protection::default(), false, false),
            (retained(Mode::Governance, 1_001), true, false),
            (retained(Mode::Compliance, 1_001), true, true),
            (retained(Mode::Compliance, 1_000), false, false),
        ] {
            assert_eq!(protection.holds(NOW, false), without, "{protection:?}");
            assert_eq!(protection.holds(NOW, true), with, "{protection:?}");
            let held = |on| Protection {
                legal_hold: Some(on),
                ..protection
            };
            assert!(held(true).holds(NOW, true), "{protection:?}");
            assert_eq!(held(false).holds(NOW, true), with, "{protection:?}");
        }
    }

    #[test]
    fn a_retention_grows_and_is_shortened_only_where_that_is_a_right() {
        use Mode::{Compliance, Governance};
        let next = |mode, until| retained(mode, until).retention;
        for (now, new, without, with) in [
            (retained(Governance, 2_000), next(Governance, 2_000), true, true),
            (retained(Governance, 2_000), next(Governance, 2_001), true, true),
            (retained(Governance, 2_000), next(Governance, 1_999), false, true),
            (retained(Governance, 2_000), next(Compliance, 3_000), false, true),
            (retained(Governance, 2_000), None, false, true),
            (retained(Compliance, 2_000), next(Compliance, 2_001), true, true),
            (retained(Compliance, 2_000), next(Compliance, 1_999), false, false),
            (retained(Compliance, 2_000), next(Governance, 3_000), false, false),
            (retained(Compliance, 2_000), None, false, false),
            (retained(Compliance, 1_000), None, true, true),
            (Protection::default(), next(Governance, 2_000), true, true),
        ] {
            assert_eq!(now.may_become(new, NOW, false), without, "{now:?} {new:?}");
            assert_eq!(now.may_become(new, NOW, true), with, "{now:?} {new:?}");
        }
    }

    #[test]
    fn a_default_counts_from_the_write() {
        let default = |period| DefaultRetention {
            mode: Mode::Governance,
            period,
        };
        assert_eq!(default(Period::Days(2)).from(NOW).until, Time(1_000 + 2 * DAY_MS));
        assert_eq!(
            default(Period::Years(2)).from(NOW).until,
            Time(1_000 + 730 * DAY_MS)
        );
    }
}
