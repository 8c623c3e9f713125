//! Accounts: twelve digits and a name.

use super::{Account, Change, Directory, Entity, IamError, names::check_length};
use crate::{
    Time,
    limits::{IAM_ACCOUNT_NAME_CHARS_MAX, IAM_ACCOUNTS_MAX},
};

/// A new account.
pub(super) fn create(directory: &Directory, id: &str, name: &str, now: Time) -> Result<Change, IamError> {
    if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        let pattern = "satisfy regular expression pattern: \\d{12}";
        return Err(IamError::constraint(id, "accountId", pattern));
    }
    check_length(name, "accountName", 1, IAM_ACCOUNT_NAME_CHARS_MAX)?;
    if name.chars().any(char::is_control) {
        let what = "have no control characters";
        return Err(IamError::constraint("…", "accountName", what));
    }
    if directory.account(id).is_some() {
        let message = format!("The account {id} already exists.");
        return Err(IamError::EntityAlreadyExists(message));
    }
    if directory.accounts.len() >= IAM_ACCOUNTS_MAX {
        return Err(IamError::quota("Accounts", IAM_ACCOUNTS_MAX));
    }
    let account = Account {
        id: id.to_owned(),
        name: name.to_owned(),
        created: now,
        ..Account::default()
    };
    Ok(Change::put(id, Entity::Account(account)))
}

/// Twelve random digits, not all of them zero at the beginning: scripts drop leading zeros.
#[must_use]
pub fn drawn_account_id(random: [u8; 16]) -> String {
    let drawn = u128::from_be_bytes(random) % 900_000_000_000;
    (100_000_000_000 + drawn).to_string()
}
