//! The top-level fields of a state that the rules look at, read without building the document.
//!
//! Source of the format: `internal/states/statefile/version4.go` of Terraform; OpenTofu's encrypted form is
//! `{"serial":…,"lineage":…,"meta":…,"encrypted_data":…,"encryption_version":…}` (`internal/encryption`).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::limits::STATE_FIELD_BYTES_MAX;

/// What a state says of itself at its top level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_state_is_read() {
        let header = StateHeader::parse(
            br#"{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"a-b","outputs":{"x":{"serial":99}},"resources":[]}"#,
        )
        .unwrap();
        assert_eq!(
            (header.serial, header.lineage.as_str(), header.encrypted),
            (7, "a-b", false)
        );
    }

    #[test]
    fn an_encrypted_state_shows_serial_and_lineage() {
        let body =
            br#"{"serial":3,"lineage":"l","meta":{},"encrypted_data":"AAAA","encryption_version":"v0"}"#;
        assert!(StateHeader::parse(body).is_ok_and(|h| h.encrypted && h.serial == 3 && h.version.is_none()));
    }

    #[test]
    fn depth_does_not_exhaust_the_stack() {
        let body = format!(
            r#"{{"version":4,"serial":1,"lineage":"l","x":{}{}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        assert!(StateHeader::parse(body.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_not_a_state_is_not_taken_for_one() {
        let long = format!(r#"{{"version":4,"serial":1,"lineage":"{}"}}"#, "x".repeat(2_000));
        let others = [
            "",
            "{}",
            "[]",
            "7",
            r#"{"version":4,"serial":-1,"lineage":"l"}"#,
            r#"{"version":4,"serial":1}"#,
        ];
        for body in others
            .into_iter()
            .chain([long.as_str(), r#"{"version":4,"serial":1,"lineage":"l"} x"#])
        {
            assert!(
                StateHeader::parse(body.as_bytes()).is_err(),
                "{}",
                &body[..body.len().min(60)]
            );
        }
    }
}
