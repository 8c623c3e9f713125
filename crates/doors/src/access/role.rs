//! Whether a role may be taken: its trust policy decides, as a key's policy does about a key.

use tidelock_core::{
    iam::Role,
    policy::{Kind, ResourceRule},
};

use super::{Owner, Policies};

/// Whose a role is, and what its trust policy says: without that nobody may take it.
pub(crate) fn role_owner(policies: &Policies, account: &str, role: &Role) -> Owner {
    let name = format!("trust policy of role/{}", role.name);
    Owner {
        account: account.to_owned(),
        policy: Some(policies.of(Kind::Trust, &name, &role.trust)),
        rule: ResourceRule::Required,
        absent: false,
    }
}
