//! Tokens of OIDC issuers: read strictly, judged by time and audience. Whether the signature is good is for
//! whoever has the issuer's keys to say.
//!
//! Sources: RFC 7519 (JWT), RFC 7515 (JWS), RFC 8725 (best practices), OpenID Connect Core 1.0 section 2.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Time,
    limits::{JWT_BYTES_MAX, JWT_KID_BYTES_MAX, JWT_SKEW_MS_MAX},
};

/// The claim in which an issuer hands session tags on.
/// Source: IAM User Guide, "Passing session tags using AssumeRoleWithWebIdentity".
const TAGS: &str = "https://aws.amazon.com/tags";
/// The claim in which an issuer says who is behind the session.
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is not a signed token of the form that is taken.
    #[error("the token cannot be read: {0}")]
    Malformed(&'static str),
    /// It has ended.
    #[error("the token ended at {}", .0.0)]
    Expired(Time),
    /// It begins later.
    #[error("the token is not valid yet")]
    TooEarly,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
}

/// How a token may be signed. `none` and shared secrets are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)] // they are the names of RFC 7518, section 3.1, and RFC 8037
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// The header of a token. What it says beside these (`jwk`, `jku`, `x5u`: where to find a key) is not listened to.
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A well-formed token, of which nothing is proven yet.
#[derive(Debug)]
pub struct Token<'a> {
    /// What it says it is signed with.
    pub algorithm: Algorithm,
    /// Which of its issuer's keys it says it is signed with.
    pub key_id: Option<String>,
    /// What is signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// `iss`, a URL.
    pub issuer: String,
    /// `sub`: who it is about.
    pub subject: String,
    /// Whom it is for: `azp` where that is said, else `aud`. As AWS counts, only one of these needs to be known.
    pub audiences: Vec<String>,
    expires: Time,
    begins: Time,
    claims: Map<String, Value>,
}

/// What a token hands on to the session that is made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandedOn {
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Which of them go on to sessions that are made of that one.
    pub transitive: Vec<String>,
    /// The source identity.
    pub source_identity: Option<String>,
}

