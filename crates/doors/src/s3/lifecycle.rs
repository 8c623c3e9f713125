//! Lifecycle configurations: read strictly, held to what S3 holds them to, and shown again as they were said.
//!
//! Source: PutBucketLifecycleConfiguration of the Amazon S3 API reference, and answers of S3 itself.

use std::collections::BTreeSet;

use http::{Response, StatusCode};
use tidelock_core::{
    Time,
    lifecycle::{Condition, Expiration, Filter, Lifecycle, Noncurrent, Rule},
    limits::{DAY_MS, LIFECYCLE_ID_CHARS_MAX, LIFECYCLE_RULES_MAX, NEWER_NONCURRENT_MAX},
};

use super::{
    error::{Code, Error, Result},
    request::{Request, document, empty, set},
    xml::{Document, Element},
};
use crate::{
    DoorBody,
    aws_common::time::{iso_millis, parse_iso},
};

/// From which size on objects would change their storage class.
const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";
const MINIMUM_SIZES: [&str; 2] = ["all_storage_classes_128K", "varies_by_storage_class"];

/// PutBucketLifecycleConfiguration.
///
/// # Errors
/// In S3's words; `NotImplemented` for transitions to other storage classes.
pub(crate) async fn put(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    let minimum_size = request.header(MINIMUM_SIZE)?.unwrap_or(MINIMUM_SIZES[0]);
    if !MINIMUM_SIZES.contains(&minimum_size) {
        return Err(Error::argument(
            "Invalid value for x-amz-transition-default-minimum-object-size",
            MINIMUM_SIZE,
            minimum_size,
        ));
    }
    let document = Element::parse(body, "LifecycleConfiguration")?;
    let lifecycle = Lifecycle {
        rules: rules(&document, || hex::encode(request.service.random()))?,
        minimum_size: minimum_size.to_owned(),
    };
    let change = |bucket: &mut tidelock_service::Bucket| bucket.lifecycle = Some(lifecycle.clone());
    request.service.change_bucket(request.bucket()?, change).await?;
    let mut response = empty(StatusCode::OK);
    set(&mut response, MINIMUM_SIZE, minimum_size);
    Ok(response)
}

/// What GetBucketLifecycleConfiguration answers.
pub(crate) fn shown(lifecycle: &Lifecycle) -> Response<DoorBody> {
    let mut xml = Document::new("LifecycleConfiguration");
    for rule in &lifecycle.rules {
        tell_rule(&mut xml, rule);
    }
    let mut response = document(xml);
    set(&mut response, MINIMUM_SIZE, &lifecycle.minimum_size);
    response
}

fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}

fn invalid(message: &'static str) -> Error {
    Error::because(Code::InvalidRequest, message)
}

/// The rules of a document. `name` makes an ID where none is given.
fn rules(document: &Element, name: impl Fn() -> String) -> Result<Vec<Rule>> {
    let known = document.has_only(&["Rule"]);
    if !known || !(1..=LIFECYCLE_RULES_MAX).contains(&document.children.len()) {
        return Err(malformed());
    }
    let rules: Vec<Rule> = document
        .children
        .iter()
        .map(|element| rule(element, &name))
        .collect::<Result<_>>()?;
    let mut ids = BTreeSet::new();
    match rules.iter().find(|rule| !ids.insert(&rule.id)) {
        None => Ok(rules),
        Some(twice) => Err(Error::argument(
            "Rule ID must be unique. Found same ID for more than one rule",
            "ID",
            &twice.id,
        )),
    }
}

fn rule(element: &Element, name: impl Fn() -> String) -> Result<Rule> {
    if element.child("Transition").is_some() || element.child("NoncurrentVersionTransition").is_some() {
        return Err(Error::not_implemented(
            "transitions of lifecycle rules, since it has no storage classes",
        ));
    }
    let known = element.has_only_once(&[
        "ID",
        "Prefix",
        "Status",
        "Filter",
        "Expiration",
        "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload",
    ]);
    if !known {
        return Err(malformed());
    }
    let id = element.child_text("ID").filter(|id| !id.is_empty());
    if id.is_some_and(|id| id.chars().count() > LIFECYCLE_ID_CHARS_MAX) {
        let message = "ID length should not exceed allowed limit of 255";
        return Err(Error::argument(message, "ID", id.unwrap_or_default()));
    }
    let rule = Rule {
        id: id.map_or_else(name, str::to_owned),
        enabled: match element.child_text("Status") {
            Some("Enabled") => true,
            Some("Disabled") => false,
            _ => return Err(malformed()),
        },
        filter: match (element.child("Filter"), element.child("Prefix")) {
            (Some(one), None) => filter(one)?,
            (None, Some(prefix)) => Filter::Rule(prefix.raw_text().to_owned()),
            _ => return Err(malformed()),
        },
        expiration: element.child("Expiration").map(expiration).transpose()?,
        noncurrent: element
            .child("NoncurrentVersionExpiration")
            .map(noncurrent)
            .transpose()?,
        abort_days: element
            .child("AbortIncompleteMultipartUpload")
            .map(abort_days)
            .transpose()?,
    };
    check(&rule)?;
    Ok(rule)
}

