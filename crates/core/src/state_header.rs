//! The top-level fields of a state that the rules look at, read without building the document.
//!
//! Source of the format: `internal/states/statefile/version4.go` of Terraform; OpenTofu's encrypted form is
//! `{"serial":…,"lineage":…,"meta":…,"encrypted_data":…,"encryption_version":…}` (`internal/encryption`).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use serde_json::value::RawValue;

use crate::limits::STATE_FIELD_BYTES_MAX;

/// What a state says of itself at its top level.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StateHeader {
    /// Grows by one with every state that Terraform persists.
    pub serial: u64,
    /// The UUID that all states of one history share.
    pub lineage: String,
    /// The format's version: 4 today; none in OpenTofu's encrypted form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The client that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform_version: Option<String>,
    /// Whether the body is OpenTofu's encrypted form, in which only the header can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// Whether it describes nothing at all: no resources and no outputs. Terraform begins a workspace with such a state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
}

/// Why a body is not a state.
#[derive(Debug, thiserror::Error)]
pub enum StateHeaderError {
    /// Not a JSON object, or one of the fields has another type.
    #[error("this is not a state: {0}")]
    Json(#[from] serde_json::Error),
    /// A JSON object without the fields of a state.
    #[error("this is not a state: it has no {0}")]
    Missing(&'static str),
    /// A field is longer than any client writes.
    #[error("this is not a state: its {0} is longer than {STATE_FIELD_BYTES_MAX} bytes")]
    TooLong(&'static str),
}

impl StateHeader {
    /// Reads the header of a body. The whole body is checked to be one JSON value; nothing but the header is kept.
    ///
    /// # Errors
    /// When the body is not a state, in a plain or an encrypted form.
    pub fn parse(body: &[u8]) -> Result<StateHeader, StateHeaderError> {
        let fields: Fields<'_> = serde_json::from_slice(body)?;
        let serial = fields.serial.ok_or(StateHeaderError::Missing("serial"))?;
        let lineage = fields.lineage.ok_or(StateHeaderError::Missing("lineage"))?;
        if fields.version.is_none() && !fields.encrypted {
            return Err(StateHeaderError::Missing("version"));
        }
        for (name, value) in [
            ("lineage", Some(&lineage)),
            ("terraform_version", fields.terraform_version.as_ref()),
        ] {
            if value.is_some_and(|value| value.len() > STATE_FIELD_BYTES_MAX) {
                return Err(StateHeaderError::TooLong(name));
            }
        }
        Ok(StateHeader {
            serial,
            lineage: lineage.into_owned(),
            version: fields.version,
            terraform_version: fields.terraform_version.map(Cow::into_owned),
            encrypted: fields.encrypted,
            empty: fields.no_resources && fields.no_outputs,
        })
    }
}

/// Serial and lineage of a state of which only the beginning is at hand, if that tells: Terraform and OpenTofu write both
/// before everything that can be long.
#[must_use]
pub fn of_start(start: &[u8]) -> Option<(u64, String)> {
    let mut seen = Start::default();
    // It ends in the middle of something, which is no fault.
    let _ = (&mut seen).deserialize(&mut serde_json::Deserializer::from_slice(start));
    let lineage = seen
        .lineage
        .filter(|lineage| lineage.len() <= STATE_FIELD_BYTES_MAX);
    seen.serial.zip(lineage)
}

/// What the beginning of a state tells.
#[derive(Default)]
struct Start {
    serial: Option<u64>,
    lineage: Option<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Start {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Start {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut serial, mut lineage) = (None, None);
        while let Some(Text(name)) = map.next_key()? {
            // A value counts when something follows: the last digits of a number may be missing.
            (self.serial, self.lineage) = (serial, lineage.clone());
            match name.as_ref() {
                "serial" => serial = Some(map.next_value()?),
                "lineage" => lineage = Some(map.next_value::<Text<'_>>()?.0.into_owned()),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        (self.serial, self.lineage) = (serial, lineage);
        Ok(())
    }
}

/// The body of a state with another serial, and every other byte as it was.
///
/// # Errors
/// When the body is no JSON object.
pub fn with_serial(body: &[u8], serial: u64) -> Result<Vec<u8>, StateHeaderError> {
    let Serials(found) = serde_json::from_slice(body)?;
    let mut text = Vec::with_capacity(body.len() + 20 * found.len());
    let mut from = 0;
    for old in found {
        // A borrowed value lies within the body it was read from.
        let at = old.get().as_ptr().addr() - body.as_ptr().addr();
        text.extend_from_slice(&body[from..at]);
        text.extend_from_slice(serial.to_string().as_bytes());
        from = at + old.get().len();
    }
    text.extend_from_slice(&body[from..]);
    Ok(text)
}

/// The values of the field `serial`: one, unless somebody repeats it.
struct Serials<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Serials<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SerialsVisitor)
    }
}

struct SerialsVisitor;

impl<'de> Visitor<'de> for SerialsVisitor {
    type Value = Serials<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Serials<'de>, A::Error> {
        let mut serials = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            if name == "serial" {
                serials.push(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Serials(serials))
    }
}

/// The raw fields; borrowed from the body where it has no escapes.
#[derive(Default)]
struct Fields<'a> {
    version: Option<u64>,
    serial: Option<u64>,
    lineage: Option<Cow<'a, str>>,
    terraform_version: Option<Cow<'a, str>>,
    encrypted: bool,
    no_resources: bool,
    no_outputs: bool,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        // The last of a repeated field counts, as in Go's encoding/json, which Terraform reads with.
        while let Some(Text(name)) = map.next_key()? {
            match name.as_ref() {
                "version" => fields.version = Some(map.next_value()?),
                "serial" => fields.serial = Some(map.next_value()?),
                "lineage" => fields.lineage = Some(map.next_value::<Text<'_>>()?.0),
                "terraform_version" => fields.terraform_version = Some(map.next_value::<Text<'_>>()?.0),
                "resources" => fields.no_resources = map.next_value::<Vacant>()?.0,
                "outputs" => fields.no_outputs = map.next_value::<Vacant>()?.0,
                "encrypted_data" => {
                    map.next_value::<IgnoredAny>()?;
                    fields.encrypted = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A string that borrows from the input unless escapes forbid it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether a value is an array or an object without members.
struct Vacant(bool);

impl<'de> Deserialize<'de> for Vacant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VacantVisitor)
    }
}

struct VacantVisitor;

impl<'de> Visitor<'de> for VacantVisitor {
    type Value = Vacant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_str<E>(self, _: &str) -> Result<Vacant, E> {
        Ok(Vacant(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Vacant, A::Error> {
        let mut vacant = true;
        while members.next_element::<IgnoredAny>()?.is_some() {
            vacant = false;
        }
        Ok(Vacant(vacant))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Vacant, A::Error> {
        let mut vacant = true;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            vacant = false;
        }
        Ok(Vacant(vacant))
    }
}

#[cfg(test)]
mod tests;
