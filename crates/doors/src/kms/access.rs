//! Which rights a request needs: to which key or alias, by which action, with which encryption context.
//!
//! Source: "Actions, resources, and condition keys for AWS Key Management Service" in the Service Authorization Reference.

use std::sync::Arc;

use tidelock_core::{
    kms::{KmsError, KmsKey},
    limits::{KMS_ALIAS_BYTES_MAX, KMS_CIPHERTEXT_BYTES_MAX},
};
use tidelock_service::Kms;

use super::{
    Asked,
    error::{Error, Result},
    request::Context,
};
use crate::access::{Ask, Denied, Owner, key_owner};

impl From<Denied> for Error {
    fn from(denied: Denied) -> Error {
        KmsError::AccessDenied(denied.to_string()).into()
    }
}

/// The key of this ID or ARN. Only what uses a key, and DescribeKey, take aliases.
///
/// # Errors
/// [`KmsError::NotFound`], [`KmsError::InvalidArn`].
pub(super) fn strict<'a>(kms: &'a Kms, account: &str, name: &str) -> Result<&'a Arc<KmsKey>, KmsError> {
    match name.contains("alias/") {
        true => Err(KmsError::NotFound(format!("Invalid keyId '{name}'"))),
        false => kms.keys().named(account, name),
    }
}

impl Asked<'_> {
    /// Refuses an operation whose caller may not do it; also one whose key does not exist, with what it would fail with.
    ///
    /// # Errors
    /// `AccessDeniedException`; `ExpiredTokenException` for a session that has ended.
    pub(super) async fn may(&self, operation: &str) -> Result<()> {
        if self.access.is_over(None).await? {
            return Err(Error::ExpiredToken);
        }
        let kms = self.service.kms().await?;
        match operation {
            "CreateKey" => self.may_create(),
            "ListKeys" | "ListAliases" | "GenerateRandom" => self.may_in_account(operation, "*"),
            "CreateAlias" => {
                let key = self.strictly(&kms, "TargetKeyId")?;
                self.may_alias(operation, key)?;
                self.may_use(&kms, operation, key, None)
            }
            "UpdateAlias" => {
                let (former, key) = (
                    self.named(&kms, "AliasName")?,
                    self.strictly(&kms, "TargetKeyId")?,
                );
                self.may_alias(operation, former)?;
                self.may_use(&kms, operation, former, None)?;
                self.may_use(&kms, operation, key, None)
            }
            "DeleteAlias" => {
                let former = self.named(&kms, "AliasName")?;
                self.may_alias(operation, former)?;
                self.may_use(&kms, operation, former, None)
            }
            "DescribeKey" => match self.named(&kms, "KeyId") {
                // AWS makes the keys of its own when somebody looks for them.
                Err(Error::Kms(KmsError::NotFound(_))) => self.may_in_account(operation, "*"),
                key => self.may_use(&kms, operation, key?, None),
            },
            "Encrypt" | "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => self.may_use(
                &kms,
                operation,
                self.named(&kms, "KeyId")?,
                Some("EncryptionContext"),
            ),
            "Decrypt" => self.may_use(
                &kms,
                operation,
                self.of_ciphertext(&kms)?,
                Some("EncryptionContext"),
            ),
            "ReEncrypt" => {
                let (source, key) = (self.of_ciphertext(&kms)?, self.named(&kms, "DestinationKeyId")?);
                self.may_use(&kms, "ReEncryptFrom", source, Some("SourceEncryptionContext"))?;
                self.may_use(&kms, "ReEncryptTo", key, Some("DestinationEncryptionContext"))
            }
            _ => self.may_use(&kms, operation, self.strictly(&kms, "KeyId")?, None),
        }
    }

    fn may_create(&self) -> Result<()> {
        self.may_in_account("CreateKey", "*")?;
        match self.request.tags("Tags")?.is_empty() {
            true => Ok(()),
            false => self.may_in_account("TagResource", "*"),
        }
    }

    /// What no key policy has a say in.
    fn may_in_account(&self, action: &str, resource: &str) -> Result<()> {
        let owner = Owner::account(self.access.account());
        let ask = Ask::new(format!("kms:{action}"), resource, &owner);
        Ok(self.access.may(&ask)?)
    }

    /// An alias has no policy of its own; `key` is one whose region it is in.
    fn may_alias(&self, action: &str, key: &KmsKey) -> Result<()> {
        let alias = self.request.required("AliasName", KMS_ALIAS_BYTES_MAX)?;
        self.may_in_account(action, &key.alias_arn(alias))
    }

    /// An action on a key, with the encryption context that stands in this field.
    fn may_use(&self, kms: &Kms, action: &str, key: &KmsKey, context: Option<&str>) -> Result<()> {
        let owner = key_owner(kms, key);
        let context = match context {
            Some(field) => self.request.context(field)?,
            None => Context::new(),
        };
        let mut ask = Ask::new(format!("kms:{action}"), key.arn(), &owner)
            .with("kms:calleraccount", self.access.account());
        for alias in key.aliases.keys() {
            ask = ask.with("kms:resourcealiases", alias);
        }
        for (name, value) in &context {
            ask = ask
                .with(format!("kms:encryptioncontext:{}", name.to_lowercase()), value)
                .with("kms:encryptioncontextkeys", name);
        }
        Ok(self.access.may(&ask)?)
    }

    fn named<'a>(&self, kms: &'a Kms, field: &str) -> Result<&'a Arc<KmsKey>> {
        Ok(kms
            .keys()
            .named(self.access.account(), self.request.key(field)?)?)
    }

    fn strictly<'a>(&self, kms: &'a Kms, field: &str) -> Result<&'a Arc<KmsKey>> {
        Ok(strict(kms, self.access.account(), self.request.key(field)?)?)
    }

    fn of_ciphertext<'a>(&self, kms: &'a Kms) -> Result<&'a Arc<KmsKey>> {
        let ciphertext = self.request.bytes("CiphertextBlob", KMS_CIPHERTEXT_BYTES_MAX)?;
        Ok(kms.key_of(&ciphertext)?)
    }
}
