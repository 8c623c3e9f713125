//! A text of a policy that is compared with one of a request: wildcards and policy variables.
//!
//! Source: "IAM policy elements: Variables and tags" and "Resource" in the IAM User Guide.

use super::request::Keys;
use crate::limits::POLICY_STRING_BYTES_MAX;

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Whether `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// Whether `${...}` is a variable, as in Version 2012-10-17.
    pub(super) variables: bool,
}

/// A text that was read.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// What it begins with: by this most texts are told apart.
    head: Box<str>,
    /// What follows; the first is no text.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `?`: one character.
    One,
    /// `*`: any characters, also none.
    Any,
    /// `${key}` or `${key, 'default'}`.
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Pattern {
    /// Reads a text; the message says what is wrong with it.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Pattern, String> {
        if text.len() > POLICY_STRING_BYTES_MAX {
            return Err(format!("is longer than {POLICY_STRING_BYTES_MAX} bytes"));
        }
        let mut pieces = Pieces::default();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let (this, after) = rest.split_at(letter.len_utf8());
            rest = after;
            match letter {
                '*' if syntax.wildcards => pieces.push(Piece::Any),
                '?' if syntax.wildcards => pieces.push(Piece::One),
                '$' if syntax.variables && after.starts_with('{') => {
                    let (inside, after) = inside_braces(&after[1..])
                        .ok_or_else(|| format!("{text:?} has a ${{ without its closing brace"))?;
                    rest = after;
                    pieces.variable(inside)?;
                }
                _ => pieces.text(this),
            }
        }
        Ok(Pattern::of(pieces.0))
    }

    fn of(mut pieces: Vec<Piece>) -> Pattern {
        let mut head = String::new();
        if let Some(Piece::Text(text)) = pieces.first_mut() {
            head = std::mem::take(text);
            pieces.remove(0);
        }
        Pattern {
            head: head.into(),
            pieces,
        }
    }

    /// Whether it means one text, the same in every request.
    pub(super) fn is_fixed(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Whether it means ARNs of one account: the fifth part.
    pub(super) fn has_fixed_account(&self) -> bool {
        let mut parts: Vec<_> = self.head.split(':').map(|text| Some(text.to_owned())).collect();
        for piece in &self.pieces {
            let Piece::Text(text) = piece else {
                parts.pop();
                parts.push(None);
                continue;
            };
            let mut texts = text.split(':');
            if let (Some(Some(part)), Some(more)) = (parts.last_mut(), texts.next()) {
                part.push_str(more);
            }
            parts.extend(texts.map(|text| Some(text.to_owned())));
        }
        parts.len() > ARN_COLONS
            && parts[ARN_COLONS - 1]
                .as_ref()
                .is_some_and(|account| !account.is_empty())
    }

    /// Whether all it means is what has this ARN, something behind it and a slash, or both by a `*`.
    pub(super) fn is_of(&self, arn: &str) -> bool {
        let both = || matches!(self.pieces.first(), None | Some(Piece::Any));
        let rest = self.head.strip_prefix(arn);
        rest.is_some_and(|rest| rest.starts_with('/') || (rest.is_empty() && both()))
    }

    /// Whether all of its variables have a value.
    pub(super) fn is_resolved(&self, keys: &Keys<'_>) -> bool {
        let resolved = |piece: &Piece| piece.bit(&|key| keys.only(key)).is_some();
        self.pieces.iter().all(resolved)
    }

    /// Whether the text is meant. A variable without a value means nothing at all.
    pub(super) fn matches(&self, text: &str, keys: &Keys<'_>) -> bool {
        self.is_met_by(text, |key| keys.only(key), 0)
    }

    /// The same of texts that differ in case only, for a pattern without wildcards.
    pub(super) fn matches_ignoring_case(&self, text: &str, keys: &Keys<'_>) -> bool {
        let mut own = self.head.to_lowercase();
        for piece in &self.pieces {
            match piece.bit(&|key| keys.only(key)) {
                Some(Bit::Text(more)) => own.push_str(&more.to_lowercase()),
                Some(Bit::One | Bit::Any) | None => return false,
            }
        }
        own == text.to_lowercase()
    }

    /// Whether an ARN is meant: each of its six parts for itself, so that no wildcard reaches over one of the first five colons.
    pub(super) fn matches_arn(&self, arn: &str, keys: &Keys<'_>) -> bool {
        if self.head.is_empty() && self.pieces == [Piece::Any] {
            return true;
        }
        let last_colon = arn.match_indices(':').nth(ARN_COLONS - 1);
        last_colon.is_some_and(|(at, _)| self.is_met_by(arn, |key| keys.only(key), at + 1))
    }

    fn is_met_by<'a>(
        &'a self,
        text: &'a str,
        value: impl Fn(&str) -> Option<&'a str>,
        free_from: usize,
    ) -> bool {
        text.starts_with(&*self.head)
            && match self.pieces.as_slice() {
                [] => text.len() == self.head.len(),
                [Piece::Any] if free_from <= self.head.len() => true,
                pieces => Matcher {
                    pieces,
                    text,
                    value,
                    free_from,
                }
                .matches_from(self.head.len()),
            }
    }
}

/// How many colons part an ARN; those in its last part are of that part.
const ARN_COLONS: usize = 5;

/// A piece, with the value of its variable.
enum Bit<'a> {
    Text(&'a str),
    One,
    Any,
}

impl Piece {
    fn bit<'a>(&'a self, value: &impl Fn(&str) -> Option<&'a str>) -> Option<Bit<'a>> {
        Some(match self {
            Piece::Text(text) => Bit::Text(text),
            Piece::One => Bit::One,
            Piece::Any => Bit::Any,
            Piece::Variable { key, default } => Bit::Text(value(key).or(default.as_deref())?),
        })
    }
}

/// One comparison. It begins anew from the last `*` only whenever the text does not fit: none before it could do better, so
/// that all takes at most the product of both lengths. That also holds where wildcards must not reach over colons, as
/// each colon then has its one place.
struct Matcher<'a, V> {
    pieces: &'a [Piece],
    text: &'a str,
    /// The value of a variable's key.
    value: V,
    /// Before this byte, no wildcard stands for a colon.
    free_from: usize,
}

impl<'a, V: Fn(&str) -> Option<&'a str>> Matcher<'a, V> {
    fn matches_from(&self, start: usize) -> bool {
        let (mut next, mut at) = (0, start);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let rest = &self.text[at..];
            let fits = match self.pieces.get(next) {
                None if rest.is_empty() => return true,
                None => None,
                Some(piece) => match piece.bit(&self.value) {
                    None => return false,
                    Some(Bit::Any) => {
                        star = Some((next + 1, at));
                        Some(0)
                    }
                    Some(Bit::One) => self.wild_at(at),
                    Some(Bit::Text(own)) => rest.starts_with(own).then_some(own.len()),
                },
            };
            if let Some(bytes) = fits {
                next += 1;
                at += bytes;
                continue;
            }
            let Some((after, from)) = star else {
                return false;
            };
            let Some(bytes) = self.wild_at(from) else {
                return false;
            };
            star = Some((after, from + bytes));
            (next, at) = (after, from + bytes);
        }
    }

    /// The bytes of the character there, if a wildcard may stand for it.
    fn wild_at(&self, at: usize) -> Option<usize> {
        let letter = self.text[at..].chars().next()?;
        (letter != ':' || at >= self.free_from).then_some(letter.len_utf8())
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn push(&mut self, piece: Piece) {
        // Two of them mean what one does.
        if !(piece == Piece::Any && self.0.last() == Some(&Piece::Any)) {
            self.0.push(piece);
        }
    }

    fn variable(&mut self, inside: &str) -> Result<(), String> {
        // The way to write these three as themselves.
        if matches!(inside, "*" | "?" | "$") {
            self.text(inside);
            return Ok(());
        }
        let variable = variable(inside).ok_or_else(|| {
            format!("${{{inside}}} is no policy variable, such as ${{aws:username}} or ${{aws:PrincipalTag/team, 'none'}}")
        })?;
        self.push(variable);
        Ok(())
    }

    fn text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push_str(more),
            _ => self.0.push(Piece::Text(more.to_owned())),
        }
    }
}

/// What stands before the closing brace, which may itself stand in the quoted default; and what follows it.
fn inside_braces(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '}' if !quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn variable(inside: &str) -> Option<Piece> {
    let (key, default) = match inside.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key, Some(quoted.to_owned()))
        }
        None => (inside, None),
    };
    let key = key.trim();
    let whole = key
        .split_once(':')
        .is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty());
    let clean = !key.contains(['$', '{', '}', '\'', '*', '?']);
    (whole && clean).then(|| Piece::Variable {
        key: key.to_ascii_lowercase(),
        default,
    })
}
