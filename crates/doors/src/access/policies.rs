//! Policies of resources, compiled once for each text. What is kept is a function of the text alone, so it cannot be stale.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tidelock_core::{
    limits::RESOURCE_POLICIES_MAX,
    policy::{Kind, Named, Policy},
};

/// Stands for a policy that cannot be read.
const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;

/// The compiled policies, by kind, name and text.
#[derive(Default)]
pub(crate) struct Policies(Mutex<HashMap<Policed, Arc<Named>>>);

type Policed = (u8, String, String);

impl Policies {
    /// The policy of this text, called `name` where it decides. What was stored as a policy and cannot be read as one any more
    /// denies everything: what it denied is not known.
    pub(crate) fn of(&self, kind: Kind, name: &str, text: &str) -> Arc<Named> {
        let key = (kind as u8, name.to_owned(), text.to_owned());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = known.get(&key) {
            return Arc::clone(policy);
        }
        let policy = Arc::new(Named {
            name: name.to_owned(),
            policy: Policy::parse(text, kind).unwrap_or_else(|why| {
                tracing::error!(%why, "{name} cannot be read, and so denies everything; put another in its place");
                Policy::parse(DENY_ALL, kind).expect("it is one")
            }),
        });
        if known.len() >= RESOURCE_POLICIES_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&policy));
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_cannot_be_read_denies() {
        for kind in [Kind::Bucket, Kind::Key] {
            assert!(Policy::parse(DENY_ALL, kind).is_ok(), "{kind:?}");
            let policies = Policies::default();
            let unreadable = policies.of(kind, "p", "no policy");
            assert!(Arc::ptr_eq(&unreadable, &policies.of(kind, "p", "no policy")));
        }
    }
}
