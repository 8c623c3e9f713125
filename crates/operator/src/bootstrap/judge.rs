//! From what was found to what would have to change, without asking anybody.

use std::collections::BTreeMap;

use super::{
    BucketFacts, Facts, Part, Plan, Setting, Step, TableFacts, Target, Verdict, Wanted, plan::TableTarget,
    policy,
};
use crate::{
    dynamodb::TableEncryption,
    s3::{Encryption, Lifecycle, PublicAccessBlock, Rule, Versioning},
};

/// Who owns the objects: the bucket's account, and there are no access control lists.
pub(super) const OWNER: &str = "BucketOwnerEnforced";

/// Our own rule for replaced versions, by its ID.
pub(super) const OLD_VERSIONS: &str = "tidelock-old-versions";
const DELETE_MARKERS: &str = "tidelock-delete-markers";
const UPLOADS: &str = "tidelock-uploads";

/// Parts of a state that nobody has completed for a week never will be.
const UPLOAD_DAYS: u32 = 7;

/// Compares what is wanted with what was found.
#[must_use]
pub fn judge(wanted: &Wanted, facts: Facts) -> Plan {
    let found = facts.bucket.clone();
    let mut judge = Judge {
        wanted,
        is_there: found.is_some(),
        settings: Vec::new(),
        notes: Vec::new(),
        target: target(wanted),
    };
    judge.bucket(&found.unwrap_or_else(|| absent(wanted)));
    if let Some(table) = &wanted.table {
        judge.is_there = facts.table.is_some();
        judge.table(table, facts.table.as_ref());
    }
    Plan {
        settings: judge.settings,
        notes: judge.notes,
        target: judge.target,
        facts,
    }
}

/// What a new bucket is taken to be: AWS sets more by itself, other stores do not.
fn absent(wanted: &Wanted) -> BucketFacts {
    BucketFacts {
        region: Ok(wanted.region.clone()),
        versioning: Ok(Versioning::Never),
        encryption: Ok(None),
        public_access: Ok(None),
        ownership: Ok(None),
        policy: Ok(None),
        lifecycle: Ok(None),
        tags: Ok(BTreeMap::new()),
    }
}

fn target(wanted: &Wanted) -> Target {
    Target {
        bucket: wanted.bucket.clone(),
        region: wanted.region.clone(),
        encryption: None,
        public_access: false,
        ownership: None,
        policy: None,
        lifecycle: None,
        tags: BTreeMap::new(),
        table: None,
    }
}

struct Judge<'a> {
    wanted: &'a Wanted,
    is_there: bool,
    settings: Vec<Setting>,
    notes: Vec<String>,
    target: Target,
}

