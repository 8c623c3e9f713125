//! Everybody in the directory with what they may do: for questions about others, which are rare, so that documents are read anew.

use std::sync::Arc;

use tidelock_core::{
    iam::EntityKind,
    policy::{Principal, PrincipalKind, Rights},
};

use super::view::View;
use crate::{Error, Service};

impl Service {
    /// Every user and every role of every account, with access keys or without. A role stands for its sessions, as far as
    /// no session policy takes rights from them.
    ///
    /// # Errors
    /// When a stored document cannot be read.
    pub fn everybody(&self) -> Result<Vec<(Principal, Rights)>, Error> {
        let mut view = View::clone(&self.view());
        let directory = Arc::clone(&view.directory);
        let mut everybody = Vec::new();
        for (id, account) in &directory.accounts {
            for user in account.users.values() {
                let holder = format!("user/{}", user.name);
                let identity = view.identity(id, EntityKind::User, &holder, &user.inline, &user.attached)?;
                let principal = Principal {
                    account: id.clone(),
                    arn: user.arn(id),
                    kind: PrincipalKind::User {
                        name: user.name.clone(),
                    },
                    user_id: user.id.clone(),
                    tags: user.tags.clone(),
                };
                let rights = Rights {
                    identity,
                    ..Rights::default()
                };
                everybody.push((principal, rights));
            }
        }
        everybody.extend(view.roles.values().map(|role| {
            let rights = Rights {
                identity: role.identity.clone(),
                ..Rights::default()
            };
            (role.principal.clone(), rights)
        }));
        everybody.sort_by(|(one, _), (other, _)| one.arn.cmp(&other.arn));
        Ok(everybody)
    }
}
