//! Cuts the text of an expression into tokens.

use std::ops::Range;

/// What a token is; its text is in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An attribute name, a keyword or a function name.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    /// A list index.
    Index,
    /// An operator or punctuation.
    Sign,
    /// The end of the text.
    End,
    /// A character that begins no token.
    Unknown,
}

/// One token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

/// The tokens of `text`, the last of which is [`Kind::End`]; whatever begins no token is one of its own, for the
/// parser to refuse.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        if first.is_ascii_whitespace() {
            start += 1;
            continue;
        }
        let (kind, length) = next_token(&text[start..], first);
        tokens.push(Token {
            kind,
            at: start..start + length,
        });
        start += length;
    }
    tokens.push(Token {
        kind: Kind::End,
        at: text.len()..text.len(),
    });
    tokens
}

fn next_token(rest: &str, first: char) -> (Kind, usize) {
    let run = |from: usize, belongs: fn(u8) -> bool| {
        from + rest.bytes().skip(from).take_while(|&byte| belongs(byte)).count()
    };
    let in_name: fn(u8) -> bool = |byte| byte.is_ascii_alphanumeric() || byte == b'_';
    match first {
        'a'..='z' | 'A'..='Z' => (Kind::Word, run(0, in_name)),
        '#' if run(1, in_name) > 1 => (Kind::Name, run(1, in_name)),
        ':' if run(1, in_name) > 1 => (Kind::Value, run(1, in_name)),
        '0'..='9' => (Kind::Index, run(0, |byte| byte.is_ascii_digit())),
        '<' if rest.starts_with("<>") || rest.starts_with("<=") => (Kind::Sign, 2),
        '>' if rest.starts_with(">=") => (Kind::Sign, 2),
        '<' | '>' | '=' | '(' | ')' | '[' | ']' | ',' | '.' | '+' | '-' => (Kind::Sign, 1),
        other => (Kind::Unknown, other.len_utf8()),
    }
}
