//! As whom: the roles that a block assumes, by a key or by a token.

use zeroize::Zeroizing;

use super::{BackendError, Place, Settings, paths::Paths};
use crate::aws::{Role, Token, WebIdentity};

const WEB_IDENTITY: &str = "assume_role_with_web_identity";

/// The role of `assume_role`, or of the arguments that were there before it.
///
/// Source: `Configure` in `internal/backend/remote-state/s3/backend.go` of Terraform; the older arguments are those of
/// Terraform before 1.10 and of OpenTofu.
pub(super) fn assumed(settings: &Settings) -> Result<Option<Role>, BackendError> {
    if let Some(role) = nested(settings, "assume_role")? {
        return Ok(Some(role));
    }
    let Some(arn) = settings.text("role_arn") else {
        return Ok(None);
    };
    Ok(Some(Role {
        arn,
        session_name: settings.text("session_name"),
        external_id: settings.text("external_id"),
        duration_seconds: settings.text("assume_role_duration_seconds"),
        policy: settings.text("assume_role_policy"),
        policy_arns: settings.list("assume_role_policy_arns").unwrap_or_default(),
        tags: settings.below("assume_role_tags"),
        transitive_tag_keys: settings
            .list("assume_role_transitive_tag_keys")
            .unwrap_or_default(),
        source_identity: None,
    }))
}

/// The role and the token of `assume_role_with_web_identity`.
pub(super) fn with_web_identity(
    settings: &Settings,
    paths: &Paths<'_>,
) -> Result<Option<WebIdentity>, BackendError> {
    let Some(role) = nested(settings, WEB_IDENTITY)? else {
        return Ok(None);
    };
    let of = |name: &str| settings.text(&format!("{WEB_IDENTITY}.{name}"));
    let file = of("web_identity_token_file").map(|file| paths.expanded(&file));
    let file = file.map(|file| Token::File(file.display().to_string()));
    let text = of("web_identity_token").map(|token| Token::Text(Zeroizing::new(token)));
    let token = text.or(file).ok_or_else(|| {
        fault(
            settings,
            WEB_IDENTITY,
            "it has neither web_identity_token nor web_identity_token_file",
        )
    })?;
    Ok(Some(WebIdentity { role, token }))
}

fn nested(settings: &Settings, outer: &str) -> Result<Option<Role>, BackendError> {
    let of = |name: &str| settings.text(&format!("{outer}.{name}"));
    let list = |name: &str| settings.list(&format!("{outer}.{name}")).unwrap_or_default();
    let Some(arn) = of("role_arn") else {
        return Ok(None);
    };
    let duration = of("duration").map(|text| seconds(&text).ok_or(text));
    let duration = duration.transpose().map_err(|text| {
        let why = format!("duration is \"{text}\", which is none such as \"1h30m\"");
        fault(settings, &format!("{outer}.duration"), &why)
    })?;
    Ok(Some(Role {
        arn,
        session_name: of("session_name"),
        external_id: of("external_id"),
        duration_seconds: duration.map(|seconds| seconds.to_string()),
        policy: of("policy").map(|policy| policy.trim().to_owned()),
        policy_arns: list("policy_arns"),
        tags: settings.below(&format!("{outer}.tags")),
        transitive_tag_keys: list("transitive_tag_keys"),
        source_identity: of("source_identity"),
    }))
}

fn fault(settings: &Settings, name: &str, why: &str) -> BackendError {
    let at = settings
        .place(name)
        .cloned()
        .unwrap_or_else(|| Place::named(name));
    let why = why.to_owned();
    BackendError::Syntax { at, why }
}

/// The seconds of a duration as Go writes it, such as `1h30m`.
fn seconds(text: &str) -> Option<u64> {
    let mut millis = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let millis_of_unit = match unit {
            "ns" => 1e-6,
            "us" | "µs" | "μs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            "m" => 60e3,
            "h" => 3_600e3,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * millis_of_unit;
        rest = after;
    }
    // As a whole number of seconds, which is what STS takes; longer than its twelve hours it refuses itself.
    (1e3..1e9).contains(&millis).then_some((millis / 1e3) as u64)
}
