//! The bucket's lifecycle rules: when replaced versions, delete markers and uploads end.

use super::{Judge, change_unless};
use crate::{
    bootstrap::{Part, Step, Verdict},
    s3::{Lifecycle, Rule},
};

/// Our own rule for replaced versions, by its ID.
pub(in crate::bootstrap) const OLD_VERSIONS: &str = "tidelock-old-versions";
const DELETE_MARKERS: &str = "tidelock-delete-markers";
const UPLOADS: &str = "tidelock-uploads";

/// Parts of a state that nobody has completed for a week never will be.
const UPLOAD_DAYS: u32 = 7;

/// A rule by its ID, and after how many days and behind how many newer ones it ends a replaced version.
type End<'a> = (&'a str, (u32, u32));

impl Judge<'_> {
    /// Three settings and one list of rules.
    pub(super) fn lifecycle(&mut self, found: &Result<Option<Lifecycle>, String>) {
        let (days, newer) = (self.wanted.keep_days, self.wanted.keep_versions);
        let wanted = kept_text(days, newer);
        let Some(found) = self.told(Part::OldVersions, &wanted, found) else {
            return;
        };
        let mut all = found.clone().unwrap_or_default();
        let whole: Vec<Rule> = all.rules.iter().filter(|rule| is_whole(rule)).cloned().collect();
        let ends: Vec<End<'_>> = whole
            .iter()
            .filter_map(|rule| Some((rule.id(), rule.expires_replaced_after()?)))
            .collect();
        let own_is_short = ends.iter().any(|end| end.0 == OLD_VERSIONS && self.is_short(end));
        let has_markers = whole.iter().any(Rule::removes_delete_markers);
        let has_uploads = whole.iter().any(|rule| rule.ends_uploads_after().is_some());
        // Versions that somebody keeps for ever end only for who says so.
        let keeps_all = ends.is_empty() && self.is_there && !self.wanted.ends_versions;
        let needs_old = own_is_short || (ends.is_empty() && !keeps_all);
        let needs = [
            (needs_old, Rule::of_old_versions(OLD_VERSIONS, days, newer)),
            (!has_markers, Rule::of_delete_markers(DELETE_MARKERS)),
            (!has_uploads, Rule::of_uploads(UPLOADS, UPLOAD_DAYS)),
        ];
        for (_, rule) in needs.into_iter().filter(|(is_needed, _)| *is_needed) {
            put(&mut all, rule);
        }
        let change = |is_so| change_unless(is_so, || Step::Lifecycle(all.clone()));
        let verdict = match ends.first() {
            None if keeps_all => Verdict::Stricter,
            Some((_, found)) if !needs_old && *found != (days, newer) => Verdict::Stricter,
            _ => change(!needs_old),
        };
        let text = ends
            .first()
            .map_or("all, for ever".to_owned(), |(_, (days, newer))| {
                kept_text(*days, *newer)
            });
        self.add(Part::OldVersions, wanted, text, verdict);
        self.note_shorter(&ends);
        self.note_expiring(&all);
        let removed = "removed when they hide nothing";
        self.add(
            Part::DeleteMarkers,
            removed,
            if has_markers { removed } else { "kept for ever" },
            change(has_markers),
        );
        let ended = format!("ended after {UPLOAD_DAYS} days");
        let found = whole.iter().find_map(Rule::ends_uploads_after);
        let found = found.map_or("kept for ever".to_owned(), |days| {
            format!("ended after {days} days")
        });
        self.add(Part::Uploads, ended, found, change(has_uploads));
        self.target.lifecycle = Some(all);
    }

    /// Whether a rule keeps less than is wanted.
    fn is_short(&self, (_, (days, newer)): &End<'_>) -> bool {
        *days < self.wanted.keep_days || *newer < self.wanted.keep_versions
    }

    fn note_shorter(&mut self, ends: &[End<'_>]) {
        for end in ends.iter().filter(|end| end.0 != OLD_VERSIONS) {
            let (id, (days, newer)) = end;
            if self.is_short(end) {
                let kept = kept_text(*days, *newer);
                self.notes.push(format!(
                    "the lifecycle rule {id:?}, which is not of this command, ends more: it keeps {kept}. It stays as it is"
                ));
            }
        }
    }

    /// States are current objects: a rule that deletes those deletes states.
    fn note_expiring(&mut self, lifecycle: &Lifecycle) {
        let expiring = lifecycle.rules.iter().filter(|rule| rule.is_enabled());
        for rule in expiring.filter(|rule| rule.expires_current_after().is_some()) {
            let below = match rule.prefix() {
                Some("") => "every state".to_owned(),
                Some(prefix) => format!("states below {prefix}"),
                None => "some states".to_owned(),
            };
            self.notes.push(format!(
                "the lifecycle rule {:?}, which is not of this command, deletes {below} that nobody has written for a while. \
                 It stays as it is",
                rule.id()
            ));
        }
    }
}

/// Writes a rule over the one of the same ID.
fn put(lifecycle: &mut Lifecycle, rule: Rule) {
    let rules = &mut lifecycle.rules;
    match rules.iter_mut().find(|other| other.id() == rule.id()) {
        Some(other) => *other = rule,
        None => rules.push(rule),
    }
}

/// Whether a rule is followed for every object.
fn is_whole(rule: &Rule) -> bool {
    rule.is_enabled() && rule.prefix() == Some("")
}

fn kept_text(days: u32, newer: u32) -> String {
    match newer {
        0 => format!("{days} days"),
        _ => format!("{days} days, and the newest {newer} of each object"),
    }
}
