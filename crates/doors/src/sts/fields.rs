//! The fields of STS's operations, held to the constraints of its API reference.

use std::fmt::Display;

use http::StatusCode;
use tidelock_core::{
    iam::Tags,
    limits::{
        EXTERNAL_ID_CHARS_MAX, IAM_TAG_KEY_CHARS_MAX, IAM_TAG_VALUE_CHARS_MAX, IAM_TAGS_MAX,
        ROLE_ARN_CHARS_MAX, SESSION_NAME_CHARS_MAX, SESSION_PACKED_BYTES_MAX, SESSION_POLICIES_MAX,
        SESSION_POLICY_CHARS_MAX, SESSION_SECS_MIN,
    },
    policy::{Kind, Policy},
};

use super::invalid;
use crate::{aws_common::error::AwsError, query::Form};

/// What bounds and describes a session, as AssumeRole and AssumeRoleWithWebIdentity have it in common.
pub(super) struct Bounds {
    pub(super) policy: Option<String>,
    pub(super) policies: Vec<String>,
    /// How much of what may be there is there, in percent, if anything is.
    pub(super) packed: Option<usize>,
}

/// The ARN of the role.
pub(super) fn role_arn(form: &Form) -> Result<&str, AwsError> {
    let arn = form.need("RoleArn")?;
    length(arn, "roleArn", 20, ROLE_ARN_CHARS_MAX)?;
    match arn.starts_with("arn:aws:iam::") {
        true => Ok(arn),
        false => Err(invalid(format!("{arn} is invalid"))),
    }
}

/// The name of the session.
pub(super) fn session_name(form: &Form) -> Result<&str, AwsError> {
    let name = form.need("RoleSessionName")?;
    length(name, "roleSessionName", 2, SESSION_NAME_CHARS_MAX)?;
    pattern(name, "roleSessionName", "=,.@-", r"[\w+=,.@-]*")?;
    Ok(name)
}

/// What whoever lets strangers in has agreed with them.
pub(super) fn external_id(form: &Form) -> Result<Option<&str>, AwsError> {
    let Some(id) = form.get("ExternalId") else {
        return Ok(None);
    };
    length(id, "externalId", 2, EXTERNAL_ID_CHARS_MAX)?;
    pattern(id, "externalId", "=,.@:/-", r"[\w+=,.@:\/-]*")?;
    Ok(Some(id))
}

/// Who is behind the session.
pub(super) fn source_identity(form: &Form) -> Result<Option<&str>, AwsError> {
    let given = form.get("SourceIdentity");
    given
        .map(|identity| check_source_identity(identity).map(|()| identity))
        .transpose()
}

/// The same, wherever it is stated.
pub(super) fn check_source_identity(identity: &str) -> Result<(), AwsError> {
    length(identity, "sourceIdentity", 2, SESSION_NAME_CHARS_MAX)?;
    pattern(identity, "sourceIdentity", "=,.@-", r"[\w+=,.@-]*")?;
    match is_reserved(identity) {
        true => Err(invalid("The source identity must not begin with aws:")),
        false => Ok(()),
    }
}

/// An access key.
pub(super) fn access_key_id(form: &Form) -> Result<&str, AwsError> {
    let id = form.need("AccessKeyId")?;
    length(id, "accessKeyId", 16, 128)?;
    pattern(id, "accessKeyId", "", r"[\w]*")?;
    Ok(id)
}

/// How long the session is to last.
pub(super) fn seconds(form: &Form, max: u32) -> Result<Option<u32>, AwsError> {
    let Some(text) = form.get("DurationSeconds") else {
        return Ok(None);
    };
    let seconds: u32 = text
        .parse()
        .map_err(|_| unsatisfied(text, "durationSeconds", "be a number of seconds"))?;
    if seconds < SESSION_SECS_MIN {
        let must = format!("have value greater than or equal to {SESSION_SECS_MIN}");
        return Err(unsatisfied(text, "durationSeconds", must));
    }
    if seconds > max {
        let must = format!("have value less than or equal to {max}");
        return Err(unsatisfied(text, "durationSeconds", must));
    }
    Ok(Some(seconds))
}

/// Nobody has a second factor here.
pub(super) fn no_mfa(form: &Form) -> Result<(), AwsError> {
    if form.get("SerialNumber").is_none() && form.get("TokenCode").is_none() {
        return Ok(());
    }
    Err(AwsError::new(
        StatusCode::FORBIDDEN,
        "AccessDenied",
        "MultiFactorAuthentication failed, unable to validate MFA code. There are no MFA devices on this server.",
    ))
}

