//! The keys of an issuer, and whether one of them signed a token.
//!
//! Sources: RFC 7517 (JWK), RFC 7518 section 6 and RFC 8037 (their parameters), RFC 7518 section 3 (signatures).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use tidelock_core::{
    jwt::{Algorithm, Token},
    limits::OIDC_KEYS_MAX,
};

/// The document is no key set.
#[derive(Debug, thiserror::Error)]
#[error("it is not a JSON Web Key Set")]
pub struct KeySetError;

/// The keys of an issuer that may sign tokens.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// One key, with what is said of it.
#[derive(Debug, Deserialize)]
struct Key {
    #[serde(rename = "kid")]
    id: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    #[serde(rename = "alg")]
    algorithm: Option<String>,
    #[serde(flatten)]
    form: Form,
}

/// The parameters of the kinds of public keys. A secret that is shared (`oct`) is none.
#[derive(Debug, Deserialize)]
#[serde(tag = "kty")]
enum Form {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String },
}

impl KeySet {
    /// Reads a key set. Keys of kinds that are not known here are left out.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<KeySet, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|_| KeySetError)?;
        let keys = document.keys.into_iter().take(OIDC_KEYS_MAX);
        Ok(KeySet {
            keys: keys
                .filter_map(|key| serde_json::from_value(key).ok())
                .filter(Key::signs)
                .collect(),
        })
    }

    /// Whether a key here may be the one that the token names, or the only one there is where it names none.
    pub(super) fn has(&self, token: &Token<'_>) -> bool {
        self.key(token).is_some()
    }

    /// Whether the key that the token names has signed it.
    #[must_use]
    pub fn verify(&self, token: &Token<'_>) -> bool {
        let signed_by = |key: ParsedPublicKey| {
            let (signed, signature) = (token.signed.as_bytes(), &token.signature);
            key.verify_sig(signed, signature).is_ok()
        };
        let key = self.key(token).and_then(|key| key.form.public(token.algorithm));
        key.is_some_and(signed_by)
    }

    fn key(&self, token: &Token<'_>) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(token.algorithm));
        match &token.key_id {
            Some(id) => fitting.find(|key| key.id.as_ref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl Key {
    fn signs(&self) -> bool {
        let by_use = self.usage.as_ref().is_none_or(|usage| usage == "sig");
        let by_operations = |operations: &Vec<String>| operations.iter().any(|one| one == "verify");
        by_use && self.key_ops.as_ref().is_none_or(by_operations)
    }

    /// Whether it is of the algorithm's kind, and not meant for another one.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let (name, of_its_kind) = named(algorithm, &self.form);
        of_its_kind && self.algorithm.as_ref().is_none_or(|stated| stated == name)
    }
}

impl Form {
    /// The key, for signatures of this algorithm; `None` where its numbers are no key, or too short a one.
    fn public(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        match self {
            Form::Rsa { n, e } => {
                let (n, e) = (bytes(n)?, bytes(e)?);
                RsaPublicKeyComponents { n, e }
                    .to_parsed_public_key(rsa(algorithm)?)
                    .ok()
            }
            Form::Ec { x, y, .. } => {
                let point = [&[4], &bytes(x)?[..], &bytes(y)?[..]].concat();
                ParsedPublicKey::new(ecdsa(algorithm)?, point).ok()
            }
            Form::Okp { x, .. } => ParsedPublicKey::new(&ED25519, bytes(x)?).ok(),
        }
    }
}

/// An algorithm's name, and whether a key of this form may be used with it.
fn named(algorithm: Algorithm, form: &Form) -> (&'static str, bool) {
    let is_rsa = matches!(form, Form::Rsa { .. });
    let is_ec = |curve: &str| matches!(form, Form::Ec { crv, .. } if crv == curve);
    match algorithm {
        Algorithm::Rs256 => ("RS256", is_rsa),
        Algorithm::Rs384 => ("RS384", is_rsa),
        Algorithm::Rs512 => ("RS512", is_rsa),
        Algorithm::Ps256 => ("PS256", is_rsa),
        Algorithm::Ps384 => ("PS384", is_rsa),
        Algorithm::Ps512 => ("PS512", is_rsa),
        Algorithm::Es256 => ("ES256", is_ec("P-256")),
        Algorithm::Es384 => ("ES384", is_ec("P-384")),
        Algorithm::EdDsa => ("EdDSA", matches!(form, Form::Okp { crv, .. } if crv == "Ed25519")),
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

fn ecdsa(algorithm: Algorithm) -> Option<&'static EcdsaVerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&ECDSA_P384_SHA384_FIXED),
        _ => None,
    }
}
