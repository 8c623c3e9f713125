//! The fields of a request, read with the types and refusals of AWS.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json};
use tidelock_core::{
    kms::KmsError,
    limits::{KMS_CONTEXT_BYTES_MAX, KMS_POLICY_BYTES_MAX},
};
use zeroize::Zeroizing;

use super::error::{Error, Result, invalid};

/// An encryption context.
pub(crate) type Context = BTreeMap<String, String>;

/// One request body.
pub(crate) struct Request(Map<String, Json>);

impl Request {
    /// Reads a body: a JSON object, nothing else.
    pub(crate) fn parse(body: &[u8]) -> Result<Request> {
        match serde_json::from_slice(body) {
            Ok(Json::Object(fields)) => Ok(Request(fields)),
            _ => Err(Error::Serialization(String::new())),
        }
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(&'a self, name: &str, read: impl FnOnce(&'a Json) -> Option<T>) -> Result<Option<T>> {
        let wrong = || Error::Serialization(format!("Unexpected type of {name}"));
        self.get(name)
            .map(|value| read(value).ok_or_else(wrong))
            .transpose()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        self.typed(name, Json::as_str)
    }

    /// A text that must be there, of at most `max` characters.
    pub(crate) fn required(&self, name: &str, max: usize) -> Result<&str> {
        match self.text(name)? {
            None => invalid("null", &member(name), "not be null"),
            Some("") => invalid("''", &member(name), "have length greater than or equal to 1"),
            Some(text) if text.chars().count() > max => {
                let rule = format!("have length less than or equal to {max}");
                invalid("", &member(name), &rule)
            }
            Some(text) => Ok(text),
        }
    }

    /// The name of a key in this field.
    pub(crate) fn key(&self, name: &str) -> Result<&str> {
        self.required(name, 2_048)
    }

    /// A truth value; absent is false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.typed(name, Json::as_bool)?.unwrap_or(false))
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>> {
        self.typed(name, Json::as_i64)
    }

    /// A text out of a set.
    pub(crate) fn one_of(&self, name: &str, allowed: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match allowed.iter().find(|one| **one == text) {
            Some(one) => Ok(Some(one)),
            None => {
                let rule = format!("satisfy enum value set: [{}]", allowed.join(", "));
                invalid(&format!("'{text}'"), &member(name), &rule)
            }
        }
    }

    /// Bytes in Base64, from one to `max`.
    pub(crate) fn bytes(&self, name: &str, max: usize) -> Result<Zeroizing<Vec<u8>>> {
        let Some(text) = self.text(name)? else {
            return invalid("null", &member(name), "not be null");
        };
        let bytes = STANDARD.decode(text).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| Error::Serialization(format!("{name} is not Base64")))?;
        // What the bytes are stays out of the sentence.
        match bytes.len() {
            0 => invalid("''", &member(name), "have length greater than or equal to 1"),
            length if length > max => {
                let rule = format!("have length less than or equal to {max}");
                invalid(&format!("of {length} bytes"), &member(name), &rule)
            }
            _ => Ok(bytes),
        }
    }

    /// An encryption context; absent is empty.
    pub(crate) fn context(&self, name: &str) -> Result<Context> {
        let Some(fields) = self.typed(name, Json::as_object)? else {
            return Ok(Context::new());
        };
        let (mut context, mut bytes) = (Context::new(), 0);
        for (key, value) in fields {
            let value = value.as_str();
            let value = value.ok_or_else(|| Error::Serialization(format!("Unexpected type in {name}")))?;
            bytes += key.len() + value.len();
            context.insert(key.clone(), value.to_owned());
        }
        match bytes <= KMS_CONTEXT_BYTES_MAX {
            true => Ok(context),
            false => {
                let rule = format!("have length less than or equal to {KMS_CONTEXT_BYTES_MAX}");
                invalid("", &member(name), &rule)
            }
        }
    }

    /// Tags.
    pub(crate) fn tags(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        for tag in self.typed(name, Json::as_array)?.into_iter().flatten() {
            let (Some(key), Some(value)) = (tag["TagKey"].as_str(), tag["TagValue"].as_str()) else {
                return Err(Error::Serialization(format!(
                    "{name} are pairs of TagKey and TagValue"
                )));
            };
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(KmsError::Tag(format!("Duplicate tag keys: {key}")).into());
            }
        }
        Ok(tags)
    }

    /// A list of texts; absent is empty.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let list = self.typed(name, Json::as_array)?.into_iter().flatten();
        let texts: Option<Vec<String>> = list.map(|one| one.as_str().map(str::to_owned)).collect();
        texts.ok_or_else(|| Error::Serialization(format!("{name} is a list of texts")))
    }

    /// The text of a policy, when there is one.
    pub(crate) fn policy(&self) -> Result<Option<&str>> {
        match self.text("Policy")? {
            Some(policy) if policy.len() > KMS_POLICY_BYTES_MAX => {
                let message = format!("The key policy is longer than {KMS_POLICY_BYTES_MAX} bytes.");
                Err(KmsError::LimitExceeded(message).into())
            }
            policy => Ok(policy),
        }
    }

    /// Refuses what a cryptographic operation can be asked for and is not done.
    pub(crate) fn refuse_extras(&self) -> Result<()> {
        if !self.texts("GrantTokens")?.is_empty() {
            return Err(Error::InvalidGrantToken);
        }
        if self.get("Recipient").is_some() {
            let message = "Tidelock serves no attested enclaves".to_owned();
            return Err(KmsError::Unsupported(message).into());
        }
        for name in [
            "EncryptionAlgorithm",
            "SourceEncryptionAlgorithm",
            "DestinationEncryptionAlgorithm",
        ] {
            if let Some(other) = self
                .text(name)?
                .filter(|algorithm| *algorithm != "SYMMETRIC_DEFAULT")
            {
                let message =
                    format!("The algorithm {other} is not compatible with a SYMMETRIC_DEFAULT key.");
                return Err(Error::InvalidKeyUsage(message));
            }
        }
        Ok(())
    }

    /// Which part of a list is wanted: at most how many, and what stands before it.
    pub(crate) fn page(&self, default: usize, max: i64) -> Result<(usize, Option<&str>)> {
        let limit = match self.number("Limit")? {
            None => default,
            Some(limit) if !(1..=max).contains(&limit) => {
                let rule = format!("have value between 1 and {max}");
                return invalid(&format!("'{limit}'"), "limit", &rule);
            }
            Some(limit) => usize::try_from(limit).unwrap_or(default),
        };
        let marker = self.text("Marker")?;
        match marker {
            Some(marker) if marker.is_empty() || marker.len() > 1_024 => Err(Error::InvalidMarker),
            marker => Ok((limit, marker)),
        }
    }
}

/// A field as AWS's sentences have it.
fn member(name: &str) -> String {
    let mut member = name.to_owned();
    if let Some(first) = member.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    member
}
