//! From what was found to what would have to change, without asking anybody.

mod lifecycle;
mod policy;
mod table;

use std::collections::BTreeMap;

use super::{BucketFacts, Facts, Part, Plan, Setting, Step, Target, Verdict, Wanted};
use crate::s3::{Encryption, PublicAccessBlock, Versioning};

pub(super) use lifecycle::OLD_VERSIONS;

/// Who owns the objects: the bucket's account, and there are no access control lists.
pub(super) const OWNER: &str = "BucketOwnerEnforced";

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

fn encryption_text(encryption: &Encryption) -> String {
    match &encryption.kms_key {
        Some(key) => format!("{} with {key}", encryption.algorithm),
        None => encryption.algorithm.clone(),
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
