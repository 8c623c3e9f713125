//! Root keys as text: one a line, the current one first, those behind it only open what they sealed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tidelock_core::limits::{ROOT_KEY_TEXT_BYTES_MAX, ROOT_KEYS_MAX};
use zeroize::Zeroizing;

/// Bytes of a root key: AES-256's.
pub(super) const KEY_BYTES: usize = 32;

/// A root key; its bytes leave the memory with it.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// What is wrong with a text of keys. Never says what stands there: it may be a key with a slip of the pen.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("there is no key in it")]
    Empty,
    #[error("line {0} is no key: a key is 64 hexadecimal digits, or 32 bytes in Base64")]
    Line(usize),
    #[error("lines {first} and {second} are the same key")]
    Twice { first: usize, second: usize },
    #[error("it holds more than {ROOT_KEYS_MAX} keys")]
    TooMany,
    #[error("it is longer than {ROOT_KEY_TEXT_BYTES_MAX} bytes")]
    TooLong,
}

/// The keys of a text, the current one first. Blank lines and lines that begin with `#` are skipped.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Key>, TextError> {
    let mut keys: Vec<(usize, Key)> = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let key = key(line).ok_or(TextError::Line(number))?;
        if let Some((first, _)) = keys.iter().find(|(_, other)| *other == key) {
            return Err(TextError::Twice {
                first: *first,
                second: number,
            });
        }
        if keys.len() == ROOT_KEYS_MAX {
            return Err(TextError::TooMany);
        }
        keys.push((number, key));
    }
    if keys.is_empty() {
        return Err(TextError::Empty);
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// The text that holds these keys.
pub(super) fn written<'a>(keys: impl IntoIterator<Item = &'a [u8; KEY_BYTES]>) -> Zeroizing<String> {
    // Reserved at once: a text that grows leaves its former self in the memory.
    let mut text = Zeroizing::new(String::with_capacity(ROOT_KEY_TEXT_BYTES_MAX));
    for key in keys {
        text.push_str(&Zeroizing::new(hex::encode(key)));
        text.push('\n');
    }
    text
}

fn key(line: &[u8]) -> Option<Key> {
    let mut key = Key::default();
    if line.len() == 2 * KEY_BYTES {
        hex::decode_to_slice(line, key.as_mut()).ok()?;
        return Some(key);
    }
    // The decoder asks for room for three bytes of every four characters, padding or not.
    let mut decoded = Zeroizing::new([0; KEY_BYTES + 1]);
    let bytes = match line.len() {
        44 => STANDARD.decode_slice(line, decoded.as_mut()).ok()?,
        _ => return None,
    };
    key.copy_from_slice(decoded.get(..bytes)?.first_chunk::<KEY_BYTES>()?);
    (bytes == KEY_BYTES).then_some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bytes(keys: &[Key]) -> Vec<[u8; KEY_BYTES]> {
        keys.iter().map(|key| **key).collect()
    }

    #[test]
    fn the_first_line_is_the_current_key_in_hexadecimal_or_base64() {
        let (one, two, three) = ([1; 32], [0xfe; 32], [7; 32]);
        let text = format!(
            "# made on Monday\r\n\n  {}\t\r\n#{}\n{}\n{}",
            hex::encode_upper(one),
            hex::encode(three),
            STANDARD.encode(two),
            hex::encode(three)
        );
        assert_eq!(bytes(&parse(text.as_bytes()).unwrap()), [one, two, three]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let keys = [[1; 32], [2; 32]];
        assert_eq!(bytes(&parse(written(&keys).as_bytes()).unwrap()), keys);
        assert_eq!(written(&keys).lines().next().unwrap(), hex::encode(keys[0]));
    }

    #[test]
    fn anything_else_is_refused_with_its_line_and_never_quoted() {
        let good = hex::encode([1; 32]);
        let base64 = STANDARD.encode([2; 32]);
        for bad in [
            &good[1..],
            &format!("{good}0"),
            &format!("{good} # a comment"),
            &format!("0x{}", &good[2..]),
            &good.replacen('0', "g", 1),
            &base64[..43],
            &base64.replace('=', "A"),
            &STANDARD.encode([2; 31]),
            &STANDARD.encode([2; 33]),
            "ключ",
            "\0",
        ] {
            let text = format!("# one\n{}\n{bad}\n", hex::encode([3; 32]));
            let refused = parse(text.as_bytes()).unwrap_err();
            assert_eq!(refused, TextError::Line(3), "{bad}");
            assert!(!refused.to_string().contains(bad), "{refused}");
        }
        assert_eq!(parse(b"\xff\xfe").unwrap_err(), TextError::Line(1));
    }

    #[test]
    fn no_key_the_same_key_twice_and_too_many_are_refused() {
        for empty in ["", "\n\n", "# nothing\n"] {
            assert_eq!(parse(empty.as_bytes()).unwrap_err(), TextError::Empty);
        }
        let twice = format!("{}\n\n{}\n", hex::encode([9; 32]), STANDARD.encode([9; 32]));
        let expected = TextError::Twice { first: 1, second: 3 };
        assert_eq!(parse(twice.as_bytes()).unwrap_err(), expected);
        let many: Vec<[u8; 32]> = (0..=ROOT_KEYS_MAX).map(|at| [at as u8; 32]).collect();
        let text = written(&many);
        assert_eq!(parse(text.as_bytes()).unwrap_err(), TextError::TooMany);
        assert!(
            text.len() <= ROOT_KEY_TEXT_BYTES_MAX,
            "as many as are allowed fit"
        );
    }
}
