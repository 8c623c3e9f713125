//! IAM Identity Center (SSO): the token that `aws sso login` has left is exchanged for a key.
//!
//! Source: "IAM Identity Center credential provider" in the AWS SDKs and Tools Reference Guide.

use std::{fs, time::SystemTime};

use aws_lc_rs::digest;
use bytes::Bytes;
use http::{HeaderValue, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tidelock_core::limits::CLIENT_DOCUMENT_BYTES_MAX;
use zeroize::Zeroizing;

use super::{
    credentials::{Credentials, Issued},
    identity::{NoKey, Search, json},
};

/// What `aws sso login` writes to `~/.aws/sso/cache/`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: Zeroizing<String>,
    expires_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    role_credentials: Issued,
}

/// The key of a profile that signs in through SSO; `None` when it is none.
pub(super) async fn of_profile(search: Search<'_>, profile: &str) -> Result<Option<Credentials>, NoKey> {
    let profiles = &search.settings.profiles;
    let get = |key| profiles.get(profile, key);
    let session = get("sso_session");
    let (Some(account), Some(role)) = (get("sso_account_id"), get("sso_role_name")) else {
        return Ok(None);
    };
    let of_session = |key| match session {
        Some(name) => profiles.of_sso_session(name, key),
        None => get(key),
    };
    let missing = |key| NoKey(format!("the profile {profile} or its sso_session has no {key}"));
    let region = of_session("sso_region").ok_or_else(|| missing("sso_region"))?;
    // The token's file is called after the session, and after the start URL where a profile has none.
    let name = session
        .or_else(|| get("sso_start_url"))
        .ok_or_else(|| missing("sso_start_url"))?;
    let token = token(search, profile, name)?;
    // Not AWS_ENDPOINT_URL: the token must not go to whatever serves the states.
    let told = search
        .settings
        .environment
        .get("AWS_ENDPOINT_URL_SSO")
        .map(str::to_owned);
    let endpoint = told.unwrap_or_else(|| format!("https://portal.sso.{region}.amazonaws.com"));
    let encode = |value| utf8_percent_encode(value, NON_ALPHANUMERIC);
    let (role, account) = (encode(role), encode(account));
    let target = format!("{endpoint}/federation/credentials?role_name={role}&account_id={account}");
    let key = exchange(search, &target, &token, profile).await;
    key.map(Some).map_err(|why| {
        NoKey(format!(
            "the key of the profile {profile} cannot be had from SSO: {why}"
        ))
    })
}

/// Asks for the key of a role; a failure is the end of a sentence.
async fn exchange(
    search: Search<'_>,
    target: &str,
    token: &Token,
    profile: &str,
) -> Result<Credentials, String> {
    let mut value = HeaderValue::from_str(&token.access_token).map_err(|why| why.to_string())?;
    value.set_sensitive(true);
    let request = Request::get(target)
        .header("x-amz-sso_bearer_token", value)
        .body(Bytes::new());
    let request = request.map_err(|why| why.to_string())?;
    let answer = search.http.send(request, CLIENT_DOCUMENT_BYTES_MAX).await;
    let answer = answer.map_err(|why| why.to_string())?;
    if !answer.status.is_success() {
        return Err(format!(
            "{}; sign in again: aws sso login --profile {profile}",
            answer.status
        ));
    }
    let issued: RoleCredentials = json("SSO", &answer.body).map_err(|why| why.0)?;
    Ok(issued.role_credentials.into())
}

fn token(search: Search<'_>, profile: &str, name: &str) -> Result<Token, NoKey> {
    let sha1 = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes()));
    let path = search
        .settings
        .environment
        .path(&format!("~/.aws/sso/cache/{sha1}.json"));
    let login = |why: &str| NoKey(format!("{why}; sign in: aws sso login --profile {profile}"));
    let text = fs::read(&path).map(Zeroizing::new);
    let text = text.map_err(|_| login(&format!("there is no SSO token at {}", path.display())))?;
    let token: Token = json("the SSO token's file", &text)?;
    let until = token.expires_at.parse::<jiff::Timestamp>().map(SystemTime::from);
    match until.is_ok_and(|until| until > SystemTime::now()) {
        true => Ok(token),
        false => Err(login(&format!("the SSO token ended at {}", token.expires_at))),
    }
}
