//! The users, roles and accounts that a policy names as principals.
//!
//! Who is trusted is a person or a program, not a name: a principal has to exist when the policy is written, and when
//! it is deleted the policy names it by its unique ID from then on, as on AWS. So nobody who takes the name later inherits
//! the trust.

use serde_json::Value;

use super::{DEFAULT_ACCOUNT, Directory, OPERATOR_USER, folded};

/// Whether every principal of a policy that is named exists here; else the first that does not. IDs become the ARNs of
/// what has them, in the text that comes back if anything changed.
///
/// # Errors
/// The principal, as it stands in the policy.
pub fn resolve_principals(document: &str, directory: &Directory) -> Result<Option<String>, String> {
    let mut unknown = None;
    let resolved = rewrite(document, |principal| match known(principal, directory) {
        Known::AsIs => None,
        Known::As(arn) => Some(arn),
        Known::Not => {
            unknown.get_or_insert_with(|| principal.to_owned());
            None
        }
    });
    unknown.map_or(Ok(resolved), Err)
}

/// A policy in which somebody is called otherwise; `None` when it does not name it.
#[must_use]
pub fn rename_principal(document: &str, renamed: &Renamed) -> Option<String> {
    let sessions = renamed.sessions.as_deref();
    // Most policies do not name it: a look at the text spares the rest. An escape could hide a name.
    let is_in = |text: &str| document.contains(text) || document.contains('\\');
    if !is_in(&renamed.from) && !sessions.is_some_and(is_in) {
        return None;
    }
    rewrite(document, |principal| {
        let is_session = sessions.is_some_and(|sessions| principal.starts_with(sessions));
        (principal == renamed.from || is_session).then(|| renamed.to.clone())
    })
}

/// A user or role that is called otherwise from now on in every policy that names it as a principal: by its new ARN, or by
/// its unique ID when it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The ARN.
    pub from: String,
    /// The new ARN, or the ID.
    pub to: String,
    /// What the ARNs of its sessions begin with, if it is a role.
    pub sessions: Option<String>,
}

enum Known {
    AsIs,
    As(String),
    Not,
}

fn known(principal: &str, directory: &Directory) -> Known {
    let is_known = |yes| if yes { Known::AsIs } else { Known::Not };
    if principal == "*" {
        return Known::AsIs;
    }
    if principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit()) {
        return is_known(directory.account(principal).is_some());
    }
    if let Some(session) = principal.strip_prefix("arn:aws:sts::") {
        let mut parts = session.splitn(2, ":assumed-role/");
        let (account, named) = (parts.next().unwrap_or_default(), parts.next());
        let name = named
            .and_then(|named| named.split_once('/'))
            .filter(|(_, session)| !session.is_empty());
        let role = name.and_then(|(name, _)| directory.role(account, name));
        return is_known(role.is_some_and(|role| name.is_some_and(|(name, _)| name == role.name)));
    }
    if let Some(rest) = principal.strip_prefix("arn:aws:iam::") {
        let is_root = rest
            .strip_suffix(":root")
            .is_some_and(|account| directory.account(account).is_some());
        let is_operator = rest == format!("{DEFAULT_ACCOUNT}:user/{OPERATOR_USER}");
        return is_known(
            is_root
                || is_operator
                || directory.user_of(principal).is_some()
                || directory.role_of(principal).is_some(),
        );
    }
    directory.arn_of_id(principal).map_or(Known::Not, Known::As)
}

impl Directory {
    /// The ARN of the user or role that has this unique ID.
    #[must_use]
    pub fn arn_of_id(&self, id: &str) -> Option<String> {
        self.accounts.iter().find_map(|(account, of)| {
            let user = of.users.values().find(|user| user.id == id);
            let role = of.roles.values().find(|role| role.id == id);
            user.map(|user| user.arn(account))
                .or_else(|| role.map(|role| role.arn(account)))
        })
    }

    /// The name of the operator is nobody else's.
    pub(super) fn is_operator(account: &str, name: &str) -> bool {
        account == DEFAULT_ACCOUNT && folded(name) == OPERATOR_USER
    }
}

/// The policy with other principals, if `other` has one for any of them. What is no policy has none.
fn rewrite(document: &str, mut other: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut policy: Value = serde_json::from_str(document).ok()?;
    let mut changed = false;
    let statements = match policy.get_mut("Statement")? {
        Value::Array(statements) => statements.iter_mut().collect(),
        one => vec![one],
    };
    for statement in statements {
        for element in ["Principal", "NotPrincipal"] {
            let named = statement.get_mut(element).and_then(|named| named.get_mut("AWS"));
            let names = match named {
                Some(Value::Array(names)) => names.iter_mut().collect(),
                Some(one) => vec![one],
                None => Vec::new(),
            };
            for name in names {
                if let Some(to) = name.as_str().and_then(&mut other) {
                    *name = Value::String(to);
                    changed = true;
                }
            }
        }
    }
    changed.then(|| policy.to_string())
}
