//! Which table is meant: tables belong to accounts, and a request names one by its name or by its ARN.
//!
//! A table of the first account is stored under its name, one of another under `ACCOUNT:NAME`; no name has a colon.

use tidelock_core::iam::DEFAULT_ACCOUNT;

use super::{
    error::{Error, invalid},
    request::constraint,
};

/// Where a request comes from, as far as names depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Home {
    /// The account whose tables a bare name is about.
    pub(crate) account: String,
    /// The region that ARNs show: this server is one place, whichever region its clients name.
    pub(crate) region: String,
}

impl Home {
    /// That of who asks.
    pub(crate) fn of(account: &str, region: &str) -> Home {
        Home {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    /// The name under which the table is stored that a request calls so in its field `member`.
    pub(crate) fn stored(&self, named: &str, member: &str) -> Result<String, Error> {
        let (account, name) = in_arn(named).unwrap_or((&self.account, named));
        check_table_name(name, member)?;
        Ok(stored(account, name))
    }

    /// The ARN of a table, by the name under which it is stored.
    pub(crate) fn arn(&self, stored: &str) -> String {
        let (account, name) = split(stored);
        format!("arn:aws:dynamodb:{}:{account}:table/{name}", self.region)
    }
}

fn stored(account: &str, name: &str) -> String {
    match account {
        DEFAULT_ACCOUNT => name.to_owned(),
        other => format!("{other}:{name}"),
    }
}

/// The account that a stored table belongs to, and what its clients call it.
pub(crate) fn split(stored: &str) -> (&str, &str) {
    stored.split_once(':').unwrap_or((DEFAULT_ACCOUNT, stored))
}

/// What comes before the names of all tables of an account.
pub(crate) fn prefix(account: &str) -> String {
    stored(account, "")
}

/// Account and name in `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME`.
pub(crate) fn in_arn(arn: &str) -> Option<(&str, &str)> {
    let (_, rest) = arn.strip_prefix("arn:aws:dynamodb:")?.split_once(':')?;
    let (account, name) = rest.split_once(":table/")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then_some((account, name))
}

/// 3 to 255 of `a-zA-Z0-9_.-`.
pub(crate) fn check_table_name(name: &str, member: &str) -> Result<(), Error> {
    let broken = |rule: &str| invalid(constraint(&format!("'{name}'"), member, rule));
    if name.len() > 255 {
        return broken("Member must have length less than or equal to 255");
    }
    if name.len() < 3 {
        return broken("Member must have length greater than or equal to 3");
    }
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    {
        return broken("Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
    }
    Ok(())
}
