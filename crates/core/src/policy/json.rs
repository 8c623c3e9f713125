//! JSON as policies need it: a name that comes twice is an error, as one of the two would silently not count, and depth is
//! bounded.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits::POLICY_DEPTH_MAX;

/// A value of JSON. Numbers and booleans are kept as the text that a condition compares.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Scalar(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text; the message says where it is not JSON.
    pub(super) fn parse(text: &str) -> Result<Json, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Depth(POLICY_DEPTH_MAX)
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value));
        value.map_err(|error| error.to_string())
    }

    /// What it is, in an error.
    fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Scalar(_) => "a number or boolean",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }

    /// The string that the element `name` has to be.
    pub(super) fn string(&self, name: &str) -> Result<&str, String> {
        match self {
            Json::Text(text) => Ok(text),
            other => Err(other.is_not(name, "a string")),
        }
    }

    /// One string or a list of them.
    pub(super) fn strings(&self, name: &str) -> Result<Vec<&str>, String> {
        self.one_or_more()
            .iter()
            .map(|value| value.string(name))
            .collect()
    }

    /// The same, with numbers and booleans as text.
    pub(super) fn scalars(&self, name: &str) -> Result<Vec<&str>, String> {
        let values = self.one_or_more().iter();
        let scalars = values.map(|value| match value {
            Json::Scalar(text) => Ok(text.as_str()),
            other => other.string(name),
        });
        scalars.collect()
    }

    /// The values of a list, or the one value that may stand for a list of one.
    pub(super) fn one_or_more(&self) -> &[Json] {
        match self {
            Json::List(list) => list,
            one => std::slice::from_ref(one),
        }
    }

    /// The members of the object that the element `name` has to be.
    pub(super) fn members(&self, name: &str) -> Result<&[(String, Json)], String> {
        match self {
            Json::Object(members) => Ok(members),
            other => Err(other.is_not(name, "an object")),
        }
    }

    fn is_not(&self, name: &str, wanted: &str) -> String {
        format!("Syntax errors in policy: {name} is {}, not {wanted}", self.kind())
    }
}

/// How many levels may still be opened.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn below<E: Error>(self) -> Result<Depth, E> {
        let left = self.0.checked_sub(1);
        left.map(Depth)
            .ok_or_else(|| E::custom(format!("nested deeper than {POLICY_DEPTH_MAX} levels")))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let below = self.below()?;
        let mut members = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if !seen.insert(name.to_string()) {
                return Err(A::Error::custom(format!("{name:?} comes twice in one object")));
            }
            members.push((name.into_owned(), map.next_value_seed(below)?));
        }
        Ok(Json::Object(members))
    }
}
