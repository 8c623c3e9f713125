//! Object Lock: the configuration of a bucket, and the retention and legal hold of a version.
//!
//! Source: PutObjectLockConfiguration, PutObjectRetention, PutObjectLegalHold and PutObject of the Amazon S3 API reference.

use http::{HeaderMap, Response, StatusCode};
use tidelock_core::{
    Time, Version,
    decide::Change,
    limits::{RETENTION_DAYS_MAX, RETENTION_YEARS_MAX},
    object_lock::{DefaultRetention, Mode, ObjectLock, ObjectRetention, Period, Protection},
};
use tidelock_service::Bucket;

use super::{
    error::{Code, Error, Result},
    headers::text,
    object::describe_version,
    request::{Request, document, empty, set},
    xml::{Document, Element},
};
use crate::{
    DoorBody,
    aws_common::time::{iso_millis, parse_iso},
};

const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const LEGAL_HOLD: &str = "x-amz-object-lock-legal-hold";

/// Whether the caller says that it means to end a governance retention; whether it may is decided before.
///
/// # Errors
/// When the header is not text.
pub(crate) fn bypasses(request: &Request<'_>) -> Result<bool> {
    let header = request.header("x-amz-bypass-governance-retention")?;
    Ok(header.is_some_and(|on| on.eq_ignore_ascii_case("true")))
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => "GOVERNANCE",
        Mode::Compliance => "COMPLIANCE",
    }
}

fn mode(text: &str) -> Option<Mode> {
    [Mode::Governance, Mode::Compliance]
        .into_iter()
        .find(|mode| name(*mode) == text)
}

fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}

fn missing() -> Error {
    Error::because(
        Code::InvalidRequest,
        "Bucket is missing Object Lock Configuration",
    )
}

/// PutObjectLockConfiguration.
///
/// # Errors
/// `MalformedXML`, `InvalidArgument`; `InvalidBucketState` where the bucket is not versioned.
pub(crate) async fn put_configuration(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let element = Element::parse(body, "ObjectLockConfiguration")?;
    let known = element.has_only_once(&["ObjectLockEnabled", "Rule"]);
    if !known || element.child_text("ObjectLockEnabled") != Some("Enabled") {
        return Err(malformed());
    }
    let default = element.child("Rule").map(default_retention).transpose()?;
    let lock = ObjectLock { default };
    request.service.set_object_lock(request.bucket()?, lock).await?;
    Ok(empty(StatusCode::OK))
}

fn default_retention(rule: &Element) -> Result<DefaultRetention> {
    let default = rule.child("DefaultRetention").ok_or_else(malformed)?;
    let known =
        rule.has_only_once(&["DefaultRetention"]) && default.has_only_once(&["Mode", "Days", "Years"]);
    let mode = default.child_text("Mode").and_then(mode).filter(|_| known);
    let mode = mode.ok_or_else(malformed)?;
    let (number, max, period): (_, _, fn(u32) -> Period) =
        match (default.child_text("Days"), default.child_text("Years")) {
            (Some(days), None) => (days, RETENTION_DAYS_MAX, Period::Days),
            (None, Some(years)) => (years, RETENTION_YEARS_MAX, Period::Years),
            _ => return Err(malformed()),
        };
    let wrong = |message| Error::because(Code::InvalidArgument, message);
    match number.parse::<i64>().map_err(|_| malformed())? {
        ..=0 => Err(wrong(
            "Default retention period must be a positive integer value.",
        )),
        long if long > i64::from(max) => Err(wrong(
            "Default retention period is too large: the maximum is 36500 days or 100 years.",
        )),
        number => Ok(DefaultRetention {
            mode,
            period: period(u32::try_from(number).map_err(|_| malformed())?),
        }),
    }
}

/// What GetObjectLockConfiguration answers.
pub(crate) fn shown(lock: ObjectLock) -> Response<DoorBody> {
    let mut xml = Document::new("ObjectLockConfiguration");
    xml.text("ObjectLockEnabled", "Enabled");
    if let Some(default) = lock.default {
        xml.open("Rule")
            .open("DefaultRetention")
            .text("Mode", name(default.mode));
        match default.period {
            Period::Days(days) => xml.text("Days", days.to_string()),
            Period::Years(years) => xml.text("Years", years.to_string()),
        };
    }
    document(xml)
}

