//! Keys: made, shown, switched, rotated, tagged, deleted.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tidelock_core::kms::{Command, KeyState, KmsError, KmsKey, S3_ALIAS};
use tidelock_service::KmsKeyWanted;

use super::{
    Asked,
    error::{Error, Result},
    page, policies, seconds,
};

/// What else than a symmetric key AWS makes.
const KEY_SPECS: [&str; 17] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
];

const KEY_USAGES: [&str; 4] = [
    "SIGN_VERIFY",
    "ENCRYPT_DECRYPT",
    "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT",
];

const ORIGINS: [&str; 4] = ["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];

/// CreateKey.
pub(crate) async fn create(asked: &Asked<'_>) -> Result<Json> {
    let request = asked.request;
    check_kind(asked)?;
    let policy = request.policy()?;
    if let Some(policy) = policy {
        policies::check(asked, policy, None)?;
    }
    let wanted = KmsKeyWanted {
        account: asked.access.account().to_owned(),
        region: asked.access.region().to_owned(),
        description: request.text("Description")?.unwrap_or_default().to_owned(),
        policy: policy.map(str::to_owned),
        tags: request.tags("Tags")?,
    };
    let key = asked.service.create_kms_key(wanted).await?;
    Ok(json!({ "KeyMetadata": metadata(&key) }))
}

/// Refuses a key of any other kind than there is.
fn check_kind(asked: &Asked<'_>) -> Result<()> {
    let request = asked.request;
    let unsupported = |message: String| Err(Error::from(KmsError::Unsupported(message)));
    for field in ["KeySpec", "CustomerMasterKeySpec"] {
        let spec = request.one_of(field, &KEY_SPECS)?;
        if let Some(other) = spec.filter(|spec| *spec != "SYMMETRIC_DEFAULT") {
            return unsupported(format!("Tidelock makes SYMMETRIC_DEFAULT keys only, not {other}"));
        }
    }
    let usage = request.one_of("KeyUsage", &KEY_USAGES)?;
    if let Some(other) = usage.filter(|usage| *usage != "ENCRYPT_DECRYPT") {
        return unsupported(format!(
            "KeyUsage {other} is not compatible with KeySpec SYMMETRIC_DEFAULT"
        ));
    }
    let origin = request.one_of("Origin", &ORIGINS)?;
    if let Some(other) = origin.filter(|origin| *origin != "AWS_KMS") {
        return unsupported(format!(
            "Tidelock makes the material of its keys itself; Origin {other} is not there"
        ));
    }
    if request.flag("MultiRegion")? {
        return unsupported("Tidelock is in one region; there are no multi-Region keys".to_owned());
    }
    for field in ["CustomKeyStoreId", "XksKeyId"] {
        if request.text(field)?.is_some() {
            return unsupported("Tidelock has no custom key stores".to_owned());
        }
    }
    Ok(())
}

/// DescribeKey. AWS makes S3's own key of an account when somebody looks for it.
pub(crate) async fn describe(asked: &Asked<'_>) -> Result<Json> {
    let (name, account) = (asked.request.key("KeyId")?, asked.access.account());
    let found = asked.service.kms().await?.keys().named(account, name).cloned();
    let key = match found {
        Err(KmsError::NotFound(_)) if name == S3_ALIAS => {
            asked.service.make_s3_key(account, asked.access.region()).await?
        }
        found => found?,
    };
    Ok(json!({ "KeyMetadata": metadata(&key) }))
}

fn metadata(key: &KmsKey) -> Json {
    let mut shown = json!({
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn(),
        "CreationDate": seconds(key.created),
        "Enabled": key.state == KeyState::Enabled,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": state(key),
        "Origin": "AWS_KMS",
        "KeyManager": if key.aws_managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    });
    if let KeyState::PendingDeletion(at) = key.state {
        shown["DeletionDate"] = seconds(at);
    }
    shown
}

fn state(key: &KmsKey) -> &'static str {
    match key.state {
        KeyState::Enabled => "Enabled",
        KeyState::Disabled => "Disabled",
        KeyState::PendingDeletion(_) => "PendingDeletion",
    }
}

