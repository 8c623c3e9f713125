//! The comparison of two JSON values, level by level; what is the same text is never looked into.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Kind, Sensitive, Value, ValueChange,
    path::{self, Step},
    sensitive::Marks,
};
use crate::limits::DIFF_DEPTH_MAX;

/// The members of a JSON object; the last of a repeated name counts, as in Go's encoding/json.
pub(super) type Object<'a> = BTreeMap<Text<'a>, &'a RawValue>;

/// A string that borrows from the input unless escapes forbid it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The value as an object, if it is one.
pub(super) fn object(raw: &RawValue) -> Option<Object<'_>> {
    raw.get()
        .starts_with('{')
        .then(|| serde_json::from_str(raw.get()).ok())?
}

/// The value as an array, if it is one.
pub(super) fn array(raw: &RawValue) -> Option<Vec<&RawValue>> {
    raw.get()
        .starts_with('[')
        .then(|| serde_json::from_str(raw.get()).ok())?
}

/// The value as a string, if it is one.
pub(super) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw
        .get()
        .starts_with('"')
        .then(|| serde_json::from_str(raw.get()).ok())?;
    text.map(|Text(text)| text)
}

/// A value is nested more deeply than [`DIFF_DEPTH_MAX`].
#[derive(Debug)]
pub(super) struct TooDeep;

/// One comparison under way: of an instance or an output.
pub(super) struct Comparison<'a, 'r> {
    /// What is sensitive here.
    pub(super) marks: Marks<'a>,
    /// What to do with it.
    pub(super) sensitive: Sensitive,
    /// How many values may still be listed, in the whole diff.
    pub(super) room: &'r mut usize,
    /// The values found so far.
    pub(super) found: Vec<ValueChange>,
    /// How many more there are.
    pub(super) omitted: usize,
    path: Vec<Step<'a>>,
}

impl<'a, 'r> Comparison<'a, 'r> {
    pub(super) fn new(marks: Marks<'a>, sensitive: Sensitive, room: &'r mut usize) -> Self {
        Comparison {
            marks,
            sensitive,
            room,
            found: Vec::new(),
            omitted: 0,
            path: Vec::new(),
        }
    }

    /// Compares what stands at one step below the current path; absent and `null` are the same.
    pub(super) fn step(
        &mut self,
        step: Step<'a>,
        old: Option<&'a RawValue>,
        new: Option<&'a RawValue>,
    ) -> Result<(), TooDeep> {
        let there = |value: &&'a RawValue| value.get() != "null";
        self.path.push(step);
        let outcome = self.values(old.filter(there), new.filter(there));
        self.path.pop();
        outcome
    }

    /// The same as [`Self::step`], of a value that is sensitive whatever the marks say.
    pub(super) fn sealed(
        &mut self,
        step: Step<'a>,
        old: Option<&'a RawValue>,
        new: Option<&'a RawValue>,
    ) -> Result<(), TooDeep> {
        let marks = std::mem::replace(&mut self.marks, Marks::all());
        let outcome = self.step(step, old, new);
        self.marks = marks;
        outcome
    }

    /// Compares two values at the current path.
    pub(super) fn values(
        &mut self,
        old: Option<&'a RawValue>,
        new: Option<&'a RawValue>,
    ) -> Result<(), TooDeep> {
        let (Some(old), Some(new)) = (old, new) else {
            return self.note(old, new);
        };
        if old.get() == new.get() {
            return Ok(());
        }
        if self.path.len() > DIFF_DEPTH_MAX {
            return Err(TooDeep);
        }
        if let (Some(old), Some(new)) = (object(old), object(new)) {
            return self.objects(&old, &new);
        }
        if let (Some(old), Some(new)) = (array(old), array(new)) {
            return self.arrays(&old, &new);
        }
        match (string(old), string(new)) {
            (Some(old), Some(new)) if old == new => Ok(()),
            _ => self.note(Some(old), Some(new)),
        }
    }

    /// Compares the members of two objects, by name.
    pub(super) fn objects(&mut self, old: &Object<'a>, new: &Object<'a>) -> Result<(), TooDeep> {
        for (name, old, new) in side_by_side(old, new) {
            self.step(Step::Key(name.0.clone()), old.copied(), new.copied())?;
        }
        Ok(())
    }

    /// Compares two lists: what is the same at both ends is set aside, so that an element inserted into a long list is
    /// one addition, and the rest is taken in pairs. (In a state a set is a list in a stable order.)
    fn arrays(&mut self, old: &[&'a RawValue], new: &[&'a RawValue]) -> Result<(), TooDeep> {
        let same = |(old, new): &(&&RawValue, &&RawValue)| old.get() == new.get();
        let head = old.iter().zip(new).take_while(same).count();
        let (old, new) = (&old[head..], &new[head..]);
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
        for at in 0..old.len().max(new.len()) {
            self.path.push(Step::Index(head + at));
            let outcome = self.values(old.get(at).copied(), new.get(at).copied());
            self.path.pop();
            outcome?;
        }
        Ok(())
    }

    /// Lists a difference, if there is one and there is room.
    fn note(&mut self, old: Option<&RawValue>, new: Option<&RawValue>) -> Result<(), TooDeep> {
        let kind = match (old, new) {
            (None, None) => return Ok(()),
            (None, Some(_)) => Kind::Added,
            (Some(_), Some(_)) => Kind::Changed,
            (Some(_), None) => Kind::Removed,
        };
        if *self.room == 0 {
            self.omitted += 1;
            return Ok(());
        }
        *self.room -= 1;
        let sensitive = self.marks.touch(&self.path);
        let seen = !sensitive || self.sensitive == Sensitive::Show;
        let levels = DIFF_DEPTH_MAX.saturating_sub(self.path.len());
        let shown = |raw: Option<&RawValue>| raw.filter(|_| seen).map(|raw| compact(raw, levels)).transpose();
        self.found.push(ValueChange {
            path: path::written(&self.path),
            kind,
            sensitive,
            old: shown(old)?,
            new: shown(new)?,
        });
        Ok(())
    }
}

/// The entries of two maps in the order of their keys, those of one key together.
pub(super) fn side_by_side<'m, K: Ord, V>(
    old: &'m BTreeMap<K, V>,
    new: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, Option<&'m V>, Option<&'m V>)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let old = order.is_le().then(|| old.next()).flatten();
        let new = order.is_ge().then(|| new.next()).flatten();
        let (key, _) = old.or(new)?;
        Some((key, old.map(|(_, value)| value), new.map(|(_, value)| value)))
    })
}

/// The value without the spaces between its tokens.
pub(super) fn compact(raw: &RawValue, levels: usize) -> Result<Value, TooDeep> {
    let mut text = String::with_capacity(raw.get().len());
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    for c in raw.get().chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            match c {
                ' ' | '\n' | '\r' | '\t' => continue,
                '"' => quoted = true,
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
            if depth > levels {
                return Err(TooDeep);
            }
        }
        text.push(c);
    }
    // Taking space from between the tokens of a JSON value leaves a JSON value.
    RawValue::from_string(text).map(Value).map_err(|_| TooDeep)
}