/// What the headers of a write say of the new version's protection.
///
/// # Errors
/// In S3's words for what cannot be meant, and on a bucket without Object Lock.
pub(crate) fn protection(headers: &HeaderMap, bucket: &Bucket, now: Time) -> Result<Protection> {
    let wrong = |message| Error::because(Code::InvalidArgument, message);
    let said = (text(headers, MODE)?, text(headers, UNTIL)?);
    let hold = text(headers, LEGAL_HOLD)?;
    if bucket.object_lock.is_none() && (said != (None, None) || hold.is_some()) {
        return Err(missing());
    }
    let retention = match said {
        (None, None) => None,
        (Some(said), Some(until)) => Some(ObjectRetention {
            mode: mode(said).ok_or_else(|| wrong("Unknown wormMode directive."))?,
            until: future(until, now)?,
        }),
        _ => {
            return Err(wrong(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    let legal_hold = match hold {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(_) => return Err(wrong("Legal Hold must be either of 'ON' or 'OFF'")),
    };
    Ok(Protection {
        retention,
        legal_hold,
    })
}

fn future(text: &str, now: Time) -> Result<Time> {
    let wrong = |message| Error::argument(message, "RetainUntilDate", text);
    let at =
        parse_iso(text).ok_or_else(|| wrong("The retain until date must be provided in ISO 8601 format"))?;
    match now < at {
        true => Ok(at),
        false => Err(wrong("The retain until date must be in the future!")),
    }
}

/// Puts on what protects a version.
pub(crate) fn describe(response: &mut Response<DoorBody>, protection: &Protection) {
    if let Some(retention) = protection.retention {
        set(response, MODE, name(retention.mode));
        set(response, UNTIL, &iso_millis(retention.until));
    }
    if let Some(on) = protection.legal_hold {
        set(response, LEGAL_HOLD, on_off(on));
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// The version that a request about its protection names.
async fn find(request: &Request<'_>) -> Result<(Version, Protection)> {
    let id = request.version_id()?;
    let bucket = request.open_bucket().await?;
    let version = request.service.find(&request.address()?, id.as_ref()).await?;
    match &version.body {
        _ if bucket.object_lock.is_none() => Err(missing()),
        None => Err(Error::new(Code::MethodNotAllowed).with("ResourceType", "DeleteMarker")),
        Some(body) => {
            let protection = body.content.protection;
            Ok((version, protection))
        }
    }
}

/// GetObjectRetention.
///
/// # Errors
/// `NoSuchObjectLockConfiguration` when there is none; `InvalidRequest` on a bucket without Object Lock.
pub(crate) async fn retention(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let (_, protection) = find(request).await?;
    let none = || Error::new(Code::NoSuchObjectLockConfiguration);
    let retention = protection.retention.ok_or_else(none)?;
    let mut xml = Document::new("Retention");
    xml.text("Mode", name(retention.mode))
        .text("RetainUntilDate", iso_millis(retention.until));
    Ok(document(xml))
}

/// GetObjectLegalHold.
///
/// # Errors
/// As [`retention`].
pub(crate) async fn legal_hold(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let (_, protection) = find(request).await?;
    let none = || Error::new(Code::NoSuchObjectLockConfiguration);
    let on = protection.legal_hold.ok_or_else(none)?;
    let mut xml = Document::new("LegalHold");
    xml.text("Status", on_off(on));
    Ok(document(xml))
}

/// PutObjectRetention.
///
/// # Errors
/// `AccessDenied` for one that would become shorter and may not; `MalformedXML`, `InvalidArgument`.
pub(crate) async fn put_retention(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let element = Element::parse(body, "Retention")?;
    if !element.has_only_once(&["Mode", "RetainUntilDate"]) {
        return Err(malformed());
    }
    let retention = match (element.child_text("Mode"), element.child_text("RetainUntilDate")) {
        (None, None) => None,
        (Some(said), Some(until)) => Some(ObjectRetention {
            mode: mode(said).ok_or_else(malformed)?,
            until: future(until, request.service.now())?,
        }),
        _ => return Err(malformed()),
    };
    let bypass = bypasses(request)?;
    change(request, Change::Retention { retention, bypass }).await
}

/// PutObjectLegalHold.
///
/// # Errors
/// `MalformedXML`; `InvalidRequest` on a bucket without Object Lock.
pub(crate) async fn put_legal_hold(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let element = Element::parse(body, "LegalHold")?;
    let on = match element.child_text("Status") {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(malformed()),
    };
    change(request, Change::LegalHold(on)).await
}

async fn change(request: &Request<'_>, change: Change) -> Result<Response<DoorBody>> {
    let (found, _) = find(request).await?;
    let address = request.address()?;
    let changed = request
        .service
        .change_version(&address, Some(&found.id), &change)
        .await?;
    let mut response = empty(StatusCode::OK);
    describe_version(request, &mut response, &changed).await?;
    Ok(response)
}