impl<'a> Token<'a> {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`JwtError::Malformed`].
    pub fn parse(text: &'a str) -> Result<Token<'a>, JwtError> {
        use JwtError::Malformed;
        if text.len() > JWT_BYTES_MAX {
            return Err(Malformed("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed("it has no signature"))?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed("it has no claims"))?;
        let header: Header = serde_json::from_slice(&decoded(header)?)
            .map_err(|_| Malformed("its header is not one of a signed token"))?;
        check_header(&header)?;
        let claims: Map<String, Value> = serde_json::from_slice(&decoded(claims)?)
            .map_err(|_| Malformed("its claims are not a JSON object"))?;
        let issued = time(&claims, "iat")?.ok_or(Malformed("it does not say when it was issued"))?;
        Ok(Token {
            algorithm: header.alg,
            key_id: header.kid,
            signed,
            signature: decoded(signature)?,
            issuer: text_of(&claims, "iss")?,
            subject: text_of(&claims, "sub")?,
            audiences: audiences(&claims)?,
            expires: time(&claims, "exp")?.ok_or(Malformed("it does not say when it ends"))?,
            begins: time(&claims, "nbf")?.unwrap_or(issued).max(issued),
            claims,
        })
    }

    /// Whether it counts now.
    ///
    /// # Errors
    /// [`JwtError::Expired`], [`JwtError::TooEarly`].
    pub fn check_time(&self, now: Time) -> Result<(), JwtError> {
        if now.since(self.expires) >= JWT_SKEW_MS_MAX {
            return Err(JwtError::Expired(self.expires));
        }
        match self.begins.since(now) > JWT_SKEW_MS_MAX {
            true => Err(JwtError::TooEarly),
            false => Ok(()),
        }
    }

    /// The first of its audiences that is among `known`.
    ///
    /// # Errors
    /// [`JwtError::Audience`].
    pub fn audience<'k>(&self, known: &'k [String]) -> Result<&'k str, JwtError> {
        let found = known.iter().find(|known| self.audiences.contains(known));
        found.map(String::as_str).ok_or(JwtError::Audience)
    }

    /// The claims as a trust policy names them: `aud`, `sub` and so on, each with its values. Texts, numbers, truth
    /// values, and lists of these; what has a structure of its own is left out, and so are times.
    #[must_use]
    pub fn condition_values(&self) -> BTreeMap<String, Vec<String>> {
        let mut values: BTreeMap<String, Vec<String>> = self
            .claims
            .iter()
            .filter(|(name, _)| !["iss", "exp", "iat", "nbf", "azp", "aud"].contains(&name.as_str()))
            .filter(|(name, _)| !name.contains(['/', ':']))
            .filter(|(name, _)| self.is_plain(name))
            .filter_map(|(name, value)| Some((name.clone(), scalars(value)?)))
            .collect();
        values.insert("aud".to_owned(), self.audiences.clone());
        if self.claims.contains_key("azp") {
            values.extend(
                self.claims
                    .get("aud")
                    .and_then(scalars)
                    .map(|aud| ("oaud".to_owned(), aud)),
            );
        }
        values
    }

    /// Condition keys know no case: of `sub` and `SUB` only the former counts.
    fn is_plain(&self, name: &str) -> bool {
        let plain = name.to_ascii_lowercase();
        plain == name || !(plain == "aud" || plain == "oaud" || self.claims.contains_key(&plain))
    }

    /// The session tags and the source identity that the issuer states.
    ///
    /// # Errors
    /// [`JwtError::Malformed`] where they are not in AWS's form.
    pub fn handed_on(&self) -> Result<HandedOn, JwtError> {
        #[derive(Default, Deserialize)]
        struct Tags {
            #[serde(default)]
            principal_tags: BTreeMap<String, Vec<String>>,
            #[serde(default)]
            transitive_tag_keys: Vec<String>,
        }
        let malformed = JwtError::Malformed("its session tags are not in the form that AWS describes");
        let stated = self.claims.get(TAGS).map(Tags::deserialize).transpose();
        let stated = stated.map_err(|_| malformed.clone())?.unwrap_or_default();
        let mut tags = BTreeMap::new();
        for (key, values) in stated.principal_tags {
            let [value] = <[String; 1]>::try_from(values).map_err(|_| malformed.clone())?;
            tags.insert(key, value);
        }
        let source_identity = self.claims.contains_key(SOURCE_IDENTITY);
        Ok(HandedOn {
            tags,
            transitive: stated.transitive_tag_keys,
            source_identity: source_identity
                .then(|| text_of(&self.claims, SOURCE_IDENTITY))
                .transpose()?,
        })
    }
}

fn check_header(header: &Header) -> Result<(), JwtError> {
    let is_typed = header
        .typ
        .as_ref()
        .is_none_or(|kind| kind.eq_ignore_ascii_case("JWT"));
    if !is_typed {
        return Err(JwtError::Malformed("it is not an ID token"));
    }
    if header.crit.is_some() {
        return Err(JwtError::Malformed(
            "it demands an extension that is not known here",
        ));
    }
    match header.kid.as_ref().is_some_and(|id| id.len() > JWT_KID_BYTES_MAX) {
        true => Err(JwtError::Malformed("the name of its key is too long")),
        false => Ok(()),
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    bytes.map_err(|_| JwtError::Malformed("a part of it is not base64url"))
}

fn text_of(claims: &Map<String, Value>, name: &str) -> Result<String, JwtError> {
    match claims.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(JwtError::Malformed(
            "it does not say by whom it is, or about whom",
        )),
    }
}

/// A moment in seconds since 1970, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Time>, JwtError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    // Before the year 5138: nothing is lost or overflows on the way to milliseconds.
    let seconds = value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds));
    let seconds = seconds.ok_or(JwtError::Malformed("a time in it is none"))?;
    Ok(Some(Time((seconds * 1_000.0) as i64)))
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, JwtError> {
    let name = if claims.contains_key("azp") { "azp" } else { "aud" };
    let stated = match claims.get(name) {
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(Value::Array(all)) if name == "aud" => {
            all.iter().map(|one| one.as_str().map(str::to_owned)).collect()
        }
        _ => None,
    };
    let stated = stated.filter(|all| !all.is_empty());
    stated.ok_or(JwtError::Malformed("it does not say for whom it is"))
}

fn scalars(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(all) => all.iter().map(one).collect(),
        single => one(single).map(|value| vec![value]),
    }
}

#[cfg(test)]
mod tests;