/// ListKeys.
pub(crate) async fn list(asked: &Asked<'_>) -> Result<Json> {
    let kms = asked.service.kms().await?;
    let keys = kms.keys().of(asked.access.account());
    let keys = keys.map(|key| (key.id.clone(), key)).collect();
    page(
        asked.request,
        (100, 1_000),
        keys,
        "Keys",
        |key: &Arc<KmsKey>| json!({ "KeyId": key.id, "KeyArn": key.arn() }),
    )
}

/// UpdateKeyDescription.
pub(crate) async fn update_description(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?.id.clone();
    let description = asked.request.text("Description")?.unwrap_or_default().to_owned();
    change(asked, Command::Describe { key, description }).await
}

/// EnableKey.
pub(crate) async fn enable(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    change(asked, Command::Enable(key.id.clone())).await
}

/// DisableKey.
pub(crate) async fn disable(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    change(asked, Command::Disable(key.id.clone())).await
}

/// EnableKeyRotation.
pub(crate) async fn enable_rotation(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?.id.clone();
    let days = asked.request.number("RotationPeriodInDays")?;
    change(asked, Command::EnableRotation { key, days }).await
}

/// DisableKeyRotation.
pub(crate) async fn disable_rotation(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    change(asked, Command::DisableRotation(key.id.clone())).await
}

async fn change(asked: &Asked<'_>, command: Command) -> Result<Json> {
    asked.service.change_kms(command).await?;
    Ok(Json::Null)
}

/// GetKeyRotationStatus.
pub(crate) async fn rotation_status(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    let mut answer = json!({ "KeyRotationEnabled": key.rotation.is_some(), "KeyId": key.arn() });
    if let Some(rotation) = key.rotation {
        answer["RotationPeriodInDays"] = json!(rotation.days);
        answer["NextRotationDate"] = seconds(rotation.next);
    }
    Ok(answer)
}

/// RotateKeyOnDemand.
pub(crate) async fn rotate(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    let key = asked.service.rotate_kms_key(&key.id).await?;
    Ok(json!({ "KeyId": key.arn() }))
}

/// ListKeyRotations.
pub(crate) async fn list_rotations(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    let rotations = key.materials.iter().skip(1);
    let rotations = rotations
        .map(|one| (format!("{:010}", one.number), one))
        .collect();
    page(asked.request, (100, 1_000), rotations, "Rotations", |one| {
        json!({
            "KeyId": key.arn(),
            "RotationDate": seconds(one.since),
            "RotationType": if one.on_demand { "ON_DEMAND" } else { "AUTOMATIC" },
        })
    })
}

/// ScheduleKeyDeletion.
pub(crate) async fn schedule_deletion(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?.id.clone();
    let days = asked.request.number("PendingWindowInDays")?;
    let command = Command::ScheduleDeletion { key, days };
    let key = asked.service.change_kms(command).await?;
    let mut answer =
        json!({ "KeyId": key.arn(), "KeyState": state(&key), "PendingWindowInDays": days.unwrap_or(30) });
    if let KeyState::PendingDeletion(at) = key.state {
        answer["DeletionDate"] = seconds(at);
    }
    Ok(answer)
}

/// CancelKeyDeletion.
pub(crate) async fn cancel_deletion(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    let command = Command::CancelDeletion(key.id.clone());
    let key = asked.service.change_kms(command).await?;
    Ok(json!({ "KeyId": key.arn() }))
}

/// TagResource.
pub(crate) async fn tag(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?.id.clone();
    let tags = asked.request.tags("Tags")?;
    change(asked, Command::Tag { key, tags }).await
}

/// UntagResource.
pub(crate) async fn untag(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?.id.clone();
    let names = asked.request.texts("TagKeys")?;
    change(asked, Command::Untag { key, names }).await
}

/// ListResourceTags.
pub(crate) async fn list_tags(asked: &Asked<'_>) -> Result<Json> {
    let key = asked.key("KeyId").await?;
    let tags = key.tags.iter().map(|(name, value)| (name.clone(), (name, value)));
    page(
        asked.request,
        (50, 50),
        tags.collect(),
        "Tags",
        |(name, value)| json!({ "TagKey": name, "TagValue": value }),
    )
}
