//! What names, paths, tags and the like may look like. Source: the constraints in the IAM API reference.

use std::collections::BTreeSet;

use super::{IamError, Tags};
use crate::limits::{
    IAM_DESCRIPTION_CHARS_MAX, IAM_PATH_BYTES_MAX, IAM_TAG_KEY_CHARS_MAX, IAM_TAG_VALUE_CHARS_MAX,
    IAM_TAGS_MAX,
};

/// Letters after the four that tell what an ID is of.
const ID_LETTERS: usize = 17;

/// A unique ID: `prefix`, and what `random` draws as letters and digits that cannot be mistaken for one another.
pub(super) fn unique_id(prefix: &str, random: [u8; 16]) -> String {
    letters(prefix, ID_LETTERS, random)
}

/// The ID of a new access key: `AKIA` and sixteen letters.
#[must_use]
pub fn access_key_id(random: [u8; 16]) -> String {
    letters("AKIA", 16, random)
}

fn letters(prefix: &str, count: usize, random: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut drawn = u128::from_be_bytes(random);
    let mut id = prefix.to_owned();
    for _ in 0..count {
        id.push(ALPHABET[(drawn % 32) as usize].into());
        drawn /= 32;
    }
    id
}

/// A name of up to `chars_max` letters, digits and `+=,.@_-`.
pub(super) fn check_name(name: &str, member: &str, chars_max: usize) -> Result<(), IamError> {
    check_length(name, member, 1, chars_max)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    match name.bytes().all(fits) {
        true => Ok(()),
        false => Err(IamError::constraint(
            name,
            member,
            "satisfy regular expression pattern: [\\w+=,.@-]+",
        )),
    }
}

/// `/`, or printable ASCII between two slashes.
pub(super) fn check_path(path: &str) -> Result<(), IamError> {
    check_length(path, "path", 1, IAM_PATH_BYTES_MAX)?;
    let inner = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/').or((rest.is_empty()).then_some("")));
    let printable = |byte: u8| byte.is_ascii_graphic();
    match inner.is_some_and(|inner| inner.bytes().all(printable)) {
        true => Ok(()),
        false => Err(IamError::Validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters \
             and/or / characters."
                .to_owned(),
        )),
    }
}

pub(super) fn check_length(text: &str, member: &str, min: usize, max: usize) -> Result<(), IamError> {
    let chars = text.chars().count();
    if chars < min {
        let constraint = format!("have length greater than or equal to {min}");
        return Err(IamError::constraint(text, member, constraint));
    }
    if chars > max {
        let constraint = format!("have length less than or equal to {max}");
        return Err(IamError::constraint(text, member, constraint));
    }
    Ok(())
}

pub(super) fn check_description(text: &str) -> Result<(), IamError> {
    check_length(text, "description", 0, IAM_DESCRIPTION_CHARS_MAX)?;
    let fits = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    match text.chars().all(fits) {
        true => Ok(()),
        false => Err(IamError::constraint(
            text,
            "description",
            "satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*",
        )),
    }
}

/// Puts `tags` beside those there are.
pub(super) fn tag(tagged: &mut Tags, tags: &[(String, String)]) -> Result<(), IamError> {
    let mut seen = BTreeSet::new();
    for (key, value) in tags {
        check_tag(key, value)?;
        if !seen.insert(key.to_lowercase()) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(IamError::InvalidInput(message.to_owned()));
        }
        // Keys that differ only in case are one key, which keeps the case it is written with last.
        tagged.retain(|other, _| other.to_lowercase() != key.to_lowercase());
        tagged.insert(key.clone(), value.clone());
    }
    match tagged.len() <= IAM_TAGS_MAX {
        true => Ok(()),
        false => Err(IamError::LimitExceeded(format!(
            "The number of tags has reached the maximum limit of {IAM_TAGS_MAX}."
        ))),
    }
}

fn check_tag(key: &str, value: &str) -> Result<(), IamError> {
    check_length(key, "tags.key", 1, IAM_TAG_KEY_CHARS_MAX)?;
    check_length(value, "tags.value", 0, IAM_TAG_VALUE_CHARS_MAX)?;
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if !key.chars().all(fits) {
        let pattern = "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
        return Err(IamError::constraint(key, "tags.key", pattern));
    }
    if !value.chars().all(fits) {
        let pattern = "satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";
        return Err(IamError::constraint(value, "tags.value", pattern));
    }
    match key.to_lowercase().starts_with("aws:") {
        true => Err(IamError::InvalidInput(
            "Tag keys cannot start with aws:, which is reserved.".to_owned(),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_have_the_form_of_awss() {
        let id = unique_id("AIDA", [0xff; 16]);
        assert_eq!((id.len(), &id[..5]), (21, "AIDA7"));
        assert_eq!(access_key_id([0; 16]), "AKIAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn paths_begin_and_end_with_a_slash() {
        for good in ["/", "/a/", "/a/b-c_d.e/", "//"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/a",
            "a/",
            "/a b/",
            "/ä/",
            &format!("/{}/", "a".repeat(511)),
        ] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_one_by_their_key_whatever_its_case() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut tags = Tags::new();
        tag(&mut tags, &[pair("Team", "a")]).unwrap();
        tag(&mut tags, &[pair("team", "b")]).unwrap();
        assert_eq!(tags, Tags::from([pair("team", "b")]));
        for bad in [
            vec![pair("a", ""), pair("A", "")],
            vec![pair("", "")],
            vec![pair("aws:x", "")],
            vec![pair("a", "<")],
        ] {
            assert!(tag(&mut tags, &bad).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..50).map(|number| pair(&format!("k{number}"), "")).collect();
        let full = tag(&mut tags, &many);
        assert!(matches!(full, Err(IamError::LimitExceeded(_))), "{full:?}");
    }
}
