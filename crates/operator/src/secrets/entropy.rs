//! Texts that look random, and texts under a name that says secret: what no mark and no known form gives away.
//!
//! States are full of random texts that are no secrets: identifiers, digests, certificates. So the attribute's name counts as
//! much as the text itself.

/// The least bits a character that a text under a secret's name has: below are words such as `none`.
const NAMED_BITS_MIN: f64 = 2.0;

/// Shortest text under such a name that counts, in bytes.
const NAMED_BYTES_MIN: usize = 6;

/// The least of the same for a name that only mentions a secret, such as `auth_token_status`.
const MENTIONED_BITS_MIN: f64 = 3.0;
const MENTIONED_BYTES_MIN: usize = 12;

/// Shortest and longest word that counts by its looks alone: keys are longer than 24 characters, what is longer than 128 is
/// a certificate, a public key, a program.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 24..=128;

/// Names that say secret when they end so.
const SECRET: [&str; 21] = [
    "accesskey",
    "accountkey",
    "apikey",
    "authkey",
    "clientkey",
    "connectionstring",
    "credential",
    "credentials",
    "encryptionkey",
    "masterkey",
    "passphrase",
    "passwd",
    "password",
    "primarykey",
    "privatekey",
    "secondarykey",
    "secret",
    "secretkey",
    "sharedkey",
    "signingkey",
    "token",
];

/// Names that say something else when they end so, whatever they mention: `secret_arn`, `token_url`, `source_code_hash`.
const PUBLIC: [&str; 40] = [
    "algorithm",
    "arn",
    "arns",
    "at",
    "body",
    "certificate",
    "chain",
    "checksum",
    "ciphertext",
    "count",
    "date",
    "description",
    "digest",
    "domain",
    "endpoint",
    "etag",
    "fingerprint",
    "hash",
    "id",
    "identifier",
    "ids",
    "md5",
    "mode",
    "name",
    "names",
    "path",
    "pem",
    "policy",
    "prefix",
    "publickey",
    "sha1",
    "sha256",
    "status",
    "strategy",
    "thumbprint",
    "type",
    "uri",
    "url",
    "version",
    "zone",
];

/// Whether the text under these names is a secret by its looks.
pub(super) fn is_secret(names: &[&str], text: &str) -> bool {
    // The keys of a map are names too: `environment.DB_PASSWORD`; elements of a list have that of the list.
    let name = names.last().copied().unwrap_or_default();
    if ends_with_any(name, &PUBLIC) || is_reference(text) {
        return false;
    }
    let is_one = !text.contains(char::is_whitespace);
    if ends_with_any(name, &SECRET) {
        return text.len() >= NAMED_BYTES_MIN && bits(text) >= NAMED_BITS_MIN;
    }
    if is_one && mentions_any(name) {
        return text.len() >= MENTIONED_BYTES_MIN && bits(text) >= MENTIONED_BITS_MIN && classes(text) >= 2;
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "+/_-=".contains(c);
    text.split(|c: char| !is_of_word(c)).any(is_random)
}

/// Whether it says where a secret is, not what it is.
fn is_reference(text: &str) -> bool {
    let beginnings = [
        "arn:",
        "/",
        "https://",
        "http://",
        "vault:",
        "projects/",
        "ssh-",
        "${",
        "{{",
    ];
    beginnings.iter().any(|beginning| text.starts_with(beginning))
}

/// A word without the marks that join words, in lower case: `apiKey`, `api-key` and `API_KEY` are the same.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the name ends with one of these words, and not in the middle of another.
fn ends_with_any(name: &str, words: &[&str]) -> bool {
    let whole = plain(name);
    words.iter().any(|word| {
        whole.strip_suffix(word).is_some_and(|before| {
            // Short ones end other words too: `format` is no `at`.
            word.len() > 4 || before.is_empty() || begins_a_word(name, word.len())
        })
    })
}

/// Whether the last `length` characters of a name begin behind a mark or with a capital.
fn begins_a_word(name: &str, length: usize) -> bool {
    let letters: Vec<char> = name.chars().collect();
    let Some(at) = letters.len().checked_sub(length) else {
        return false;
    };
    let before = at.checked_sub(1).map(|at| letters[at]);
    before.is_none_or(|c| {
        !c.is_ascii_alphanumeric() || (letters[at].is_ascii_uppercase() && c.is_ascii_lowercase())
    })
}

fn mentions_any(name: &str) -> bool {
    let whole = plain(name);
    SECRET.iter().any(|word| whole.contains(word))
}

/// Whether a word has the looks of a key in base64: all three kinds of characters, well mixed, hardly one twice.
fn is_random(word: &str) -> bool {
    let word = word.trim_end_matches('=');
    if !WORD_BYTES.contains(&word.len()) || classes(word) < 3 {
        return false;
    }
    // What OpenSSH's public keys begin with.
    if word.starts_with("AAAA") {
        return false;
    }
    let kinds: Vec<_> = word.bytes().map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let most = f64::from(u32::try_from(word.len().min(64)).unwrap_or(64)).log2();
    changes * 5 >= word.len() * 2 && bits(word) >= most * 0.86
}

/// The kind of a character: none, digit, small or capital letter.
fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        _ => 0,
    }
}

