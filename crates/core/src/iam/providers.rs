//! OIDC providers.

use super::{
    Change, Entity, EntityKind, IamError, OidcProvider, Tags,
    change::{Case, NewTags},
    names,
};
use crate::limits::{
    IAM_CLIENT_ID_CHARS_MAX, IAM_CLIENT_IDS_MAX, IAM_PROVIDER_URL_CHARS_MAX, IAM_PROVIDERS_MAX,
    IAM_THUMBPRINTS_MAX,
};

/// Hexadecimal digits of a SHA-1.
const THUMBPRINT_CHARS: usize = 40;

/// A provider of the case's own account.
pub(super) fn find<'a>(case: &'a Case<'_>, arn: &str) -> Result<&'a OidcProvider, IamError> {
    let own = arn.starts_with(&format!("arn:aws:iam::{}:", case.account.id));
    let provider = case.directory.provider_of(arn).filter(|_| own);
    provider.ok_or_else(|| IamError::no_provider(arn))
}

pub(super) fn create(
    case: &Case<'_>,
    url: &str,
    (client_ids, thumbprints): (&[String], &[String]),
    tags: &NewTags,
) -> Result<Change, IamError> {
    let url = checked_url(url)?;
    check_thumbprints(thumbprints)?;
    if case.account.providers.contains_key(url) {
        let message = format!("Provider with url https://{url} already exists.");
        return Err(IamError::EntityAlreadyExists(message));
    }
    if case.account.providers.len() >= IAM_PROVIDERS_MAX {
        return Err(IamError::quota(
            "OpenIdConnectProvidersPerAccount",
            IAM_PROVIDERS_MAX,
        ));
    }
    let mut provider = OidcProvider {
        url: url.to_owned(),
        client_ids: Vec::new(),
        thumbprints: thumbprints.to_vec(),
        tags: Tags::new(),
        created: case.now,
    };
    for client_id in client_ids {
        add(&mut provider, client_id)?;
    }
    names::tag(&mut provider.tags, tags)?;
    Ok(case.put(Entity::Provider(provider)))
}

pub(super) fn delete(case: &Case<'_>, arn: &str) -> Result<Change, IamError> {
    let provider = find(case, arn)?;
    Ok(case.remove(EntityKind::Provider, provider.url.clone()))
}

pub(super) fn add_client_id(case: &Case<'_>, arn: &str, client_id: &str) -> Result<Change, IamError> {
    let mut provider = find(case, arn)?.clone();
    add(&mut provider, client_id)?;
    Ok(case.put(Entity::Provider(provider)))
}

/// One that is not there is gone already, as on AWS.
pub(super) fn remove_client_id(case: &Case<'_>, arn: &str, client_id: &str) -> Result<Change, IamError> {
    let mut provider = find(case, arn)?.clone();
    provider.client_ids.retain(|known| known != client_id);
    Ok(case.put(Entity::Provider(provider)))
}

pub(super) fn update_thumbprints(
    case: &Case<'_>,
    arn: &str,
    thumbprints: &[String],
) -> Result<Change, IamError> {
    let mut provider = find(case, arn)?.clone();
    check_thumbprints(thumbprints)?;
    provider.thumbprints = thumbprints.to_vec();
    Ok(case.put(Entity::Provider(provider)))
}

fn add(provider: &mut OidcProvider, client_id: &str) -> Result<(), IamError> {
    names::check_length(client_id, "clientID", 1, IAM_CLIENT_ID_CHARS_MAX)?;
    if !client_id.chars().all(|c| c.is_ascii_graphic()) {
        let what = "have no spaces or control characters";
        return Err(IamError::constraint("…", "clientID", what));
    }
    if provider.client_ids.iter().any(|known| known == client_id) {
        return Ok(());
    }
    if provider.client_ids.len() >= IAM_CLIENT_IDS_MAX {
        return Err(IamError::quota(
            "ClientIdsPerOpenIdConnectProvider",
            IAM_CLIENT_IDS_MAX,
        ));
    }
    provider.client_ids.push(client_id.to_owned());
    Ok(())
}

/// The URL without its scheme. Plain HTTP is for issuers on the same machine, which tests and small installations have.
fn checked_url(url: &str) -> Result<&str, IamError> {
    names::check_length(url, "url", 1, IAM_PROVIDER_URL_CHARS_MAX)?;
    let rest = url
        .strip_prefix("https://")
        .map(|rest| rest.trim_end_matches('/'));
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~/:%".contains(c);
    rest.filter(|rest| !rest.is_empty() && rest.chars().all(fits))
        .ok_or_else(|| {
            IamError::InvalidInput(format!(
                "Invalid Open ID Connect Provider URL {url}: it begins with https:// and has no query"
            ))
        })
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), IamError> {
    if thumbprints.len() > IAM_THUMBPRINTS_MAX {
        let message = format!("Thumbprint list must contain fewer than {IAM_THUMBPRINTS_MAX} entries.");
        return Err(IamError::InvalidInput(message));
    }
    let fits = |print: &String| {
        print.len() == THUMBPRINT_CHARS && print.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match thumbprints.iter().find(|print| !fits(print)) {
        None => Ok(()),
        Some(print) => Err(IamError::constraint(
            print,
            "thumbprintList",
            format!("have length equal to {THUMBPRINT_CHARS} hexadecimal digits"),
        )),
    }
}
