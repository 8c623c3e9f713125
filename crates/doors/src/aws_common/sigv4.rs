//! Verifies Signature Version 4 in a request's header or query: who asks, for which service, with which payload.
//! A claim is read and checked for form, time and key first; the signature decides when the payload's hash is known.

use std::sync::Arc;

use aws_lc_rs::hmac;
use http::request::Parts;
use subtle::ConstantTimeEq;
use tidelock_core::Time;
use tidelock_core::limits::{CLOCK_SKEW_MS_MAX, PRESIGNED_SECONDS_MAX};
use tidelock_service::Credential;

use super::authorization::{ALGORITHM, Authorization, Presigned, Stated, find, parse_signature, single};
use super::canonical::{self, sha256_hex};
use super::chunked::ChunkChain;
use super::error::{AuthError, Place};
use super::keys::{Key, Keyring};
use super::time::AmzDate;

/// Who a verified signature belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The access key id: the session of a caller.
    pub access_key_id: String,
    /// The user or role that acts.
    pub principal_arn: String,
    /// Its account.
    pub account_id: String,
    /// The region of the scope; any is taken.
    pub region: String,
    /// The service of the scope.
    pub service: String,
}

/// What the signed headers say about the payload; [`super::payload::read`] holds the body to it.
#[derive(Debug)]
pub enum PayloadForm {
    /// The body has this SHA-256.
    Sha256([u8; 32]),
    /// Nothing is said.
    Unsigned,
    /// aws-chunked, every chunk signed, with a signed trailer or without.
    SignedChunks {
        /// Signs on from the signature of the headers.
        chain: ChunkChain,
        /// Whether a trailer follows.
        trailer: bool,
    },
    /// aws-chunked with a trailer, nothing signed.
    UnsignedChunks,
}

/// A verified request.
#[derive(Debug)]
pub struct Verified {
    /// Who asks.
    pub identity: Identity,
    /// With which rights.
    pub credential: Arc<Credential>,
    /// What the body must be.
    pub payload: PayloadForm,
    /// When it was signed, as the signer's clock has it.
    pub signed: Time,
}

/// What a request states about its payload, before the signature is known to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatedPayload {
    Sha256([u8; 32]),
    Unsigned,
    SignedChunks { trailer: bool },
    UnsignedChunks,
}

impl StatedPayload {
    const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
    const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const SIGNED_CHUNKS_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

    /// What stands for the payload in the canonical request.
    fn signed_text(self) -> String {
        match self {
            Self::Sha256(hash) => hex::encode(hash),
            Self::Unsigned => Self::UNSIGNED.to_owned(),
            Self::SignedChunks { trailer: false } => Self::SIGNED_CHUNKS.to_owned(),
            Self::SignedChunks { trailer: true } => Self::SIGNED_CHUNKS_TRAILER.to_owned(),
            Self::UnsignedChunks => Self::UNSIGNED_CHUNKS.to_owned(),
        }
    }

    fn parse(text: &str) -> Result<Self, AuthError> {
        match text {
            Self::UNSIGNED => Ok(Self::Unsigned),
            Self::SIGNED_CHUNKS => Ok(Self::SignedChunks { trailer: false }),
            Self::SIGNED_CHUNKS_TRAILER => Ok(Self::SignedChunks { trailer: true }),
            Self::UNSIGNED_CHUNKS => Ok(Self::UnsignedChunks),
            _ => parse_signature(text)
                .map(Self::Sha256)
                .ok_or(AuthError::InvalidContentSha256),
        }
    }
}

