//! From what was seen to what is wrong with it. Pure, so that every finding has a fixture.

mod block;
mod bucket;
mod others;
mod states;
mod store;
#[cfg(test)]
mod tests;

use tidelock_core::diff::visible;

use super::{
    facts::{Fact, Setup},
    finding::Finding,
};

/// What is wrong with one part.
pub(super) fn judge(setup: &Setup, fact: &Fact) -> Vec<Finding> {
    match fact {
        Fact::Block(block) => block::judge(setup, block),
        Fact::Others(others) => others::judge(others),
        Fact::Caller(caller) => store::caller(setup, caller).into_iter().collect(),
        Fact::Clock(clock) => store::clock(*clock).into_iter().collect(),
        Fact::Permissions(permissions) => store::permissions(setup, permissions),
        Fact::Race(race) => store::race(setup, race).into_iter().collect(),
        Fact::Wire(wire) => store::wire(setup, wire),
        Fact::Bucket(bucket) => bucket::judge(setup, bucket),
        Fact::Table(table) => bucket::table(setup, table),
        Fact::State(state) => states::state(setup, state).into_iter().collect(),
        Fact::LeftOverDigest(key) => vec![states::left_over_digest(setup, key)],
        Fact::Lock(lock) => states::lock(setup, lock),
        Fact::LockVersions(versions) => states::lock_versions(setup, *versions).into_iter().collect(),
    }
}

impl Setup {
    /// A command of ours that means the same bucket and table.
    fn tidelock(&self, command: &str) -> String {
        format!("tidelock {command}{}", self.flags)
    }

    /// The same for one state.
    fn tidelock_on(&self, command: &str, key: &str) -> String {
        let line = self.tidelock(command);
        // Where a block was read, the other command finds its state as well.
        match self.lock_file.is_some() && self.key.as_deref() == Some(key) {
            true => line,
            // As one word, since a key may begin with a dash.
            false => format!("{line} --key={}", quoted(key)),
        }
    }

    /// A command of the AWS CLI, as the same profile, in the same region, at the same endpoint.
    fn aws(&self, command: &str) -> String {
        let endpoint = match command.starts_with("dynamodb ") {
            true => &self.dynamodb_endpoint,
            false => &self.endpoint,
        };
        let mut line = "aws".to_owned();
        for (flag, value) in [
            ("--profile", &self.profile),
            ("--region", &self.region),
            ("--endpoint-url", endpoint),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                line.push_str(&format!(" {flag} {}", quoted(value)));
            }
        }
        format!("{line} {command}")
    }

    /// Whether requests go over TLS, so that the bucket may ask for it.
    fn is_over_tls(&self) -> bool {
        self.endpoint
            .as_ref()
            .is_none_or(|endpoint| endpoint.starts_with("https://"))
    }
}

/// `text` as one word of a POSIX shell, without what would move the cursor.
pub(super) fn quoted(text: &str) -> String {
    let text = visible(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
