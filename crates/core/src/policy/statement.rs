//! One statement of a policy, and whether it is about a request.

use super::{condition::Condition, pattern::Pattern, principal::Principals, request::Keys};

/// A statement, read.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Its Sid, or its place as `statement 2`.
    pub(super) label: String,
    pub(super) allows: bool,
    /// In policies of resources.
    pub(super) principals: Option<Principals>,
    /// In lower case.
    pub(super) actions: Listed,
    /// Not in trust policies.
    pub(super) resources: Option<Listed>,
    pub(super) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) not: bool,
    pub(super) patterns: Vec<Pattern>,
}

impl Listed {
    fn includes(&self, text: &str, keys: &Keys<'_>) -> bool {
        self.not != self.patterns.iter().any(|pattern| pattern.matches(text, keys))
    }
}

impl Statement {
    /// Whether it is about this action on this resource in these circumstances, whoever asks. `action` is in lower case.
    pub(super) fn applies(&self, action: &str, keys: &Keys<'_>) -> bool {
        self.actions.includes(action, keys)
            && self
                .resources
                .as_ref()
                .is_none_or(|listed| listed.includes(keys.0.resource, keys))
            && self.conditions.iter().all(|condition| condition.holds(keys))
            && !(self.allows && self.is_doubtful(keys))
    }

    /// Whether it says "all but" what a variable stands for, and the variable has no value: all but nothing would be too
    /// much to allow. AWS takes such a statement for invalid.
    fn is_doubtful(&self, keys: &Keys<'_>) -> bool {
        let excepted = self
            .resources
            .iter()
            .filter(|listed| listed.not)
            .flat_map(|listed| &listed.patterns);
        let refused = self
            .conditions
            .iter()
            .filter(|condition| condition.negated)
            .flat_map(Condition::patterns);
        excepted.chain(refused).any(|pattern| !pattern.is_resolved(keys))
    }
}
