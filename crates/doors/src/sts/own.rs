//! What is about the caller itself: who it is, a session of its own, whose a key is.

use http::StatusCode;
use tidelock_core::limits::{CHAINED_SESSION_SECS_MAX, USER_SESSION_SECS, USER_SESSION_SECS_MAX};
use tidelock_service::{Actor, NewSession};

use super::{Call, credentials, failed, fields, invalid};
use crate::{aws_common::error::AwsError, query::Xml};

/// Who asks. Never denied, whatever the policies say.
pub(super) fn caller_identity(call: &Call<'_>) -> Xml {
    let principal = call.access.principal();
    let mut xml = Xml::default();
    xml.leaf("Arn", &principal.arn);
    xml.leaf("UserId", &principal.user_id);
    xml.leaf("Account", &principal.account);
    xml
}

/// A session of the caller, who needs no permission for it. There is no MFA here, and so no session that was begun with it.
pub(super) async fn session_token(call: &Call<'_>) -> Result<Xml, AwsError> {
    let forbidden = |message: &str| AwsError::new(StatusCode::FORBIDDEN, "AccessDenied", message);
    let credential = call.access.credential();
    if credential.session.is_some() {
        return Err(forbidden("Cannot call GetSessionToken with session credentials"));
    }
    fields::no_mfa(call.form)?;
    let is_operator = credential.rights.operator;
    let (usual, max) = match is_operator {
        // As for root on AWS.
        true => (CHAINED_SESSION_SECS_MAX, CHAINED_SESSION_SECS_MAX),
        false => (USER_SESSION_SECS, USER_SESSION_SECS_MAX),
    };
    let mut seconds = fields::seconds(call.form, USER_SESSION_SECS_MAX)?
        .unwrap_or(usual)
        .min(max);
    if let Some(end) = credential.expires {
        let left = end.since(call.service.now()) / 1_000;
        seconds = seconds.min(u32::try_from(left).unwrap_or(0));
    }
    let actor = match is_operator {
        true => Actor::Operator {
            id: call.access.principal().user_id.clone(),
        },
        false => Actor::User {
            access_key_id: credential.access_key_id.clone(),
        },
    };
    let new = NewSession {
        account: call.access.account().to_owned(),
        actor,
        seconds,
        policy: None,
        policies: Vec::new(),
        tags: Default::default(),
        transitive: Vec::new(),
        source_identity: None,
    };
    let issued = call
        .service
        .begin_session(new)
        .await
        .map_err(|why| failed(&why))?;
    let mut xml = Xml::default();
    credentials(&mut xml, &issued);
    Ok(xml)
}

/// The account of an access key. Keys of sessions are nowhere written down, so only the caller's own is known.
pub(super) fn access_key_info(call: &Call<'_>) -> Result<Xml, AwsError> {
    call.may("sts:GetAccessKeyInfo")?;
    let id = fields::access_key_id(call.form)?;
    let own = call.access.credential();
    let account = match call.service.user_credential(id) {
        _ if own.access_key_id == id => Some(own.principal.account.clone()),
        Some(user) => Some(user.principal.account.clone()),
        None => None,
    };
    let account = account.ok_or_else(|| invalid(format!("The access key {id} is not known here")))?;
    let mut xml = Xml::default();
    xml.leaf("Account", &account);
    Ok(xml)
}

/// No refusal here is encoded, so there is nothing that could be decoded.
pub(super) fn decode(call: &Call<'_>) -> Result<Xml, AwsError> {
    call.may("sts:DecodeAuthorizationMessage")?;
    call.form.need("EncodedMessage")?;
    Err(AwsError::new(
        StatusCode::BAD_REQUEST,
        "InvalidAuthorizationMessageException",
        "The message is none of this server's: it refuses in plain words",
    ))
}