/// A well-formed claim of a known key in due time; [`Claim::verify`] makes an identity of it.
pub struct Claim<'a> {
    parts: &'a Parts,
    key: Key,
    authorization: Authorization,
    date: AmzDate,
    /// None where the hash that was signed is that of the body.
    payload: Option<StatedPayload>,
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request to `service` (`s3`, `dynamodb`, `sts`) at `now`, and checks all that can be
    /// checked without the body.
    ///
    /// # Errors
    /// Any [`AuthError`] but a mismatch of the signature.
    pub fn read(
        parts: &'a Parts,
        keyring: &Keyring,
        service: &'static str,
        now: Time,
    ) -> Result<Self, AuthError> {
        let (place, authorization, date, token, content_sha256) = match find(parts)? {
            Stated::Header(value) => {
                let authorization = Authorization::parse_header(value)?;
                let date = header_date(parts, &authorization, now)?;
                let token = single(&parts.headers, "x-amz-security-token").map(str::to_owned);
                (Place::Header, authorization, date, token, None)
            }
            Stated::Query(query) => {
                let presigned = Presigned::parse(query)?;
                let date = presigned_date(&presigned, now)?;
                let fallback = (service == "s3").then(|| StatedPayload::UNSIGNED.to_owned());
                let content_sha256 = presigned.content_sha256.or(fallback);
                (
                    Place::Query,
                    presigned.authorization,
                    date,
                    presigned.token,
                    content_sha256,
                )
            }
        };
        check_scope(place, &authorization, &date, service)?;
        check_headers_signed(parts, &authorization)?;
        let payload = stated_payload(parts, service, content_sha256)?;
        let id = &authorization.credential.access_key_id;
        let key = keyring.get(id, token.as_deref(), now)?;
        Ok(Self {
            parts,
            key,
            authorization,
            date,
            payload,
        })
    }

    /// Whether [`Claim::verify`] needs the SHA-256 of the body, since no header states it. Never for S3.
    pub fn needs_body(&self) -> bool {
        self.payload.is_none()
    }

    /// Compares the signature, in constant time. `body_sha256` is that of the whole body where it has been read already.
    ///
    /// # Errors
    /// [`AuthError::SignatureMismatch`]; also when the body is needed and not given.
    pub fn verify(self, body_sha256: Option<[u8; 32]>) -> Result<Verified, AuthError> {
        let credential = &self.authorization.credential;
        let payload = match (self.payload, body_sha256) {
            (None, Some(hash)) => StatedPayload::Sha256(hash),
            (None, None) => return Err(self.mismatch("the body is not known".to_owned())),
            (Some(StatedPayload::Sha256(stated)), Some(hash)) if stated != hash => {
                return Err(self.mismatch("x-amz-content-sha256 is not the hash of the body".to_owned()));
            }
            (Some(stated), _) => stated,
        };
        let payload_hash = payload.signed_text();
        let s3 = credential.service == "s3";
        let canonical = canonical::request(self.parts, s3, &self.authorization.signed_headers, &payload_hash)
            .map_err(|missing| self.mismatch(format!("signed header {missing} is not in the request")))?;
        let scope = credential.scope();
        let string_to_sign = format!(
            "{ALGORITHM}\n{}\n{scope}\n{}",
            self.date.text,
            sha256_hex(&canonical)
        );
        let signing_key = self
            .key
            .signing_key(&credential.day, &credential.region, &credential.service);
        let signature = hmac::sign(&signing_key, string_to_sign.as_bytes());
        if !bool::from(signature.as_ref().ct_eq(&self.authorization.signature)) {
            return Err(self.mismatch(string_to_sign));
        }
        self.key.remember(
            &credential.day,
            &credential.region,
            &credential.service,
            &signing_key,
        );
        let seed = self.authorization.signature;
        let payload = match payload {
            StatedPayload::Sha256(hash) => PayloadForm::Sha256(hash),
            StatedPayload::Unsigned => PayloadForm::Unsigned,
            StatedPayload::SignedChunks { trailer } => {
                let chain = ChunkChain::new(signing_key, &self.date.text, &scope, seed);
                PayloadForm::SignedChunks { chain, trailer }
            }
            StatedPayload::UnsignedChunks => PayloadForm::UnsignedChunks,
        };
        Ok(Verified {
            identity: self.identity(),
            credential: Arc::clone(self.key.credential()),
            payload,
            signed: self.date.at,
        })
    }

    fn identity(&self) -> Identity {
        Identity {
            access_key_id: self.key.id().to_owned(),
            principal_arn: self.key.credential().principal.arn.clone(),
            account_id: self.key.credential().principal.account.clone(),
            region: self.authorization.credential.region.clone(),
            service: self.authorization.credential.service.clone(),
        }
    }

    fn mismatch(&self, string_to_sign: String) -> AuthError {
        AuthError::SignatureMismatch {
            access_key_id: self.key.id().to_owned(),
            string_to_sign,
            provided: hex::encode(self.authorization.signature),
        }
    }
}