/// How many kinds of characters it has: digits, small letters, capitals.
fn classes(text: &str) -> usize {
    (1..=3)
        .filter(|wanted| text.bytes().any(|byte| kind(byte) == *wanted))
        .count()
}

/// Shannon's entropy in bits a character.
#[allow(clippy::cast_precision_loss)]
fn bits(text: &str) -> f64 {
    let mut counts = [0_usize; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let all = text.len() as f64;
    let each = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = *count as f64 / all;
        -share * share.log2()
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_text_is_a_secret_by_its_looks_and_an_identifier_is_none() {
        for secret in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEX4M9LeK3",
            "dGhpc0lzTm90QVJlYWxLZXk1MjM0NTY3ODkwQUJD",
            "k8Zt2QpVx91LmNcR7sYbTfWd",
            "export KEY=Zx81kQpVt2LmNcR7sYbTfWdQ3h && run",
        ] {
            assert!(is_secret(&["value"], secret), "{secret}");
        }
        for other in [
            "arn:aws:iam::418272790583:role/KlG82nHdxQ0LmNcR7sYbTfWd",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "0b6e5a5c-6c8e-4a77-9b5a-2f6f0d3a9c11",
            "AmazonEKSClusterPolicyForProductionUse2",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGsk9dT2mQxVbP7LrY4nZcKwE1hUaJ8oRfS0gX6vDiBq",
            "module.network.aws_subnet.private[\"eu-central-1a\"]",
            "The quick brown fox jumps over 13 lazy dogs",
        ] {
            assert!(!is_secret(&["value"], other), "{other}");
        }
    }

    #[test]
    fn a_name_that_says_secret_makes_one_of_a_weak_text() {
        for (name, text) in [
            ("password", "hunter2"),
            ("DB_PASSWORD", "changeme"),
            ("apiKey", "abcdef123"),
            ("auth_token_value", "tok-81723-kjhas"),
            ("secret", "0123456789abcdef"),
        ] {
            assert!(is_secret(&["env", name], text), "{name} {text}");
        }
        for (name, text) in [
            ("secret_arn", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
            ("secret_id", "prod/database/Zx81kQpVt2LmNcR7sYbTfWdQ3h"),
            ("source_code_hash", "K7MDENGbPxRfiCYzEXwJalrXUtnFEMIK7MDENGbPxRf="),
            ("token_type", "Bearer-and-more-1"),
            ("auth_token_update_strategy", "ROTATE"),
            ("password", "none"),
            ("password", "/prod/db/password"),
        ] {
            assert!(!is_secret(&[name], text), "{name} {text}");
        }
    }
}
