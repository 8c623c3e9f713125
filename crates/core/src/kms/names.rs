//! How a key is named: by its ID, its ARN, an alias or an alias's ARN.

use std::sync::Arc;

use super::{Keys, KmsError, KmsKey};
use crate::limits::KMS_ALIAS_BYTES_MAX;

const ALIAS: &str = "alias/";

/// Whether this can be the name of an alias.
#[must_use]
pub fn is_alias_name(name: &str) -> bool {
    name.len() <= KMS_ALIAS_BYTES_MAX
        && name.strip_prefix(ALIAS).is_some_and(|rest| {
            !rest.is_empty()
                && rest
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
        })
}

/// Whether only AWS itself gives such aliases.
#[must_use]
pub fn is_reserved_alias(name: &str) -> bool {
    name.starts_with("alias/aws/")
}

/// What a name says.
enum Name<'a> {
    Id { region: Option<&'a str>, id: &'a str },
    Alias(&'a str),
}

impl Keys {
    /// The key that `name` means to who is in `account`: an ID or alias of that account, or the ARN of a key or alias of any.
    ///
    /// # Errors
    /// [`KmsError::NotFound`], [`KmsError::InvalidArn`].
    pub fn named(&self, account: &str, name: &str) -> Result<&Arc<KmsKey>, KmsError> {
        let (account, what) = read(account, name)?;
        match what {
            Name::Alias(alias) => self.with_alias(account, alias).ok_or_else(|| {
                let shown = match name.starts_with("arn:") {
                    true => name.to_owned(),
                    false => format!("arn:aws:kms:us-east-1:{account}:{alias}"),
                };
                KmsError::NotFound(format!("Alias {shown} is not found."))
            }),
            Name::Id { region, id } => {
                let found = self.get(id).filter(|key| key.account == account);
                let found = found.filter(|key| region.is_none_or(|region| region == key.region));
                found.ok_or_else(|| match is_uuid(id) {
                    true if region.is_some() => KmsError::NotFound(format!("Key '{name}' does not exist")),
                    true => KmsError::NotFound(format!(
                        "Key 'arn:aws:kms:us-east-1:{account}:key/{id}' does not exist"
                    )),
                    false => KmsError::NotFound(format!("Invalid keyId '{id}'")),
                })
            }
        }
    }
}

fn read<'a>(account: &'a str, name: &'a str) -> Result<(&'a str, Name<'a>), KmsError> {
    let invalid = || KmsError::InvalidArn(format!("Invalid arn {name}"));
    let Some(arn) = name.strip_prefix("arn:") else {
        let what = match name.starts_with(ALIAS) {
            true => Name::Alias(name),
            false => Name::Id {
                region: None,
                id: name,
            },
        };
        return Ok((account, what));
    };
    let mut parts = arn.splitn(5, ':');
    let (partition, service) = (parts.next(), parts.next());
    let (Some(region), Some(account), Some(resource)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(invalid());
    };
    if partition != Some("aws") || service != Some("kms") {
        return Err(invalid());
    }
    match resource.strip_prefix("key/") {
        Some(id) => Ok((
            account,
            Name::Id {
                region: Some(region),
                id,
            },
        )),
        None if resource.starts_with(ALIAS) => Ok((account, Name::Alias(resource))),
        None => Err(invalid()),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
