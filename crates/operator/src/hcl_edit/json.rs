//! The change in HCL's JSON syntax.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{Change, Patch, Scope, Unable};

/// The members of an object in their order, each value as it stands in the text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

pub(super) fn patches(text: &str, scope: Scope, change: &Change<'_>) -> Result<Vec<Patch>, Unable> {
    let objects = objects(text, scope)?;
    Ok(objects.iter().filter_map(|object| object.patch(change)).collect())
}

pub(super) fn written(text: &str, scope: Scope, name: &str) -> Result<Vec<Option<String>>, Unable> {
    let of = |object: &Object<'_>| {
        let found = object.members.iter().find(|member| member.name == name)?;
        Some(text[found.value.clone()].to_owned())
    };
    Ok(objects(text, scope)?.iter().map(of).collect())
}

fn objects(text: &str, scope: Scope) -> Result<Vec<Object<'_>>, Unable> {
    let root: &RawValue = serde_json::from_str(text).map_err(|fault| Unable::Syntax {
        line: fault.line(),
        why: "this is no JSON".to_owned(),
    })?;
    let objects = match scope {
        Scope::File => vec![root],
        Scope::Blocks => ["terraform", "backend", "s3"]
            .iter()
            .fold(bodies(root), |outer, name| inner(&outer, name)),
    };
    let objects = objects.into_iter().filter_map(|raw| Object::of(text, raw));
    Ok(objects.collect())
}

/// Whether all that the text says, and no more, is what it said before with the change made.
pub(super) fn agrees(before: &str, after: &str, scope: Scope, change: &Change<'_>) -> bool {
    let parsed = |text| serde_json::from_str::<Value>(text);
    let (Ok(mut expected), Ok(found)) = (parsed(before), parsed(after)) else {
        return false;
    };
    let names: &[&str] = match scope {
        Scope::File => &[],
        Scope::Blocks => &["terraform", "backend", "s3"],
    };
    each(&mut expected, names, &mut |body| make(body, change));
    expected == found
}

fn make(body: &mut Map<String, Value>, change: &Change<'_>) {
    let (name, is_there) = (change.name(), body.contains_key(change.name()));
    let value = change.value().and_then(|value| serde_json::from_str(&value).ok());
    match (value, change) {
        (None, _) => drop(body.remove(name)),
        (Some(_), Change::Replace { .. }) if !is_there => {}
        (Some(value), _) => drop(body.insert(name.to_owned(), value)),
    }
}

/// Does something to every body at the end of a path; a body may be an object, or an array of them.
fn each(value: &mut Value, names: &[&str], work: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, names, work)),
        Value::Object(body) => match names.split_first() {
            None => work(body),
            Some((name, rest)) => {
                if let Some(inner) = body.get_mut(*name) {
                    each(inner, rest, work);
                }
            }
        },
        _ => {}
    }
}

fn bodies(raw: &RawValue) -> Vec<&RawValue> {
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(many) => many.into_iter().flat_map(bodies).collect(),
        Err(_) => vec![raw],
    }
}

fn inner<'a>(outer: &[&'a RawValue], name: &str) -> Vec<&'a RawValue> {
    let members = outer
        .iter()
        .filter_map(|raw| serde_json::from_str::<Members<'a>>(raw.get()).ok());
    let named = members.flat_map(|Members(members)| members);
    named
        .filter(|(key, _)| key == name)
        .flat_map(|(_, value)| bodies(value))
        .collect()
}

/// An object and where its parts stand in the text.
struct Object<'a> {
    text: &'a str,
    range: Range<usize>,
    members: Vec<Member>,
}

struct Member {
    name: String,
    /// Where the separator before the key begins: behind `{` or `,`.
    from: usize,
    /// The key with its quotes.
    key: Range<usize>,
    value: Range<usize>,
}

impl<'a> Object<'a> {
    fn of(text: &'a str, raw: &'a RawValue) -> Option<Object<'a>> {
        let Members(found) = serde_json::from_str(raw.get()).ok()?;
        let range = place(text, raw);
        let (mut members, mut from) = (Vec::new(), range.start + 1);
        for (name, value) in found {
            let value = place(text, value);
            let start = from + blanks(&text[from..]);
            let end = text[..value.start].trim_end().strip_suffix(':')?.trim_end().len();
            members.push(Member {
                name,
                from,
                key: start..end,
                value: value.clone(),
            });
            // Behind the comma, or, of the last one, at a brace that nobody looks for.
            from = value.end + blanks(&text[value.end..]) + 1;
        }
        Some(Object { text, range, members })
    }

    fn patch(&self, change: &Change<'_>) -> Option<Patch> {
        let there = self
            .members
            .iter()
            .position(|member| member.name == change.name());
        match (there, change.value(), change) {
            (Some(at), Some(value), _) => {
                let range = self.members[at].value.clone();
                (self.text[range.clone()] != value).then_some(Patch { range, with: value })
            }
            (Some(at), None, _) => Some(self.without(at)),
            (None, Some(value), Change::Set { name, after, .. }) => Some(self.with(name, &value, after)),
            (None, _, _) => None,
        }
    }

    fn with(&self, name: &str, value: &str, after: &str) -> Patch {
        let named = self.members.iter().find(|member| member.name == after);
        let Some(anchor) = named.or_else(|| self.members.last()) else {
            return Patch {
                range: self.range.clone(),
                with: format!("{{\"{name}\": {value}}}"),
            };
        };
        let separator = match &self.text[anchor.from..anchor.key.start] {
            // The first one has none before it, and may still have one behind its colon.
            "" if anchor.from == self.range.start + 1 => blank_behind_colon(self.text, anchor),
            separator => separator,
        };
        let colon = &self.text[anchor.key.end..anchor.value.start];
        Patch {
            range: anchor.value.end..anchor.value.end,
            with: format!(",{separator}\"{name}\"{colon}{value}"),
        }
    }

    fn without(&self, at: usize) -> Patch {
        let member = &self.members[at];
        let before = at.checked_sub(1).and_then(|before| self.members.get(before));
        let range = match (before, self.members.get(at + 1)) {
            (_, Some(next)) => member.key.start..next.key.start,
            (Some(before), None) => before.value.end..member.value.end,
            (None, None) => self.range.start + 1..self.range.end - 1,
        };
        Patch {
            range,
            with: String::new(),
        }
    }
}

fn blank_behind_colon<'a>(text: &'a str, member: &Member) -> &'a str {
    let start = text[..member.value.start].trim_end_matches(' ').len();
    &text[start..member.value.start]
}

/// Where a part of the text is in it.
fn place(text: &str, part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len()
}