impl Judge<'_> {
    fn add(&mut self, part: Part, wanted: impl Into<String>, found: impl Into<String>, verdict: Verdict) {
        self.settings.push(Setting {
            part,
            wanted: wanted.into(),
            found: self.is_there.then(|| found.into()),
            verdict,
        });
    }

    /// The setting's own value; where the store has no such setting, that is what is said of it.
    fn told<'f, T>(&mut self, part: Part, wanted: &str, told: &'f Result<T, String>) -> Option<&'f T> {
        match told {
            Ok(found) => Some(found),
            Err(why) => {
                let verdict = Verdict::LeftOut(format!("this store has no such setting: {why}"));
                self.add(part, wanted, "", verdict);
                None
            }
        }
    }

    fn bucket(&mut self, found: &BucketFacts) {
        let verdict = change_unless(self.is_there, || Step::CreateBucket);
        self.add(
            Part::Bucket,
            format!("{} is there", self.wanted.bucket),
            "it is there",
            verdict,
        );
        self.region(&found.region);
        self.public_access(&found.public_access);
        self.ownership(&found.ownership);
        self.versioning(&found.versioning);
        self.encryption(&found.encryption);
        self.policy(&found.policy);
        self.lifecycle(&found.lifecycle);
        self.tags(&found.tags);
    }

    fn region(&mut self, found: &Result<String, String>) {
        let wanted = self.wanted.region.clone();
        let Some(found) = self.told(Part::Region, &wanted, found) else {
            return;
        };
        self.target.region.clone_from(found);
        let verdict = match *found == wanted {
            true => Verdict::AsWanted,
            false => Verdict::Impossible(format!(
                "a bucket cannot move; set region = \"{found}\", or take another name"
            )),
        };
        self.add(Part::Region, wanted, found, verdict);
    }

    fn public_access(&mut self, found: &Result<Option<PublicAccessBlock>, String>) {
        let wanted = "all blocked";
        let Some(found) = self.told(Part::PublicAccess, wanted, found) else {
            return;
        };
        self.target.public_access = true;
        let found = found.unwrap_or_default();
        let open = found.named().into_iter().filter(|(_, on)| !on);
        let open: Vec<&str> = open.map(|(name, _)| name).collect();
        let text = match open.len() {
            0 => wanted.to_owned(),
            4 => "nothing blocked".to_owned(),
            _ => format!("{} is off", open.join(", ")),
        };
        let verdict = change_unless(open.is_empty(), || Step::PublicAccess);
        self.add(Part::PublicAccess, wanted, text, verdict);
    }

    fn ownership(&mut self, found: &Result<Option<String>, String>) {
        let Some(found) = self.told(Part::Ownership, OWNER, found) else {
            return;
        };
        self.target.ownership = Some(OWNER.to_owned());
        let verdict = change_unless(found.as_deref() == Some(OWNER), || Step::Ownership);
        let found = found.as_deref().unwrap_or("not set");
        self.add(Part::Ownership, OWNER, found, verdict);
    }

    fn versioning(&mut self, found: &Result<Versioning, String>) {
        let Some(found) = self.told(Part::Versioning, "enabled", found) else {
            return;
        };
        let text = match found {
            Versioning::Enabled => "enabled",
            Versioning::Suspended => "suspended",
            Versioning::Never => "never enabled",
        };
        let verdict = change_unless(*found == Versioning::Enabled, || Step::Versioning);
        self.add(Part::Versioning, "enabled", text, verdict);
    }

    fn encryption(&mut self, found: &Result<Option<Encryption>, String>) {
        let mut wanted = Encryption::with(self.wanted.kms_key.as_deref());
        let text = encryption_text(&wanted);
        let Some(found) = self.told(Part::Encryption, &text, found) else {
            return;
        };
        let verdict = match found {
            Some(found) if satisfies(found, &wanted) => {
                let is_same = found.algorithm == wanted.algorithm;
                wanted = found.clone();
                if is_same {
                    Verdict::AsWanted
                } else {
                    Verdict::Stricter
                }
            }
            Some(found) => {
                wanted = wanted.keeping_rest_of(found);
                Verdict::Change(Step::Encryption(wanted.clone()))
            }
            None => Verdict::Change(Step::Encryption(wanted.clone())),
        };
        let found = found
            .as_ref()
            .map_or_else(|| "not set".to_owned(), encryption_text);
        self.add(Part::Encryption, text, found, verdict);
        self.target.encryption = Some(wanted);
    }

    /// Two settings and one document.
    fn policy(&mut self, found: &Result<Option<String>, String>) {
        const TLS: &str = "requests without TLS are denied";
        let Some(found) = self.told(Part::TlsOnly, TLS, found) else {
            return;
        };
        let text = found.as_deref();
        let arn = policy::arn(&self.wanted.bucket, &self.target.region);
        let has_tls = text.is_some_and(|text| policy::demands_tls(text, &arn));
        let listed = text.and_then(policy::allow_list);
        let allow = sorted(&self.wanted.allow);
        let has_list = allow.is_empty() || listed.as_ref().is_some_and(|listed| sorted(listed) == allow);
        let mut own = Vec::new();
        if !has_tls && self.wanted.over_tls {
            own.push(policy::tls_only(&arn));
        }
        if !has_list {
            own.push(policy::only_for(&arn, &allow));
        }
        let whole = match own.is_empty() {
            true => text.map(str::to_owned),
            false => policy::with(text, own),
        };
        let change = || match &whole {
            Some(whole) => Verdict::Change(Step::Policy(whole.clone())),
            None => Verdict::Impossible("the bucket's policy is no JSON object; write it anew".to_owned()),
        };
        let verdict = match (has_tls, self.wanted.over_tls) {
            (true, _) => Verdict::AsWanted,
            (false, true) => change(),
            (false, false) => Verdict::LeftOut(
                "it is reached by plain HTTP: such a policy would refuse every request, yours too".to_owned(),
            ),
        };
        let verdict_of_list = if has_list { Verdict::AsWanted } else { change() };
        self.add(
            Part::TlsOnly,
            TLS,
            if has_tls { TLS } else { "they are not" },
            verdict,
        );
        match (allow.is_empty(), listed) {
            (true, None) => {}
            (true, Some(listed)) => {
                let text = list_text(&sorted(&listed));
                self.add(Part::AllowList, "whoever IAM allows", text, Verdict::Stricter);
            }
            (false, listed) => {
                let none = || "whoever IAM allows".to_owned();
                let found = listed.map_or_else(none, |listed| list_text(&sorted(&listed)));
                self.add(Part::AllowList, list_text(&allow), found, verdict_of_list);
            }
        }
        self.target.policy = whole;
    }

    /// Three settings and one list of rules.
    fn lifecycle(&mut self, found: &Result<Option<Lifecycle>, String>) {
        let (days, newer) = (self.wanted.keep_days, self.wanted.keep_versions);
        let wanted = kept_text(days, newer);
        let Some(found) = self.told(Part::OldVersions, &wanted, found) else {
            return;
        };
        let mut all = found.clone().unwrap_or_default();
        let whole: Vec<Rule> = all.rules.iter().filter(|rule| is_whole(rule)).cloned().collect();
        let ends: Vec<(&str, (u32, u32))> = whole
            .iter()
            .filter_map(|rule| Some((rule.id(), rule.expires_replaced_after()?)))
            .collect();
        let is_short =
            |(_, (own_days, own_newer)): &&(&str, (u32, u32))| *own_days < days || *own_newer < newer;
        let own_is_short = ends.iter().filter(is_short).any(|(id, _)| *id == OLD_VERSIONS);
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
            match all.rules.iter_mut().find(|other| other.id() == rule.id()) {
                Some(other) => *other = rule,
                None => all.rules.push(rule),
            }
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
        for (id, (days, newer)) in ends.iter().filter(is_short).filter(|(id, _)| *id != OLD_VERSIONS) {
            let kept = kept_text(*days, *newer);
            self.notes.push(format!(
                "the lifecycle rule {id:?}, which is not of this command, ends more: it keeps {kept}. It stays as it is"
            ));
        }
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

    fn tags(&mut self, found: &Result<BTreeMap<String, String>, String>) {
        if self.wanted.tags.is_empty() {
            self.target.tags = found.clone().unwrap_or_default();
            return;
        }
        let text = tags_text(&self.wanted.tags);
        let Some(found) = self.told(Part::Tags, &text, found) else {
            return;
        };
        let mut all = found.clone();
        all.extend(self.wanted.tags.clone());
        let verdict = change_unless(all == *found, || Step::Tags(all.clone()));
        self.add(Part::Tags, tags_text(&all), tags_text(found), verdict);
        self.target.tags = all;
    }

    fn table(&mut self, name: &str, found: Option<&TableFacts>) {
        let kms_key = self.wanted.table_kms_key.clone();
        let fit = found.is_none_or(|found| found.table.is_for_locks());
        let verdict = match found {
            None => Verdict::Change(Step::CreateTable {
                kms_key: kms_key.clone(),
            }),
            Some(_) if fit => Verdict::AsWanted,
            Some(_) => Verdict::Impossible(
                "Terraform locks with a text called LockID as the only key, and a table's key cannot be changed: take another \
                 name, or delete the table"
                    .to_owned(),
            ),
        };
        let key = found.map_or_else(String::new, |found| key_text(&found.table.key));
        self.add(
            Part::Table,
            format!("{name} is there, its key is LockID"),
            format!("its key is {key}"),
            verdict,
        );
        if !fit {
            return;
        }
        self.target.table = Some(TableTarget {
            name: name.to_owned(),
            kms_key: kms_key.clone(),
            recovery: true,
            deletion_protected: found.is_some_and(|found| found.table.deletion_protected),
        });
        self.recovery(found);
        if let Some(found) = found {
            self.table_encryption(&found.table.encryption, kms_key);
        }
    }

    fn recovery(&mut self, found: Option<&TableFacts>) {
        let told = found
            .and_then(|found| found.recovery.clone())
            .unwrap_or(Ok(false));
        if let Some(on) = self.told(Part::Recovery, "on", &told) {
            let verdict = change_unless(*on, || Step::Recovery);
            self.add(Part::Recovery, "on", if *on { "on" } else { "off" }, verdict);
        } else if let Some(table) = &mut self.target.table {
            table.recovery = false;
        }
    }

    fn table_encryption(&mut self, found: &TableEncryption, wanted: Option<String>) {
        let text = |key: Option<&str>| match key {
            Some(key) => format!("aws:kms with {key}"),
            None => "with a key of DynamoDB's own".to_owned(),
        };
        let has = match found {
            TableEncryption::Owned => None,
            TableEncryption::Kms(key) => Some(key.as_str()),
        };
        let verdict = match (has, &wanted) {
            (None, None) => Verdict::AsWanted,
            (Some(_), None) => Verdict::Stricter,
            (Some(has), Some(key)) if is_same_key(has, key) => Verdict::AsWanted,
            (_, Some(key)) => Verdict::Change(Step::TableEncryption(key.clone())),
        };
        if let (Some(table), None) = (&mut self.target.table, &wanted) {
            table.kms_key = has.map(str::to_owned);
        }
        self.add(Part::TableEncryption, text(wanted.as_deref()), text(has), verdict);
    }
}

