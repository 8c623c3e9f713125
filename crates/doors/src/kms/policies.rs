//! Key policies: each key has one, called `default`.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tidelock_core::{
    kms::{Command, KmsError, KmsKey},
    policy::{Context, Kind, Named, Policy, Request, ResourceRule, Rights, decide},
};

use super::{Asked, error::Result};

const NAME: &str = "default";

/// What everybody may do whose account the key policy hands over to.
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;

/// GetKeyPolicy.
pub(crate) async fn get(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    check_name(asked)?;
    Ok(json!({ "Policy": key.policy, "PolicyName": NAME }))
}

/// PutKeyPolicy.
pub(crate) async fn put(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    check_name(asked)?;
    let policy = match asked.request.policy()? {
        Some(policy) => policy,
        None => asked.request.required("Policy", usize::MAX)?,
    };
    check(asked, policy, Some(&key))?;
    let (key, policy) = (key.id.clone(), policy.to_owned());
    asked
        .service
        .change_kms(Command::PutPolicy { key, policy })
        .await?;
    Ok(Json::Null)
}

/// ListKeyPolicies.
pub(crate) async fn list(asked: &Asked<'_>) -> Result<Json> {
    asked.key("KeyId").await?;
    Ok(json!({ "PolicyNames": [NAME], "Truncated": false }))
}

fn check_name(asked: &Asked<'_>) -> Result<()> {
    match asked.request.text("PolicyName")? {
        None | Some(NAME) => Ok(()),
        Some(_) => Err(KmsError::NotFound("No such policy exists".to_owned()).into()),
    }
}

/// Makes sure that a text is a key policy, and, unless the request says that this is meant, that it does not lock out who puts
/// it: whoever asks must be allowed to put another one, by the policy itself or by what it leaves to the account's own policies.
pub(crate) fn check(asked: &Asked<'_>, text: &str, key: Option<&KmsKey>) -> Result<()> {
    let malformed = |why: String| KmsError::MalformedPolicy(why);
    let policy = Policy::parse(text, Kind::Key).map_err(|why| malformed(why.to_string()))?;
    if asked.request.flag("BypassPolicyLockoutSafetyCheck")? {
        return Ok(());
    }
    let all = Policy::parse(ALL, Kind::Identity).map_err(|why| malformed(why.to_string()))?;
    let rights = Rights {
        identity: vec![Arc::new(Named {
            name: "the policies of the account".to_owned(),
            policy: all,
        })],
        ..Rights::default()
    };
    let arn = key.map_or_else(|| "arn:aws:kms:::key/new".to_owned(), KmsKey::arn);
    let request = Request {
        principal: asked.access.principal(),
        action: "kms:PutKeyPolicy",
        resource: &arn,
        resource_account: key.map_or(asked.access.account(), |key| &key.account),
        context: &Context::default(),
    };
    let named = Named {
        name: "the new key policy".to_owned(),
        policy,
    };
    match decide(&request, &rights, Some(&named), ResourceRule::Required).is_allowed() {
        true => Ok(()),
        false => Err(malformed(
            "The new key policy will not allow you to update the key policy in the future.".to_owned(),
        )
        .into()),
    }
}
