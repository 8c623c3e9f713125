//! A place in the log, as it is noted elsewhere: `SEQ:HASH`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// An entry's number and its hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The number.
    pub seq: u64,
    /// The SHA-256, in 64 lower-case hexadecimal digits.
    pub hash: String,
}

/// What comes before the first entry.
impl Default for Mark {
    fn default() -> Mark {
        Mark {
            seq: 0,
            hash: "0".repeat(DIGITS),
        }
    }
}

/// The text is no `SEQ:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in the audit log is written SEQ:HASH, with a hash of {DIGITS} hexadecimal digits")]
pub struct NoMark;

impl FromStr for Mark {
    type Err = NoMark;

    fn from_str(text: &str) -> Result<Mark, NoMark> {
        let (seq, hash) = text.split_once(':').ok_or(NoMark)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_number = seq.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || hash.len() != DIGITS || !hash.bytes().all(is_digit) {
            return Err(NoMark);
        }
        Ok(Mark {
            seq: seq.parse().map_err(|_| NoMark)?,
            hash: hash.to_owned(),
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_nothing_else_is() {
        let hash = "0123456789abcdef".repeat(4);
        let mark = Mark {
            seq: 17,
            hash: hash.clone(),
        };
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for text in [
            String::new(),
            "1".to_owned(),
            format!("x:{hash}"),
            format!("-1:{hash}"),
            format!("+1:{hash}"),
            format!(":{hash}"),
            format!("1:{}", &hash[1..]),
            format!("1:{}G", &hash[1..]),
        ] {
            assert_eq!(text.parse::<Mark>(), Err(NoMark), "{text}");
        }
    }
}