fn change_unless(is_so: bool, step: impl FnOnce() -> Step) -> Verdict {
    match is_so {
        true => Verdict::AsWanted,
        false => Verdict::Change(step()),
    }
}

/// Whether what is found is as good: a KMS key is where none is asked for.
fn satisfies(found: &Encryption, wanted: &Encryption) -> bool {
    match (&wanted.kms_key, &found.kms_key) {
        (None, _) => true,
        (Some(wanted), Some(key)) => found.is_kms() && is_same_key(key, wanted),
        (Some(_), None) => false,
    }
}

/// An ARN ends with the ID, or the alias, that names the same key.
fn is_same_key(one: &str, other: &str) -> bool {
    let ends_with = |arn: &str, name: &str| {
        arn.strip_suffix(name).is_some_and(|rest| {
            rest.ends_with(":key/") || (rest.ends_with(':') && name.starts_with("alias/"))
        })
    };
    one == other || ends_with(one, other) || ends_with(other, one)
}

/// Whether a rule is followed for every object.
fn is_whole(rule: &Rule) -> bool {
    rule.is_enabled() && rule.prefix() == Some("")
}

fn encryption_text(encryption: &Encryption) -> String {
    match &encryption.kms_key {
        Some(key) => format!("{} with {key}", encryption.algorithm),
        None => encryption.algorithm.clone(),
    }
}

fn kept_text(days: u32, newer: u32) -> String {
    match newer {
        0 => format!("{days} days"),
        _ => format!("{days} days, and the newest {newer} of each object"),
    }
}

fn tags_text(tags: &BTreeMap<String, String>) -> String {
    match tags.is_empty() {
        true => "none".to_owned(),
        false => {
            let pair = |(key, value): (&String, &String)| format!("{key}={value}");
            tags.iter().map(pair).collect::<Vec<_>>().join(", ")
        }
    }
}

fn list_text(arns: &[String]) -> String {
    format!("nobody but {}", arns.join(", "))
}

fn key_text(key: &[(String, String)]) -> String {
    let names: Vec<&str> = key.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" and ")
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}