/// What goes together.
fn check(rule: &Rule) -> Result<()> {
    let has = |what: fn(&Condition) -> bool| rule.filter.conditions().iter().any(what);
    let by_tag = has(|one| matches!(one, Condition::Tag(..)));
    let by_size = has(|one| matches!(one, Condition::Larger(_) | Condition::Smaller(_)));
    let marker = matches!(rule.expiration, Some(Expiration::Marker(_)));
    if rule.expiration.is_none() && rule.noncurrent.is_none() && rule.abort_days.is_none() {
        return Err(invalid("At least one action needs to be specified in a rule"));
    }
    match (rule.abort_days.is_some(), marker) {
        (true, _) if by_tag => Err(invalid(
            "AbortIncompleteMultipartUpload cannot be specified with Tags.",
        )),
        (true, _) if by_size => Err(invalid(
            "AbortIncompleteMultipartUpload cannot be specified with Object Size.",
        )),
        (_, true) if by_tag => Err(invalid(
            "ExpiredObjectDeleteMarker cannot be specified with Tags.",
        )),
        (_, true) if by_size => Err(invalid(
            "ExpiredObjectDeleteMarker cannot be specified with Object Size.",
        )),
        _ => Ok(()),
    }
}

fn filter(element: &Element) -> Result<Filter> {
    match element.children.as_slice() {
        [] if element.text().is_empty() => Ok(Filter::All),
        [and] if and.name == "And" => {
            let conditions: Vec<Condition> = and.children.iter().map(condition).collect::<Result<_>>()?;
            together(&conditions)?;
            Ok(Filter::And(conditions))
        }
        [one] => Ok(Filter::One(condition(one)?)),
        _ => Err(malformed()),
    }
}

/// Whether these may stand together: each kind once, save for tags of different keys.
fn together(conditions: &[Condition]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let (mut larger, mut smaller) = (None, None);
    for one in conditions {
        let kind = match one {
            Condition::Prefix(_) => "",
            Condition::Tag(key, _) => key,
            Condition::Larger(than) => {
                larger = Some(*than);
                ">"
            }
            Condition::Smaller(than) => {
                smaller = Some(*than);
                "<"
            }
        };
        let is_tag = matches!(one, Condition::Tag(..));
        if !seen.insert((is_tag, kind)) {
            return Err(match is_tag {
                true => invalid("Duplicate Tag Keys are not allowed."),
                false => malformed(),
            });
        }
    }
    match (larger, smaller) {
        _ if conditions.is_empty() => Err(malformed()),
        (Some(larger), Some(smaller)) if smaller <= larger => Err(invalid(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        )),
        _ => Ok(()),
    }
}

fn condition(element: &Element) -> Result<Condition> {
    let size = || element.text().parse().map_err(|_| malformed());
    match element.name.as_str() {
        "Prefix" if element.children.is_empty() => Ok(Condition::Prefix(element.raw_text().to_owned())),
        "Tag" if element.has_only_once(&["Key", "Value"]) => {
            let text = |name: &str| element.child(name).map(|child| child.raw_text().to_owned());
            let key = text("Key").filter(|key| !key.is_empty());
            Ok(Condition::Tag(
                key.ok_or_else(malformed)?,
                text("Value").ok_or_else(malformed)?,
            ))
        }
        "ObjectSizeGreaterThan" => Ok(Condition::Larger(size()?)),
        "ObjectSizeLessThan" => Ok(Condition::Smaller(size()?)),
        _ => Err(malformed()),
    }
}

