//! AssumeRoleWithWebIdentity: whoever has an issuer's token gets a session of a role that trusts the issuer. The one
//! operation of all doors that nobody has to sign.

use http::StatusCode;
use tidelock_core::{
    Time,
    jwt::JwtError,
    limits::{IAM_SESSION_SECS_MAX, ROLE_SESSION_SECS},
    policy::{Principal, PrincipalKind, Rights},
};
use tidelock_service::{Credential, OidcError, Service, Web, WebIdentity};

use super::{
    Call,
    assume::{Assumed, account_of},
    fields, invalid,
};
use crate::{
    aws_common::{error::AwsError, time::iso},
    query::{Form, Xml},
};

/// The operation.
pub(super) const ACTION: &str = "AssumeRoleWithWebIdentity";

/// Whether a request asks for it.
pub(crate) fn is_asked(form: &Form) -> bool {
    form.get("Action") == Some(ACTION)
}

/// Who a token proves, as a credential without rights: the trust policy of the role is all that can let them in.
pub(super) async fn proven(service: &Service, form: &Form) -> Result<(WebIdentity, Credential), AwsError> {
    let account = account_of(fields::role_arn(form)?);
    let token = form.need("WebIdentityToken")?;
    if form.get("ProviderId").is_some() {
        return Err(invalid(
            "ProviderId is for OAuth 2.0 access tokens, which are not supported here",
        ));
    }
    let directory = service.directory();
    let of = directory.account(account).ok_or_else(unauthorized)?;
    let identity = service.web_identity(of, token).await;
    let identity = identity.map_err(|why| refused(&why, service.now()))?;
    let provider = format!("arn:aws:iam::{account}:oidc-provider/{}", identity.provider);
    let credential = Credential {
        access_key_id: String::new(),
        secret: Default::default(),
        token: None,
        expires: None,
        principal: Principal {
            account: String::new(),
            // As CloudTrail has it.
            arn: format!("{provider}:{}:{}", identity.audience, identity.subject),
            kind: PrincipalKind::Federated { provider },
            user_id: format!("{}:{}", identity.provider, identity.subject),
            tags: identity.handed_on.tags.clone(),
        },
        rights: Rights::default(),
        session: None,
    };
    Ok((identity, credential))
}

/// The session of whom the token proves.
pub(super) async fn assume(call: &Call<'_>, identity: &WebIdentity) -> Result<Xml, AwsError> {
    let form = call.form;
    let arn = fields::role_arn(form)?;
    let session_name = fields::session_name(form)?;
    let handed_on = &identity.handed_on;
    fields::check_tags(&handed_on.tags)?;
    let stated: Vec<&str> = handed_on.transitive.iter().map(String::as_str).collect();
    if let Some(identity) = &handed_on.source_identity {
        fields::check_source_identity(identity)?;
    }
    let role = call.directory.role_of(arn).cloned();
    let seconds = fields::seconds(form, IAM_SESSION_SECS_MAX)?;
    let assumed = Assumed {
        arn,
        account: account_of(arn),
        session_name,
        external_id: None,
        bounds: fields::bounds(form, &handed_on.tags)?,
        tags: handed_on.tags.clone(),
        transitive: fields::transitive(&stated, &handed_on.tags)?,
        source_identity: handed_on.source_identity.clone(),
        seconds: seconds.unwrap_or(ROLE_SESSION_SECS),
        role: role.ok_or_else(unauthorized)?,
    };
    let web = kept(identity);
    let provider = web.provider_arn(assumed.account);
    let refused = |_: &str| unauthorized();
    let issued = assumed
        .begin(call, "sts:AssumeRoleWithWebIdentity", Some(web), refused)
        .await?;
    let mut xml = Xml::default();
    xml.leaf("SubjectFromWebIdentityToken", &identity.subject);
    xml.leaf("Audience", &identity.audience);
    xml.leaf("Provider", &provider);
    assumed.answer(&mut xml, &issued);
    Ok(xml)
}

/// What of the token stays with the session.
fn kept(identity: &WebIdentity) -> Web {
    let claims = identity.claims.iter();
    Web {
        provider: identity.provider.clone(),
        subject: identity.subject.clone(),
        claims: claims
            .filter(|(claim, _)| Web::KEPT_CLAIMS.contains(&claim.as_str()))
            .map(|(claim, values)| (claim.clone(), values.clone()))
            .collect(),
    }
}

/// As AWS says it, whether there is no such role or it does not trust the token.
fn unauthorized() -> AwsError {
    let message = format!("Not authorized to perform sts:{ACTION}");
    AwsError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}

/// What is wrong with a token, by AWS's codes.
fn refused(why: &OidcError, now: Time) -> AwsError {
    let bad = |code, message: String| AwsError::new(StatusCode::BAD_REQUEST, code, message);
    match why {
        OidcError::Token(JwtError::Expired(end)) => bad(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {} must be before the expiration date/time {}",
                iso(now),
                iso(*end)
            ),
        ),
        OidcError::Token(JwtError::Audience) => {
            bad("InvalidIdentityToken", "Incorrect token audience".to_owned())
        }
        OidcError::NoProvider(issuer) => bad(
            "InvalidIdentityToken",
            format!("No OpenIDConnect provider found in your account for {issuer}"),
        ),
        OidcError::UnknownKey => bad(
            "InvalidIdentityToken",
            "Couldn't retrieve verification key from your identity provider, please reference \
             AssumeRoleWithWebIdentity documentation for requirements"
                .to_owned(),
        ),
        OidcError::Unreachable { issuer, why } => {
            tracing::warn!(%issuer, %why, "the keys of an OIDC issuer cannot be had");
            bad(
                "IDPCommunicationError",
                format!("The keys of {issuer} cannot be had now; try again"),
            )
        }
        OidcError::Token(JwtError::Malformed(_) | JwtError::TooEarly) | OidcError::Signature => {
            bad("InvalidIdentityToken", why.to_string())
        }
    }
}
