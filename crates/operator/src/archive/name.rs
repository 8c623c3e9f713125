//! Addresses as paths: readable, different for different addresses, and never leading anywhere else.
//!
//! Letters, digits and most marks stay. What file systems cannot hold, or show differently, is percent-encoded, and so
//! are the names that the export itself uses.

use std::path::{Path, PathBuf};

use tidelock_core::Address;

use super::HISTORY;

/// File systems allow 255 bytes a name.
const NAME_BYTES_MAX: usize = 200;

/// What follows a piece of a name that was too long; the rest is the next directory. No other name ends so.
const GOES_ON: &str = "%+";

/// What stands for an empty piece, as `a//b` has one. No other name is this.
const EMPTY: &str = "%";

/// The directory of a state.
pub(super) fn place(root: &Path, address: &Address) -> PathBuf {
    let mut path = root.join(address.bucket());
    for piece in address.key().split('/') {
        let name = encoded(piece);
        let mut rest = name.as_str();
        while rest.len() > NAME_BYTES_MAX {
            let (first, more) = rest.split_at(boundary(rest));
            path.push(format!("{first}{GOES_ON}"));
            rest = more;
        }
        path.push(rest);
    }
    path
}

fn encoded(piece: &str) -> String {
    if piece.is_empty() {
        return EMPTY.to_owned();
    }
    // `.` and `..` are steps, and our own files must not meet a directory of their name.
    let is_step = piece.chars().all(|c| c == '.');
    let lower = piece.to_ascii_lowercase();
    let number = lower.strip_suffix(".tfstate").unwrap_or_default();
    let is_version = number.len() >= 6 && number.bytes().all(|b| b.is_ascii_digit());
    let is_special = is_step || is_version || lower == HISTORY;
    let mut name = String::new();
    for (at, byte) in piece.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~=+,:@!()[]{}#$&;^'".contains(&byte);
        match is_plain && !(at == 0 && is_special) {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

/// Where a long name is cut: not within an encoded byte.
fn boundary(name: &str) -> usize {
    let last = name[..NAME_BYTES_MAX]
        .rfind('%')
        .filter(|at| at + 3 > NAME_BYTES_MAX);
    last.unwrap_or(NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    fn of(key: &str) -> String {
        let path = place(Path::new("out"), &Address::new("tfstate", key).unwrap());
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn an_ordinary_key_is_its_own_path() {
        for key in [
            "network/terraform.tfstate",
            "env:/review-1/app.tfstate",
            "a@b+c=d",
        ] {
            assert_eq!(of(key), format!("out/tfstate/{key}"));
        }
    }

    #[test]
    fn no_key_leads_out_or_meets_a_file_of_the_export() {
        for (key, path) in [
            ("../../etc/passwd", "%2E./%2E./etc/passwd"),
            ("./a", "%2E/a"),
            ("/etc", "%/etc"),
            ("a//", "a/%/%"),
            ("a\\b\n\u{202e}", "a%5Cb%0A%E2%80%AE"),
            ("%2e%2e/%", "%252e%252e/%25"),
            ("history.json", "%68istory.json"),
            ("a/000001.tfstate", "a/%3000001.tfstate"),
            ("HISTORY.json/1.tfstate", "%48ISTORY.json/1.tfstate"),
        ] {
            assert_eq!(of(key), format!("out/tfstate/{path}"));
        }
    }

    #[test]
    fn different_keys_have_different_paths_however_long() {
        let long = "ü".repeat(300);
        let keys = [
            "a",
            "a/",
            "/a",
            "//a",
            "a//b",
            "a/b",
            ".",
            "..",
            "...",
            "%",
            "%25",
            "%+",
            "x%+/y",
            "é",
            "e\u{301}",
            "history.json",
            "%68istory.json",
            "History.json",
            &long,
            &long[..598],
            &"y".repeat(1_024),
        ];
        let paths: HashSet<String> = keys.iter().map(|key| of(key)).collect();
        assert_eq!(paths.len(), keys.len());
        for path in paths {
            assert!(
                path.split('/')
                    .all(|name| !name.is_empty() && name.len() <= 255 && name != ".."),
                "{path}"
            );
        }
    }
}