/// The session policies, which with the session's tags must not be too much.
pub(super) fn bounds(form: &Form, tags: &Tags) -> Result<Bounds, AwsError> {
    let policy = form.get("Policy");
    if let Some(policy) = policy {
        length(policy, "policy", 1, SESSION_POLICY_CHARS_MAX)?;
        Policy::parse(policy, Kind::Session).map_err(|why| {
            AwsError::new(
                StatusCode::BAD_REQUEST,
                "MalformedPolicyDocument",
                why.to_string(),
            )
        })?;
    }
    let policies: Vec<&str> = form
        .pairs("PolicyArns", "arn", "arn")
        .into_iter()
        .map(|(arn, _)| arn)
        .collect();
    if policies.len() > SESSION_POLICIES_MAX {
        let must = format!("have length less than or equal to {SESSION_POLICIES_MAX}");
        return Err(unsatisfied("policyArns", "policyArns", must));
    }
    for arn in &policies {
        length(arn, "policyArns.member.arn", 20, ROLE_ARN_CHARS_MAX)?;
    }
    let of_tags = tags.iter().map(|(key, value)| key.len() + value.len());
    let of_policies = policies.iter().map(|arn| arn.len());
    let bytes = policy.map_or(0, str::len) + of_tags.sum::<usize>() + of_policies.sum::<usize>();
    let packed = (bytes * 100).div_ceil(SESSION_PACKED_BYTES_MAX);
    if packed > 100 {
        let message =
            format!("Packed size of the session policies and tags consumes {packed}% of allotted space.");
        return Err(AwsError::new(
            StatusCode::BAD_REQUEST,
            "PackedPolicyTooLarge",
            message,
        ));
    }
    Ok(Bounds {
        policy: policy.map(str::to_owned),
        policies: policies.into_iter().map(str::to_owned).collect(),
        packed: (bytes > 0).then_some(packed),
    })
}

/// The session tags.
pub(super) fn tags(form: &Form) -> Result<Tags, AwsError> {
    let given = form.pairs("Tags", "Key", "Value");
    let mut tags = Tags::new();
    for (key, value) in given {
        if tags.keys().any(|known: &String| known.eq_ignore_ascii_case(key)) {
            return Err(invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// The same, wherever they are stated.
pub(super) fn check_tags(tags: &Tags) -> Result<(), AwsError> {
    if tags.len() > IAM_TAGS_MAX {
        let must = format!("have length less than or equal to {IAM_TAGS_MAX}");
        return Err(unsatisfied("tags", "tags", must));
    }
    for (key, value) in tags {
        length(key, "tags.member.key", 1, IAM_TAG_KEY_CHARS_MAX)?;
        length(value, "tags.member.value", 0, IAM_TAG_VALUE_CHARS_MAX)?;
        let fits = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if !key.chars().chain(value.chars()).all(fits) {
            let must = r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*";
            return Err(unsatisfied(key, "tags.member", must));
        }
        if is_reserved(key) {
            return Err(invalid("Session tag keys must not begin with aws:"));
        }
    }
    Ok(())
}

/// The keys of the tags that go on; each must be one of these.
pub(super) fn transitive(stated: &[&str], tags: &Tags) -> Result<Vec<String>, AwsError> {
    let one = |stated: &&str| {
        let key = tags.keys().find(|key| key.eq_ignore_ascii_case(stated));
        key.cloned().ok_or_else(|| {
            invalid("The specified transitive tag key must be included in the requested tags.")
        })
    };
    stated.iter().map(one).collect()
}

fn is_reserved(text: &str) -> bool {
    text.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn length(text: &str, member: &str, min: usize, max: usize) -> Result<(), AwsError> {
    let chars = text.chars().count();
    match chars {
        _ if chars < min => Err(unsatisfied(
            text,
            member,
            format!("have length greater than or equal to {min}"),
        )),
        // Not repeated: it is long.
        _ if chars > max => Err(unsatisfied(
            "…",
            member,
            format!("have length less than or equal to {max}"),
        )),
        _ => Ok(()),
    }
}

/// Letters, digits, `_`, `+` and these.
fn pattern(text: &str, member: &str, more: &str, pattern: &str) -> Result<(), AwsError> {
    let fits =
        |c: char| c.is_ascii_alphanumeric() || c == '_' || (!more.is_empty() && c == '+') || more.contains(c);
    match text.chars().all(fits) {
        true => Ok(()),
        false => Err(unsatisfied(
            text,
            member,
            format!("satisfy regular expression pattern: {pattern}"),
        )),
    }
}

fn unsatisfied(value: &str, member: &str, must: impl Display) -> AwsError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {must}"
    ))
}