/// `x-amz-date`, or a signed `Date` where there is none.
fn header_date(parts: &Parts, authorization: &Authorization, now: Time) -> Result<AmzDate, AuthError> {
    let date = if parts.headers.contains_key("x-amz-date") {
        single(&parts.headers, "x-amz-date").and_then(AmzDate::parse)
    } else {
        if !authorization.signed_headers.iter().any(|name| name == "date") {
            return Err(AuthError::MissingDate);
        }
        single(&parts.headers, "date").and_then(AmzDate::parse_http)
    };
    let date = date.ok_or(AuthError::MissingDate)?;
    if date.at.since(now).saturating_abs() > CLOCK_SKEW_MS_MAX {
        return Err(AuthError::Skewed {
            date: date.at,
            server: now,
        });
    }
    Ok(date)
}

fn presigned_date(presigned: &Presigned, now: Time) -> Result<AmzDate, AuthError> {
    let malformed = |problem: &str| AuthError::Malformed {
        place: Place::Query,
        problem: problem.to_owned(),
    };
    let date = AmzDate::parse(&presigned.date)
        .ok_or_else(|| malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    let expires: i64 = presigned
        .expires
        .parse()
        .map_err(|_| malformed("X-Amz-Expires should be a number"))?;
    if expires < 1 {
        return Err(malformed("X-Amz-Expires must be non-negative"));
    }
    if expires > PRESIGNED_SECONDS_MAX {
        return Err(malformed(&format!(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             {PRESIGNED_SECONDS_MAX} seconds"
        )));
    }
    let age = now.since(date.at);
    if age < -CLOCK_SKEW_MS_MAX {
        return Err(AuthError::PresignedTooEarly);
    }
    if age > expires * 1000 {
        let end = date.at.plus_ms(expires * 1000);
        return Err(AuthError::PresignedExpired {
            expires,
            end,
            server: now,
        });
    }
    Ok(date)
}

fn check_scope(
    place: Place,
    authorization: &Authorization,
    date: &AmzDate,
    service: &'static str,
) -> Result<(), AuthError> {
    let credential = &authorization.credential;
    if credential.service != service {
        return Err(AuthError::WrongService {
            place,
            stated: credential.service.clone(),
            expected: service,
        });
    }
    if credential.day != date.day() {
        return Err(AuthError::WrongDay {
            place,
            stated: credential.day.clone(),
            date: date.text.clone(),
        });
    }
    Ok(())
}

/// `host` and every `x-amz-` header must be signed: else whoever sits in between could add one.
fn check_headers_signed(parts: &Parts, authorization: &Authorization) -> Result<(), AuthError> {
    let signed = |name: &str| {
        authorization
            .signed_headers
            .binary_search_by(|have| have.as_str().cmp(name))
            .is_ok()
    };
    let mut unsigned: Vec<String> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !signed(name))
        .map(str::to_owned)
        .collect();
    if !signed("host") {
        unsigned.insert(0, "host".to_owned());
    }
    if unsigned.is_empty() {
        Ok(())
    } else {
        Err(AuthError::HeadersNotSigned(unsigned))
    }
}

/// The header counts, then what a presigned query says. S3 demands one of them and alone knows the forms that are no hash.
fn stated_payload(
    parts: &Parts,
    service: &str,
    presigned: Option<String>,
) -> Result<Option<StatedPayload>, AuthError> {
    let name = "x-amz-content-sha256";
    let stated = if parts.headers.contains_key(name) {
        Some(
            single(&parts.headers, name)
                .ok_or(AuthError::InvalidContentSha256)?
                .to_owned(),
        )
    } else {
        presigned
    };
    match stated.map(|text| StatedPayload::parse(&text)).transpose()? {
        None if service == "s3" => Err(AuthError::MissingContentSha256),
        None => Ok(None),
        Some(StatedPayload::Sha256(hash)) => Ok(Some(StatedPayload::Sha256(hash))),
        Some(form) if service == "s3" => Ok(Some(form)),
        Some(_) => Err(AuthError::InvalidContentSha256),
    }
}
