//! Aliases: other names of keys, which can move from one to another.

use serde_json::{Value as Json, json};
use tidelock_core::{
    kms::{AliasTimes, Command, KmsError, KmsKey},
    limits::KMS_ALIAS_BYTES_MAX,
};

use super::{Asked, error::Result, page, seconds};

/// CreateAlias.
pub(crate) async fn create(asked: &Asked<'_>) -> Result<Json> {
    let (alias, key) = (name(asked)?, target(asked).await?);
    asked
        .service
        .change_kms(Command::CreateAlias { alias, key })
        .await?;
    Ok(Json::Null)
}

/// UpdateAlias.
pub(crate) async fn update(asked: &Asked<'_>) -> Result<Json> {
    let (alias, key) = (name(asked)?, target(asked).await?);
    asked
        .service
        .change_kms(Command::UpdateAlias { alias, key })
        .await?;
    Ok(Json::Null)
}

/// DeleteAlias.
pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Json> {
    let (alias, account) = (name(asked)?, asked.access.account().to_owned());
    asked
        .service
        .change_kms(Command::DeleteAlias { account, alias })
        .await?;
    Ok(Json::Null)
}

fn name(asked: &Asked<'_>) -> Result<String> {
    Ok(asked
        .request
        .required("AliasName", KMS_ALIAS_BYTES_MAX)?
        .to_owned())
}

async fn target(asked: &Asked<'_>) -> Result<String> {
    if asked.request.key("TargetKeyId")?.contains("alias/") {
        return Err(KmsError::Validation("Aliases must refer to keys. Not aliases".to_owned()).into());
    }
    Ok(asked.key("TargetKeyId").await?.id.clone())
}

/// ListAliases: of the account, or of one key.
pub(crate) async fn list(asked: &Asked<'_>) -> Result<Json> {
    let of = match asked.request.text("KeyId")? {
        Some(_) => Some(asked.key("KeyId").await?.id.clone()),
        None => None,
    };
    let kms = asked.service.kms().await?;
    let keys = kms.keys().of(asked.access.account());
    let keys = keys.filter(|key| of.as_ref().is_none_or(|of| *of == key.id));
    let aliases = keys.flat_map(|key| {
        let aliases = key.aliases.iter();
        aliases.map(move |(name, times)| (name.clone(), (key, name, times)))
    });
    page(
        asked.request,
        (50, 100),
        aliases.collect(),
        "Aliases",
        |(key, name, times)| entry(key, name, times),
    )
}

fn entry(key: &KmsKey, name: &str, times: &AliasTimes) -> Json {
    json!({
        "AliasName": name,
        "AliasArn": key.alias_arn(name),
        "TargetKeyId": key.id,
        "CreationDate": seconds(times.created),
        "LastUpdatedDate": seconds(times.updated),
    })
}
