//! The server-side encryption that clients ask for, in headers: taken, checked, kept and shown.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use md5::{Digest, Md5};
use tidelock_core::{Address, Body, Content};
use tidelock_service::{Bucket, DefaultKey};
use zeroize::Zeroizing;

use super::{
    error::{Code, Error, Result},
    headers::text,
    request::Request,
    xml::{Document, Element},
};

const ENCRYPTION: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
/// The root of a bucket's encryption.
const CONFIGURATION: &str = "ServerSideEncryptionConfiguration";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const CUSTOMER_KEY_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";

/// The KMS key that a bucket's default encryption names; `None` for one without.
///
/// # Errors
/// `MalformedXML`; `InvalidArgument` for a key that is named without KMS.
pub(crate) fn default_key(configuration: &Element) -> Result<Option<DefaultKey>> {
    let mut rules = configuration.all("Rule");
    let (Some(rule), None) = (rules.next(), rules.next()) else {
        return Err(Error::new(Code::MalformedXML));
    };
    let default = rule.child("ApplyServerSideEncryptionByDefault");
    let known = configuration.has_only(&["Rule"])
        && rule.has_only_once(&["ApplyServerSideEncryptionByDefault", "BucketKeyEnabled"])
        && matches!(rule.child_text("BucketKeyEnabled"), None | Some("true" | "false"));
    let default =
        default.filter(|default| known && default.has_only_once(&["SSEAlgorithm", "KMSMasterKeyID"]));
    let algorithm = default.and_then(|default| default.child_text("SSEAlgorithm"));
    let key = default.and_then(|default| default.child_text("KMSMasterKeyID"));
    let key = key.filter(|key| !key.is_empty()).map(str::to_owned);
    match (algorithm, key) {
        (Some(algorithm @ ("aws:kms" | "aws:kms:dsse")), key) => Ok(Some(DefaultKey {
            algorithm: algorithm.to_owned(),
            key,
            bucket_key: rule.child_text("BucketKeyEnabled") == Some("true"),
        })),
        (Some("AES256"), None) => Ok(None),
        (Some("AES256"), Some(key)) => Err(Error::argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
            &key,
        )),
        _ => Err(Error::new(Code::MalformedXML)),
    }
}

/// Settles the KMS key that a body is to be sealed under, if it is to be, and refuses who may not use it.
///
/// # Errors
/// `KMS.NotFoundException` and the like for a key that cannot be used now, `AccessDenied`.
pub(crate) async fn seal_under(request: &Request<'_>, content: &mut Content) -> Result<()> {
    let (bucket, address) = (request.open_bucket().await?, request.address()?);
    Ok(request.access.may_seal(&bucket, &address, content).await??)
}

/// Refuses who may not use the KMS key that a body is sealed under, if it is.
///
/// # Errors
/// `KMS.NotFoundException` for a key that is gone, `AccessDenied`.
pub(crate) async fn may_open(request: &Request<'_>, address: &Address, body: &Body) -> Result<()> {
    Ok(request.access.may_open(address, body).await??)
}

/// Whether a kept header tells how the object is encrypted.
pub(crate) fn is_encryption(name: &str) -> bool {
    name.starts_with(ENCRYPTION)
}

/// How the object is to be encrypted, as the headers that are given back.
///
/// # Errors
/// `InvalidArgument` in S3's words for what does not go together.
pub(crate) fn encryption(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    let algorithm = text(headers, ENCRYPTION)?;
    let stated = algorithm.unwrap_or("null");
    let kms = match algorithm {
        None | Some("AES256") => false,
        Some("aws:kms" | "aws:kms:dsse") => true,
        Some(_) => {
            return Err(wrong_method(
                "The encryption method specified is not supported",
                stated,
            ));
        }
    };
    let key = text(headers, KMS_KEY)?;
    if key.is_some() && !kms {
        let message = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                       x-amz-server-side-encryption : aws:kms";
        return Err(wrong_method(message, stated));
    }
    if text(headers, CONTEXT)?.is_some() {
        return Err(Error::new(Code::NotImplemented).with("Header", CONTEXT));
    }
    let bucket_key = text(headers, BUCKET_KEY)?.filter(|on| kms && on.eq_ignore_ascii_case("true"));
    let customer_md5 = customer_key(headers, "x-amz-")?;
    if customer_md5.is_some() && algorithm.is_some() {
        let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method \
                       specified";
        return Err(wrong_method(message, stated));
    }
    let customer_algorithm = customer_md5.is_some().then_some("AES256");
    let kept = [
        (ENCRYPTION, algorithm),
        (KMS_KEY, key),
        (BUCKET_KEY, bucket_key),
        (CUSTOMER_ALGORITHM, customer_algorithm),
        (CUSTOMER_KEY_MD5, customer_md5.as_deref()),
    ];
    Ok(kept
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect())
}

/// Says of a new object how it is encrypted that says nothing itself, in a bucket that names no KMS key: as everything is.
pub(crate) fn encrypt_by_default(bucket: &Bucket, content: &mut Content) {
    let is_said = content.headers.keys().any(|name| is_encryption(name));
    if !is_said && bucket.default_key.is_none() {
        content.headers.insert(ENCRYPTION.to_owned(), "AES256".to_owned());
    }
}

