//! Access keys: made, switched on and off, listed, deleted.

use http::StatusCode;
use tidelock_core::iam::{AccessKey, Command, User};

use super::{Ask, error::of_directory, show};
use crate::{
    aws_common::error::AwsError,
    query::{Xml, invalid},
};

impl Ask<'_> {
    /// Whose access key is named, if it is one of this account.
    pub(super) fn key_owner(&self) -> Option<&User> {
        let id = self.form.get("AccessKeyId")?;
        let mut users = self.directory.account(self.account)?.users.values();
        let owner = users.find(|user| user.keys.iter().any(|key| key.id == id));
        owner.map(AsRef::as_ref)
    }

    /// The user whose key is to change: named, or the owner.
    fn key_user(&self) -> Result<String, AwsError> {
        match (self.form.get("UserName"), self.key_owner()) {
            (Some(name), _) => Ok(name.to_owned()),
            (None, Some(owner)) => Ok(owner.name.clone()),
            (None, None) => Err(no_key(self.form.need("AccessKeyId")?)),
        }
    }
}

fn no_key(id: &str) -> AwsError {
    let message = format!("The Access Key with id {id} cannot be found.");
    AwsError::new(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}

pub(super) async fn create(ask: &mut Ask<'_>) -> Result<Xml, AwsError> {
    let user = ask.user_name()?.to_owned();
    let made = ask
        .service
        .create_access_key(ask.account, &user, None)
        .await
        .map_err(of_directory)?;
    ask.directory = made.directory;
    let user = ask.user()?;
    let key = user.keys.iter().find(|key| key.id == made.id);
    let key = key.ok_or_else(|| no_key(&made.id))?;
    let mut xml = Xml::default();
    xml.node("AccessKey", |xml| {
        shown(xml, user, key);
        xml.leaf("SecretAccessKey", &made.secret);
    });
    Ok(xml)
}

pub(super) fn update(ask: &Ask<'_>) -> Result<Command, AwsError> {
    let active = match ask.form.need("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy constraint: Member must satisfy enum \
                 value set: [Active, Inactive]"
            )));
        }
    };
    Ok(Command::UpdateAccessKey {
        user: ask.key_user()?,
        id: ask.form.need("AccessKeyId")?.to_owned(),
        active,
    })
}

pub(super) fn delete(ask: &Ask<'_>) -> Result<Command, AwsError> {
    Ok(Command::DeleteAccessKey {
        user: ask.key_user()?,
        id: ask.form.need("AccessKeyId")?.to_owned(),
    })
}

pub(super) fn list(ask: &Ask<'_>) -> Result<Xml, AwsError> {
    let (user, mut xml) = (ask.user()?, Xml::default());
    xml.members("AccessKeyMetadata", &user.keys, |xml, key| shown(xml, user, key));
    xml.leaf("IsTruncated", "false");
    Ok(xml)
}

/// When a key was last used is in the audit log and nowhere else.
pub(super) fn last_used(ask: &Ask<'_>) -> Result<Xml, AwsError> {
    let id = ask.form.need("AccessKeyId")?;
    let owner = ask.key_owner().ok_or_else(|| no_key(id))?;
    let mut xml = Xml::default();
    xml.leaf("UserName", &owner.name);
    xml.node("AccessKeyLastUsed", |xml| {
        xml.leaf("ServiceName", "N/A");
        xml.leaf("Region", "N/A");
    });
    Ok(xml)
}

fn shown(xml: &mut Xml, user: &User, key: &AccessKey) {
    xml.leaf("UserName", &user.name);
    xml.leaf("AccessKeyId", &key.id);
    xml.leaf("Status", if key.active { "Active" } else { "Inactive" });
    show::time(xml, "CreateDate", key.created);
}
