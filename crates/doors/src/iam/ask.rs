//! One request: who asks, what for, and the directory as of that moment.

use std::sync::Arc;

use tidelock_core::iam::{Account, Command, Directory, IamError, ManagedPolicy, OidcProvider, Role, User};
use tidelock_service::Service;

use super::error::of_directory;
use crate::{aws_common::error::AwsError, query::Form};

/// A request.
pub(super) struct Ask<'a> {
    pub(super) service: &'a Service,
    /// As of the request; after its change, as of that.
    pub(super) directory: Arc<Directory>,
    /// Whose things it is about: the caller's account.
    pub(super) account: &'a str,
    /// The caller's ARN.
    pub(super) caller: &'a str,
    pub(super) form: Form,
}

impl Ask<'_> {
    /// Changes the directory, and goes on with what came of it.
    pub(super) async fn change(&mut self, command: Command) -> Result<(), AwsError> {
        let changed = self.service.change_directory(self.account, command).await;
        self.directory = changed.map_err(of_directory)?;
        Ok(())
    }

    /// The account of the request.
    pub(super) fn own(&self) -> Result<&Account, AwsError> {
        let own = self.directory.account(self.account);
        own.ok_or_else(|| IamError::no_user(self.caller).into())
    }

    /// The name of the user it is about: the one that is named, or else the caller.
    pub(super) fn user_name(&self) -> Result<&str, AwsError> {
        let own = || {
            let name = self.caller.split_once(":user/")?.1;
            Some(name.rsplit_once('/').map_or(name, |(_, name)| name))
        };
        match self.form.get("UserName").or_else(own) {
            Some(name) => Ok(name),
            None => self.form.need("UserName"),
        }
    }

    pub(super) fn user(&self) -> Result<&User, AwsError> {
        let name = self.user_name()?;
        let user = self.directory.user(self.account, name);
        Ok(user.ok_or_else(|| IamError::no_user(name))?)
    }

    pub(super) fn role(&self) -> Result<&Role, AwsError> {
        let name = self.form.need("RoleName")?;
        let role = self.directory.role(self.account, name);
        Ok(role.ok_or_else(|| IamError::no_role(name))?)
    }

    /// A policy of the caller's own account.
    pub(super) fn policy(&self) -> Result<&ManagedPolicy, AwsError> {
        let arn = self.form.need("PolicyArn")?;
        let own = arn.starts_with(&format!("arn:aws:iam::{}:", self.account));
        let policy = self.directory.policy_of(arn).filter(|_| own);
        Ok(policy.ok_or_else(|| IamError::no_policy(arn))?)
    }

    pub(super) fn provider(&self) -> Result<&OidcProvider, AwsError> {
        let arn = self.form.need("OpenIDConnectProviderArn")?;
        let own = arn.starts_with(&format!("arn:aws:iam::{}:", self.account));
        let provider = self.directory.provider_of(arn).filter(|_| own);
        Ok(provider.ok_or_else(|| IamError::no_provider(arn))?)
    }
}
