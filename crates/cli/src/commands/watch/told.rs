//! What of a look at the locks is news: old ones that nobody was told of yet, and those that have ended since.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidelock_core::limits::WEBHOOK_LOCKS_MAX;

use crate::{commands::held::Held, duration::written};

/// The old locks that somebody was told of and that have not ended, as far as was told.
#[derive(Default)]
pub(super) struct Told(BTreeMap<(String, String), Held>);

/// What somebody is to be told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    pub(super) old: Vec<Held>,
    pub(super) ended: Vec<Held>,
}

impl Told {
    /// What is new in a look that found these old locks, and no others.
    pub(super) fn news(&self, old: &[Held]) -> News {
        let is_there = |(address, id): &(String, String)| {
            old.iter().any(|held| held.address == *address && held.id == *id)
        };
        let new = old.iter().filter(|held| !self.0.contains_key(&named(held)));
        let ended = self.0.iter().filter(|(named, _)| !is_there(named));
        News {
            old: new.cloned().collect(),
            ended: ended.map(|(_, held)| held.clone()).collect(),
        }
    }

    /// Remembers that it was told.
    pub(super) fn take(&mut self, news: News) {
        for held in &news.ended {
            self.0.remove(&named(held));
        }
        self.0
            .extend(news.old.into_iter().map(|held| (named(&held), held)));
    }
}

fn named(held: &Held) -> (String, String) {
    (held.address.clone(), held.id.clone())
}

impl News {
    pub(super) fn is_none(&self) -> bool {
        self.old.is_empty() && self.ended.is_empty()
    }

    /// As a chat room shows it.
    pub(super) fn text(&self, now_ms: i64, older_than_ms: i64) -> String {
        let mut lines = Vec::new();
        if !self.old.is_empty() {
            lines.push(format!(
                "{} for longer than {}:",
                locks(self.old.len(), "held"),
                written(older_than_ms)
            ));
            lines.extend(
                self.old
                    .iter()
                    .take(WEBHOOK_LOCKS_MAX)
                    .map(|held| held.line(now_ms)),
            );
        }
        if !self.ended.is_empty() {
            lines.push(format!("{}:", locks(self.ended.len(), "no longer held")));
            lines.extend(self.ended.iter().take(WEBHOOK_LOCKS_MAX).map(Held::name));
        }
        lines.join("\n")
    }

    /// What a webhook is posted: `text` is what Slack and those like it show, the rest is for programs.
    pub(super) fn document(&self, now_ms: i64, older_than_ms: i64) -> Value {
        let first = |all: &[Held]| all.iter().take(WEBHOOK_LOCKS_MAX).cloned().collect::<Vec<_>>();
        json!({
            "text": self.text(now_ms, older_than_ms),
            "now_ms": now_ms,
            "older_than_ms": older_than_ms,
            "old": first(&self.old),
            "old_count": self.old.len(),
            "ended": first(&self.ended),
            "ended_count": self.ended.len(),
        })
    }
}

fn locks(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 lock is {what}"),
        count => format!("{count} locks are {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: &str) -> Held {
        Held {
            address: "states/app".to_owned(),
            id: id.to_owned(),
            operation: "OperationTypeApply".to_owned(),
            who: "ann@ci".to_owned(),
            since_ms: Some(0),
            doors: vec!["file".to_owned(), "table".to_owned()],
            lives: false,
        }
    }

    #[test]
    fn a_lock_is_told_once_and_so_is_its_end() {
        let mut told = Told::default();
        let first = told.news(&[held("1")]);
        assert_eq!(first.old, [held("1")]);
        told.take(first);
        assert!(told.news(&[held("1")]).is_none());
        let next = told.news(&[held("2")]);
        assert_eq!(
            (&next.old[..], &next.ended[..]),
            (&[held("2")][..], &[held("1")][..])
        );
        told.take(next);
        let last = told.news(&[]);
        assert_eq!(last.ended, [held("2")]);
        told.take(last);
        assert!(told.news(&[]).is_none());
    }

    #[test]
    fn what_was_not_told_is_news_again() {
        let told = Told::default();
        assert_eq!(told.news(&[held("1")]), told.news(&[held("1")]));
        assert!(told.news(&[]).is_none());
    }

    #[test]
    fn a_message_is_bounded_and_says_how_many_there_are() {
        let ids: Vec<String> = (0..WEBHOOK_LOCKS_MAX + 5).map(|id| id.to_string()).collect();
        let all: Vec<Held> = ids.iter().map(|id| held(id)).collect();
        let document = Told::default().news(&all).document(7_500_000, 3_600_000);
        assert_eq!(document["old"].as_array().map(Vec::len), Some(WEBHOOK_LOCKS_MAX));
        assert_eq!(document["old_count"], WEBHOOK_LOCKS_MAX + 5);
        let text = document["text"].as_str().unwrap_or_default();
        assert!(text.starts_with("25 locks are held for longer than 1h 0m:\nstates/app: ann@ci, OperationTypeApply, for 2h 5m, lock 0\n"), "{text}");
        assert_eq!(text.lines().count(), 1 + WEBHOOK_LOCKS_MAX);
    }
}
