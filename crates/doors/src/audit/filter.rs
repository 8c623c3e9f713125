//! Which entries somebody wants to see.

use super::{Effect, Entry};

/// What an entry must be like; all of it at once.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// What its address, or its table, begins with.
    pub address: Option<String>,
    /// Its principal: the ARN, the last words of it, or the access key id.
    pub principal: Option<String>,
    /// Its operation or one of the actions decided; any case, and any rest where it ends with `*`.
    pub action: Option<String>,
    /// The id of its request.
    pub request_id: Option<String>,
    /// Refused for want of a right or of a proof.
    pub denied: bool,
}

impl Filter {
    /// Whether the entry is wanted.
    #[must_use]
    pub fn lets_through(&self, entry: &Entry) -> bool {
        let holds = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        holds(&self.address, &|prefix| is_about(entry, prefix))
            && holds(&self.principal, &|name| is_by(entry, name))
            && holds(&self.action, &|name| does(entry, name))
            && holds(&self.request_id, &|id| entry.request_id == id)
            && (!self.denied || is_refused(entry))
    }
}

fn is_about(entry: &Entry, prefix: &str) -> bool {
    let parts = entry.parts.iter().map(|part| &part.address);
    [&entry.address, &entry.table]
        .into_iter()
        .chain(parts)
        .any(|name| name.starts_with(prefix))
}

fn is_by(entry: &Entry, name: &str) -> bool {
    let principal = entry.principal.as_str();
    let rest = principal.strip_suffix(name);
    entry.access_key_id == name || rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', ':']))
}

fn does(entry: &Entry, name: &str) -> bool {
    let is = |action: &str| match name.strip_suffix('*') {
        Some(start) => action
            .get(..start.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => action.eq_ignore_ascii_case(name),
    };
    is(&entry.operation) || entry.decided.iter().any(|decided| is(&decided.action))
}

fn is_refused(entry: &Entry) -> bool {
    let denied = |decided: &super::Decided| decided.effect == Effect::DeniedExplicitly;
    entry.is_denied() || entry.decided.iter().any(denied)
}

#[cfg(test)]
mod tests {
    use super::{super::Decided, *};

    fn entry() -> Entry {
        Entry {
            door: "s3".to_owned(),
            operation: "PutObject".to_owned(),
            address: "tfstate/net/a".to_owned(),
            principal: "arn:aws:iam::000000000000:user/ann".to_owned(),
            access_key_id: "AKIA1".to_owned(),
            status: 200,
            decided: vec![Decided {
                action: "s3:PutObject".to_owned(),
                resource: "arn:aws:s3:::tfstate/net/a".to_owned(),
                effect: Effect::Allowed,
                by: Vec::new(),
                missing: String::new(),
            }],
            ..Entry::default()
        }
    }

    #[test]
    fn each_condition_lets_through_what_it_names_and_nothing_else() {
        let some = |text: &str| Some(text.to_owned());
        let lets = |filter: Filter| filter.lets_through(&entry());
        for (address, is) in [("tfstate/", true), ("tfstate/net/a", true), ("state", false)] {
            let filter = Filter {
                address: some(address),
                ..Filter::default()
            };
            assert_eq!(lets(filter), is, "{address}");
        }
        for (principal, is) in [
            ("arn:aws:iam::000000000000:user/ann", true),
            ("user/ann", true),
            ("ann", true),
            ("AKIA1", true),
            ("nn", false),
            ("AKIA", false),
        ] {
            let filter = Filter {
                principal: some(principal),
                ..Filter::default()
            };
            assert_eq!(lets(filter), is, "{principal}");
        }
        for (action, is) in [
            ("PutObject", true),
            ("s3:putobject", true),
            ("s3:Put*", true),
            ("Put", false),
            ("s3:GetObject", false),
        ] {
            let filter = Filter {
                action: some(action),
                ..Filter::default()
            };
            assert_eq!(lets(filter), is, "{action}");
        }
        let denied = Filter {
            denied: true,
            ..Filter::default()
        };
        assert!(!lets(denied));
    }
}
