//! Which resources a person means who types a part of their address.

use crate::limits::RESOURCE_PATTERN_BYTES_MAX;

/// An address of a resource, the beginning of one that ends with a whole name or key, or either with `*` for any text:
/// `aws_instance.a` also means `aws_instance.a[0]`, and `module.net` all that is in that module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands before the first `*`.
    first: String,
    /// What stands after each.
    rest: Vec<String>,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would mean everything, or nothing.
    #[error("name a resource, such as aws_instance.web")]
    Empty,
    /// It is longer than any address.
    #[error("the name of a resource is longer than {RESOURCE_PATTERN_BYTES_MAX} bytes")]
    TooLong,
}

impl Pattern {
    /// Reads what was typed.
    ///
    /// # Errors
    /// When nothing was, or too much.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > RESOURCE_PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let mut pieces = text.split('*').map(str::to_owned);
        Ok(Pattern {
            first: pieces.next().unwrap_or_default(),
            rest: pieces.collect(),
        })
    }

    /// Whether it means the resource instance at this address.
    #[must_use]
    pub fn matches(&self, address: &str) -> bool {
        let Some(mut left) = address.strip_prefix(self.first.as_str()) else {
            return false;
        };
        let Some((last, between)) = self.rest.split_last() else {
            return is_whole(left);
        };
        for piece in between {
            let Some((_, after)) = left.split_once(piece.as_str()) else {
                return false;
            };
            left = after;
        }
        left.match_indices(last.as_str())
            .any(|(at, found)| is_whole(&left[at + found.len()..]))
    }
}

/// Whether nothing follows, or something below.
fn is_whole(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['.', '['])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pattern_means_what_it_names_and_what_is_below() {
        for (pattern, meant, not_meant) in [
            (
                "aws_instance.a",
                &["aws_instance.a", "aws_instance.a[0]", "aws_instance.a[\"k\"]"][..],
                &["aws_instance.ab", "module.x.aws_instance.a", "aws_instance.b"][..],
            ),
            (
                "aws_instance.a[1]",
                &["aws_instance.a[1]"],
                &["aws_instance.a[10]", "aws_instance.a"],
            ),
            (
                "module.x",
                &["module.x.t.n", "module.x[\"k\"].t.n[2]"],
                &["module.xy.t.n", "t.module.x"],
            ),
            (
                "module.*.t.n",
                &["module.x.t.n[0]", "module.x[\"a.b\"].module.y.t.n"],
                &["module.x.t.nn", "t.n"],
            ),
            ("*.n", &["t.n", "a.n.n"], &["t.nn"]),
            (
                "aws_*",
                &["aws_instance.a", "aws_s3_bucket.b[0]"],
                &["data.aws_x.y"],
            ),
            ("*", &["t.n", ""], &[]),
            ("a**b", &["ab", "axb.c"], &["a", "axbc"]),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert!(
                meant.iter().all(|address| pattern.matches(address)),
                "{pattern:?}"
            );
            assert!(
                !not_meant.iter().any(|address| pattern.matches(address)),
                "{pattern:?}"
            );
        }
    }

    #[test]
    fn nothing_and_too_much_are_no_patterns() {
        assert_eq!(Pattern::parse(""), Err(PatternError::Empty));
        let long = "a".repeat(RESOURCE_PATTERN_BYTES_MAX + 1);
        assert_eq!(Pattern::parse(&long), Err(PatternError::TooLong));
    }
}