fn expiration(element: &Element) -> Result<Expiration> {
    let [one] = element.children.as_slice() else {
        return Err(malformed());
    };
    match (one.name.as_str(), one.text()) {
        ("Days", _) => days(element, "Days", "Expiration").map(Expiration::Days),
        ("Date", text) => midnight(text).map(Expiration::Date),
        ("ExpiredObjectDeleteMarker", "true") => Ok(Expiration::Marker(true)),
        ("ExpiredObjectDeleteMarker", "false") => Ok(Expiration::Marker(false)),
        _ => Err(malformed()),
    }
}

fn midnight(text: &str) -> Result<Time> {
    let at = parse_iso(text).ok_or_else(malformed)?;
    match at.0.rem_euclid(DAY_MS) {
        0 => Ok(at),
        _ => Err(Error::argument("'Date' must be at midnight GMT", "Date", text)),
    }
}

fn noncurrent(element: &Element) -> Result<Noncurrent> {
    let action = "NoncurrentVersionExpiration";
    if !element.has_only_once(&["NoncurrentDays", "NewerNoncurrentVersions"]) {
        return Err(malformed());
    }
    let keep = element
        .child("NewerNoncurrentVersions")
        .map(|_| days(element, "NewerNoncurrentVersions", action))
        .transpose()?;
    match keep {
        Some(keep) if keep > NEWER_NONCURRENT_MAX => Err(Error::argument(
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be an integer between 1 and 100",
            "NewerNoncurrentVersions",
            &keep.to_string(),
        )),
        keep => Ok(Noncurrent {
            days: days(element, "NoncurrentDays", action)?,
            keep,
        }),
    }
}

fn abort_days(element: &Element) -> Result<u32> {
    match element.has_only_once(&["DaysAfterInitiation"]) {
        true => days(element, "DaysAfterInitiation", "AbortIncompleteMultipartUpload"),
        false => Err(malformed()),
    }
}

/// A number of at least one.
fn days(element: &Element, name: &'static str, action: &str) -> Result<u32> {
    let text = element.child_text(name).ok_or_else(malformed)?;
    let number: i64 = text.parse().map_err(|_| malformed())?;
    u32::try_from(number)
        .ok()
        .filter(|days| (1..=i32::MAX as u32).contains(days))
        .ok_or_else(|| {
            let message = format!("'{name}' for {action} action must be a positive integer");
            Error::argument(message, name, text)
        })
}

fn tell_rule(xml: &mut Document, rule: &Rule) {
    xml.open("Rule").text("ID", &rule.id);
    match &rule.filter {
        Filter::Rule(prefix) => drop(xml.text("Prefix", prefix)),
        Filter::All => drop(xml.open("Filter").close()),
        Filter::One(one) => {
            xml.open("Filter");
            tell_condition(xml, one);
            xml.close();
        }
        Filter::And(all) => {
            xml.open("Filter").open("And");
            all.iter().for_each(|one| tell_condition(xml, one));
            xml.close().close();
        }
    }
    xml.text("Status", if rule.enabled { "Enabled" } else { "Disabled" });
    if let Some(expiration) = rule.expiration {
        xml.open("Expiration");
        match expiration {
            Expiration::Days(days) => xml.text("Days", days.to_string()),
            Expiration::Date(date) => xml.text("Date", iso_millis(date)),
            Expiration::Marker(on) => xml.text("ExpiredObjectDeleteMarker", on.to_string()),
        };
        xml.close();
    }
    if let Some(noncurrent) = rule.noncurrent {
        xml.open("NoncurrentVersionExpiration")
            .text("NoncurrentDays", noncurrent.days.to_string())
            .maybe(
                "NewerNoncurrentVersions",
                noncurrent.keep.map(|keep| keep.to_string()),
            )
            .close();
    }
    if let Some(days) = rule.abort_days {
        xml.open("AbortIncompleteMultipartUpload")
            .text("DaysAfterInitiation", days.to_string())
            .close();
    }
    xml.close();
}

fn tell_condition(xml: &mut Document, condition: &Condition) {
    match condition {
        Condition::Prefix(prefix) => xml.text("Prefix", prefix),
        Condition::Tag(key, value) => xml.open("Tag").text("Key", key).text("Value", value).close(),
        Condition::Larger(than) => xml.text("ObjectSizeGreaterThan", than.to_string()),
        Condition::Smaller(than) => xml.text("ObjectSizeLessThan", than.to_string()),
    };
}
