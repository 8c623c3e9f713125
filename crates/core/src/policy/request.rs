//! What is asked: who, what, on which resource, and the condition keys that come with it.

use std::collections::BTreeMap;

use super::principal::{Principal, PrincipalKind};

/// One request to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// The action with its service, as `s3:GetObject`.
    pub action: &'a str,
    /// The resource's ARN, or `*` for an action that is on none.
    pub resource: &'a str,
    /// The account that the resource belongs to.
    pub resource_account: &'a str,
    /// The condition keys of the request. Those that follow from the other fields are known without.
    pub context: &'a Context,
}

/// Condition keys and their values. The names' case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// Sets the one value of a key.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Adds a value to a key that may have several.
    pub fn push(&mut self, key: &str, value: impl Into<String>) {
        self.0
            .entry(key.to_ascii_lowercase())
            .or_default()
            .push(value.into());
    }

    /// Adds the keys of `other` that are not there yet.
    pub fn add(&mut self, other: &Context) {
        for (key, values) in &other.0 {
            self.0.entry(key.clone()).or_insert_with(|| values.clone());
        }
    }

    /// The values of a key; none if the request has none.
    #[must_use]
    pub fn values(&self, key: &str) -> &[String] {
        self.0.get(&key.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

/// All condition keys of a request, those that follow from who asks first: a context cannot change them.
pub(super) struct Keys<'a>(pub(super) &'a Request<'a>);

/// The values of one key. A key without any is a key that is not there.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    one: Option<&'a str>,
    more: &'a [String],
}

impl<'a> Values<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> {
        self.one.into_iter().chain(self.more.iter().map(String::as_str))
    }

    pub(super) fn is_empty(self) -> bool {
        self.one.is_none() && self.more.is_empty()
    }
}

impl<'a> Keys<'a> {
    /// The values of a key, given in lower case.
    pub(super) fn values(&self, key: &str) -> Values<'a> {
        match self.own(key) {
            Some(one) => Values { one, more: &[] },
            None => Values {
                one: None,
                more: self.0.context.0.get(key).map_or(&[], Vec::as_slice),
            },
        }
    }

    /// The value of a key that has exactly one, which is what a variable stands for.
    pub(super) fn only(&self, key: &str) -> Option<&'a str> {
        let mut values = self.values(key).iter();
        values.next().filter(|_| values.next().is_none())
    }

    /// What follows from the request: `None` where the context has the word, `Some(None)` where the key is not there.
    fn own(&self, key: &str) -> Option<Option<&'a str>> {
        let Principal {
            account,
            arn,
            kind,
            user_id,
            tags,
        } = self.0.principal;
        let there = |value: &'a str| (!value.is_empty()).then_some(value);
        Some(match key {
            "aws:principalarn" => match kind {
                PrincipalKind::Session { role_arn, .. } => Some(role_arn),
                PrincipalKind::Federated { .. } => None,
                PrincipalKind::Root | PrincipalKind::User { .. } => Some(arn),
            },
            "aws:principalaccount" => there(account),
            "aws:principaltype" => Some(kind.word()),
            "aws:principalisawsservice" => Some("false"),
            "aws:userid" => there(user_id),
            "aws:username" => match kind {
                PrincipalKind::User { name } => Some(name),
                _ => None,
            },
            "aws:federatedprovider" => kind.provider(),
            "aws:resourceaccount" => there(self.0.resource_account),
            _ => {
                let tag = key.strip_prefix("aws:principaltag/")?;
                tags.iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(tag))
                    .map(|(_, value)| value.as_str())
            }
        })
    }
}