/// What every bucket answers that says nothing else: what is stored is always encrypted.
pub(crate) fn shown_default() -> Document {
    let mut xml = Document::new(CONFIGURATION);
    xml.open("Rule")
        .open("ApplyServerSideEncryptionByDefault")
        .text("SSEAlgorithm", "AES256")
        .close()
        .text("BucketKeyEnabled", "false");
    xml
}

fn wrong_method(message: &'static str, stated: &str) -> Error {
    Error::argument(message, ENCRYPTION, stated)
}

/// The MD5 of the customer's key (SSE-C), in base64, if the request carries one and all about it is right.
///
/// # Errors
/// `InvalidArgument` in S3's words, without anything of the key.
pub(crate) fn customer_key(headers: &HeaderMap, before: &str) -> Result<Option<String>> {
    let get = |name: &str| {
        text(
            headers,
            &format!("{before}server-side-encryption-customer-{name}"),
        )
    };
    let (algorithm, key, md5) = (get("algorithm")?, get("key")?, get("key-md5")?);
    if algorithm.is_none() && key.is_none() && md5.is_none() {
        return Ok(None);
    }
    let wrong = |message| Error::because(Code::InvalidArgument, message);
    let must = |what: &str| {
        let message = "Requests specifying Server Side Encryption with Customer provided keys must provide";
        wrong(format!("{message} {what}."))
    };
    if algorithm != Some("AES256") {
        return Err(must("a valid encryption algorithm"));
    }
    let key = key.ok_or_else(|| must("an appropriate secret key"))?;
    let md5 = md5.ok_or_else(|| must("the client calculated MD5 of the secret key"))?;
    let key = STANDARD.decode(key).map(Zeroizing::new).unwrap_or_default();
    if key.len() != 32 {
        return Err(wrong(
            "The secret key was invalid for the specified algorithm.".to_owned(),
        ));
    }
    if STANDARD.encode(Md5::digest(key.as_slice())) != md5 {
        return Err(wrong(
            "The calculated MD5 hash of the key did not match the hash that was provided.".to_owned(),
        ));
    }
    Ok(Some(md5.to_owned()))
}

/// Checks that the reader of a body brings the key it was written with, if it was written with one.
///
/// # Errors
/// `InvalidRequest` without it or with one too many, `AccessDenied` for another key.
pub(crate) fn check_customer_key(headers: &HeaderMap, before: &str, content: &Content) -> Result<()> {
    let stored = content.headers.get(CUSTOMER_KEY_MD5);
    match (stored, customer_key(headers, before)?) {
        (None, None) => Ok(()),
        (Some(stored), Some(brought)) if *stored == brought => Ok(()),
        (Some(_), Some(_)) => Err(Error::new(Code::AccessDenied)),
        (Some(_), None) => Err(Error::because(
            Code::InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
             retrieve the object.",
        )),
        (None, Some(_)) => Err(Error::because(
            Code::InvalidRequest,
            "The encryption parameters are not applicable to this object.",
        )),
    }
}

/// What is shown of a body's encryption in every answer about it.
pub(crate) fn shown_encryption(body: &Body) -> impl Iterator<Item = (&str, &str)> {
    let headers = body.content.headers.iter();
    headers
        .filter(|(name, _)| is_encryption(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_is_asked_for_is_kept() {
        let pairs = [
            (ENCRYPTION, "aws:kms"),
            (KMS_KEY, "alias/x"),
            (BUCKET_KEY, "true"),
        ];
        let kept: Vec<(String, String)> = encryption(&headers(&pairs)).unwrap().into_iter().collect();
        let mut wanted = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        wanted.sort();
        assert_eq!(kept, wanted);
        for pairs in [[(ENCRYPTION, "ROT13")], [(KMS_KEY, "alias/x")]] {
            assert_eq!(encryption(&headers(&pairs)).unwrap_err().code, "InvalidArgument");
        }
    }

    #[test]
    fn a_customers_key_is_checked_and_only_its_md5_kept() {
        let encoded = |byte: u8| {
            (
                STANDARD.encode([byte; 32]),
                STANDARD.encode(Md5::digest([byte; 32])),
            )
        };
        let with = |key: &str, md5: &str| {
            headers(&[
                (CUSTOMER_ALGORITHM, "AES256"),
                ("x-amz-server-side-encryption-customer-key", key),
                (CUSTOMER_KEY_MD5, md5),
            ])
        };
        let (key, md5) = encoded(7);
        let right = with(&key, &md5);
        let stored = Content {
            headers: encryption(&right).unwrap(),
            ..Content::default()
        };
        assert!(!format!("{stored:?}").contains(&key));
        let code =
            |headers: &HeaderMap| check_customer_key(headers, "x-amz-", &stored).map_err(|error| error.code);
        assert_eq!(code(&right), Ok(()));
        assert_eq!(code(&HeaderMap::new()), Err("InvalidRequest"));
        let (other, others_md5) = encoded(8);
        assert_eq!(code(&with(&other, &others_md5)), Err("AccessDenied"));
        assert_eq!(code(&with(&key, "x")), Err("InvalidArgument"));
        assert_eq!(code(&with("short", &md5)), Err("InvalidArgument"));
    }
}
