//! What keys are for: encrypting and decrypting small texts, and data keys for large ones.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};
use tidelock_core::{
    kms::{KmsError, KmsKey},
    limits::{KMS_CIPHERTEXT_BYTES_MAX, KMS_DATA_KEY_BYTES_MAX, KMS_PLAINTEXT_BYTES_MAX},
};
use tidelock_service::Kms;
use zeroize::Zeroizing;

use super::{
    Asked,
    error::{Error, Result, invalid},
};

/// Encrypt.
pub(crate) async fn encrypt(asked: &Asked<'_>) -> Result<Json> {
    let request = asked.request;
    request.refuse_extras()?;
    let plain = request.bytes("Plaintext", KMS_PLAINTEXT_BYTES_MAX)?;
    let context = request.context("EncryptionContext")?;
    let kms = asked.service.kms().await?;
    let key = named(asked, &kms, "KeyId")?;
    let ciphertext = asked.service.encrypt(&kms, &key, &plain, &context)?;
    done(
        asked,
        json!({
            "CiphertextBlob": STANDARD.encode(ciphertext),
            "KeyId": key.arn(),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }),
    )
}

/// Decrypt. The ciphertext says itself which key it needs.
pub(crate) async fn decrypt(asked: &Asked<'_>) -> Result<Json> {
    let request = asked.request;
    request.refuse_extras()?;
    let kms = asked.service.kms().await?;
    let (key, plain) = open(asked, &kms, "KeyId", "EncryptionContext")?;
    done(
        asked,
        json!({
            "Plaintext": STANDARD.encode(plain.as_slice()),
            "KeyId": key.arn(),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }),
    )
}

/// ReEncrypt.
pub(crate) async fn re_encrypt(asked: &Asked<'_>) -> Result<Json> {
    let request = asked.request;
    request.refuse_extras()?;
    let kms = asked.service.kms().await?;
    let (source, plain) = open(asked, &kms, "SourceKeyId", "SourceEncryptionContext")?;
    let key = named(asked, &kms, "DestinationKeyId")?;
    let context = request.context("DestinationEncryptionContext")?;
    let ciphertext = asked.service.encrypt(&kms, &key, &plain, &context)?;
    done(
        asked,
        json!({
            "CiphertextBlob": STANDARD.encode(ciphertext),
            "SourceKeyId": source.arn(),
            "KeyId": key.arn(),
            "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }),
    )
}

/// GenerateDataKey, and the same without the key itself.
pub(crate) async fn data_key(asked: &Asked<'_>, with_plaintext: bool) -> Result<Json> {
    let request = asked.request;
    request.refuse_extras()?;
    let spec = request.one_of("KeySpec", &["AES_256", "AES_128"])?;
    let length = match (spec, request.number("NumberOfBytes")?) {
        (Some("AES_128"), None) => 16,
        (Some(_), None) => 32,
        (None, Some(length)) => length_of(length)?,
        _ => {
            let message = "Please specify either number of bytes or key spec.".to_owned();
            return Err(KmsError::Validation(message).into());
        }
    };
    let context = request.context("EncryptionContext")?;
    let kms = asked.service.kms().await?;
    let key = named(asked, &kms, "KeyId")?;
    let plain = draw(asked, length);
    let ciphertext = asked.service.encrypt(&kms, &key, &plain, &context)?;
    let mut answer = json!({ "CiphertextBlob": STANDARD.encode(ciphertext), "KeyId": key.arn() });
    if with_plaintext {
        answer["Plaintext"] = json!(STANDARD.encode(plain.as_slice()));
    }
    done(asked, answer)
}

/// GenerateRandom.
pub(crate) fn random(asked: &Asked<'_>) -> Result<Json> {
    asked.request.refuse_extras()?;
    let Some(length) = asked.request.number("NumberOfBytes")? else {
        return invalid("null", "numberOfBytes", "not be null");
    };
    let drawn = draw(asked, length_of(length)?);
    Ok(json!({ "Plaintext": STANDARD.encode(drawn.as_slice()) }))
}

fn length_of(length: i64) -> Result<usize> {
    if length < 1 {
        return invalid(
            &format!("'{length}'"),
            "numberOfBytes",
            "have value greater than or equal to 1",
        );
    }
    match usize::try_from(length) {
        Ok(bytes) if length <= KMS_DATA_KEY_BYTES_MAX => Ok(bytes),
        _ => {
            let rule = format!("have value less than or equal to {KMS_DATA_KEY_BYTES_MAX}");
            invalid(&format!("'{length}'"), "numberOfBytes", &rule)
        }
    }
}

fn draw(asked: &Asked<'_>, length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    for piece in bytes.chunks_mut(16) {
        piece.copy_from_slice(&Zeroizing::new(asked.service.random())[..piece.len()]);
    }
    bytes
}

fn named(asked: &Asked<'_>, kms: &Kms, field: &str) -> Result<Arc<KmsKey>> {
    let name = asked.request.key(field)?;
    Ok(Arc::clone(kms.keys().named(asked.access.account(), name)?))
}

/// Decrypts what the request brings; a key that it names must be the one.
fn open(
    asked: &Asked<'_>,
    kms: &Kms,
    key_field: &str,
    context_field: &str,
) -> Result<(Arc<KmsKey>, Zeroizing<Vec<u8>>)> {
    let request = asked.request;
    let ciphertext = request.bytes("CiphertextBlob", KMS_CIPHERTEXT_BYTES_MAX)?;
    let context = request.context(context_field)?;
    let key = Arc::clone(kms.key_of(&ciphertext)?);
    if request.text(key_field)?.is_some() && named(asked, kms, key_field)?.id != key.id {
        return Err(KmsError::IncorrectKey.into());
    }
    let plain = kms.decrypt(&ciphertext, &context)?;
    Ok((key, plain))
}

/// The answer, unless the request was only to see whether there would be one.
fn done(asked: &Asked<'_>, answer: Json) -> Result<Json> {
    match asked.request.flag("DryRun")? {
        true => Err(Error::DryRun),
        false => Ok(answer),
    }
}
