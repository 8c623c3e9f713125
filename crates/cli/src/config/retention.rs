//! `[[retention]]`: how long old versions are kept.

use std::num::NonZero;

use jiff::{Span, SpanRelativeTo};
use serde::Deserialize;
use tidelock_service::{Retention, Rule};

use crate::exit::{Failure, Status};

/// One of these tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    prefix: String,
    keep: Option<NonZero<usize>>,
    keep_for: Option<Span>,
}

/// The rules that the tables are.
pub(super) fn retention(tables: Vec<Table>) -> Result<Retention, Failure> {
    let rules = (1..).zip(tables).map(|(number, table)| {
        let keep_for_ms = table.keep_for.map(|span| keep_for_ms(number, span)).transpose()?;
        Ok(Rule {
            prefix: table.prefix,
            keep: table.keep,
            keep_for_ms,
        })
    });
    let rules = rules.collect::<Result<_, Failure>>()?;
    Retention::new(rules).map_err(|why| Failure::new(Status::Usage, why))
}

fn keep_for_ms(number: usize, span: Span) -> Result<i64, Failure> {
    // A day is 24 hours and a week seven of them; how long a month is depends on when.
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok();
    let ms = length.and_then(|length| i64::try_from(length.as_millis()).ok());
    ms.ok_or_else(|| {
        let message = format!(
            "[[retention]] {number}: `keep_for` is a time in weeks, days, hours or less, such as 90d"
        );
        Failure::new(Status::Usage, message)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidelock_core::Address;

    use super::*;

    #[derive(Deserialize)]
    struct File {
        retention: Vec<Table>,
    }

    /// What the rule for an address says, else what is wrong with the file.
    fn rule(text: &str) -> Result<Rule, String> {
        let file: File = toml::from_str(text).map_err(|why| why.to_string())?;
        let retention = retention(file.retention).map_err(|failure| {
            assert_eq!(failure.status, Status::Usage);
            failure.error.to_string()
        })?;
        let address = Address::new("tfstate", "env:/review-1/a").unwrap();
        Ok(retention.rule_for(&address).cloned().unwrap())
    }

    #[test]
    fn a_table_says_how_many_and_how_long() {
        const HOUR_MS: i64 = 60 * 60 * 1_000;
        for (text, ms) in [
            ("90d", 90 * 24 * HOUR_MS),
            ("12h", 12 * HOUR_MS),
            ("2w", 14 * 24 * HOUR_MS),
            ("1w 1d", 8 * 24 * HOUR_MS),
            ("90 days", 90 * 24 * HOUR_MS),
        ] {
            let text =
                format!("[[retention]]\nprefix = 'tfstate/env:/review-'\nkeep = 7\nkeep_for = '{text}'");
            let rule = rule(&text).unwrap();
            assert_eq!(
                (rule.keep.unwrap().get(), rule.keep_for_ms),
                (7, Some(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_table_that_cannot_be_meant_is_refused_where_it_stands() {
        let good = "[[retention]]\nprefix = 'tfstate'\nkeep = 1\n[[retention]]\n";
        for (bad, expected) in [
            ("keep = 1", "missing field `prefix`"),
            ("prefix = 'tfstate/a'", "[[retention]] 2 (tfstate/a) says neither"),
            ("prefix = 'tfstate'\nkeep = 1", "[[retention]] 1 and 2 are both"),
            ("prefix = 'A/b'\nkeep = 1", "[[retention]] 2: the prefix"),
            ("prefix = 'tfstate/a'\nkeep = 0", "line 6"),
            ("prefix = 'tfstate/a'\nkeep = -1", "line 6"),
            ("prefix = 'tfstate/a'\nkeep = '7'", "line 6"),
            ("prefix = 'tfstate/a'\nkeep_for = 90", "line 6"),
            ("prefix = 'tfstate/a'\nkeep_for = '90'", "line 6"),
            ("prefix = 'tfstate/a'\nkeep_for = ''", "line 6"),
            (
                "prefix = 'tfstate/a'\nkeep_fro = '1d'",
                "unknown field `keep_fro`",
            ),
            (
                "prefix = 'tfstate/a'\nkeep_for = '0d'",
                "[[retention]] 2 (tfstate/a): `keep_for`",
            ),
            (
                "prefix = 'tfstate/a'\nkeep_for = '-1d'",
                "[[retention]] 2 (tfstate/a): `keep_for`",
            ),
            (
                "prefix = 'tfstate/a'\nkeep_for = '3 months'",
                "[[retention]] 2: `keep_for`",
            ),
            (
                "prefix = 'tfstate/a'\nkeep_for = '1y'",
                "[[retention]] 2: `keep_for`",
            ),
        ] {
            let refused = rule(&format!("{good}{bad}")).unwrap_err();
            assert!(refused.contains(expected), "{bad}: {refused}");
        }
    }
}
