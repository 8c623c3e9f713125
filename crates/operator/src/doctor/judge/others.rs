//! One directory's backend block beside those of the others: what was copied too much, what was not copied.

use std::collections::BTreeMap;

use tidelock_core::diff::visible;

use crate::doctor::{
    facts::{Others, Place},
    finding::{Finding, Id},
};

/// What directories of one team have in common.
const COMMON: [&str; 8] = [
    "bucket",
    "dynamodb_table",
    "encrypt",
    "endpoints.s3",
    "kms_key_id",
    "region",
    "use_lockfile",
    "workspace_key_prefix",
];

/// Fewer than so many blocks have no custom.
const BLOCKS_MIN: usize = 3;

pub(super) fn judge(others: &Others) -> Vec<Finding> {
    let mut found = shared(others);
    found.extend(COMMON.iter().filter_map(|name| differs(name, others)));
    found
}

fn shared(others: &Others) -> Vec<Finding> {
    let ours = &others.ours;
    let is_same = |other: &&Place| {
        ["bucket", "key", "endpoints.s3"]
            .iter()
            .all(|name| ours.settings.get(*name) == other.settings.get(*name))
            && ours.settings.contains_key("bucket")
            && ours.settings.contains_key("key")
    };
    let finding = |other: &Place| {
        let (here, there) = (visible(&ours.at), visible(&other.at));
        let key = visible(&ours.settings["key"]);
        let both = |name| is_set(ours, name) && is_set(other, name);
        let table = both("dynamodb_table")
            && ours.settings.get("dynamodb_table") == other.settings.get("dynamodb_table");
        let one = |place: &Place| is_set(place, "use_lockfile") || is_set(place, "dynamodb_table");
        if !table && !both("use_lockfile") && one(ours) && one(other) {
            let what = format!(
                "{here} and {there} have the same state {key}, and lock it in different ways: they do not exclude each other"
            );
            return Finding::new(
                Id::LocksDiffer,
                what,
                "tidelock migrate dynamodb-to-lockfile PATH --phase 1, with a PATH above both",
            );
        }
        let what = format!(
            "{here} and {there} have the same state {key}: each would destroy what the other has made"
        );
        let mend = "give one of them a key of its own, before the next apply; if both are meant to be one, remove one directory";
        Finding::new(Id::KeyShared, what, mend)
    };
    others.others.iter().filter(is_same).map(finding).collect()
}

fn is_set(place: &Place, name: &str) -> bool {
    place.settings.get(name).is_some_and(|value| value != "false")
}

/// Whether more than half of all blocks say the same, and this one says something else.
fn differs(name: &str, others: &Others) -> Option<Finding> {
    let all = 1 + others.others.len();
    if all < BLOCKS_MIN {
        return None;
    }
    let value = |place: &Place| place.settings.get(name).filter(|_| is_set(place, name)).cloned();
    let mut counts: BTreeMap<Option<String>, (usize, &Place)> = BTreeMap::new();
    for other in &others.others {
        counts.entry(value(other)).or_insert((0, other)).0 += 1;
    }
    let (usual, (count, example)) = counts.into_iter().max_by_key(|(_, (count, _))| *count)?;
    let ours = value(&others.ours);
    if count * 2 <= all || usual == ours {
        return None;
    }
    let shown = |value: &Option<String>| {
        let set = value.as_ref().map(|value| format!("\"{}\"", visible(value)));
        set.unwrap_or_else(|| "not set".to_owned())
    };
    let (here, there) = (visible(&others.ours.at), visible(&example.at));
    let what = format!(
        "{here}: {name} is {}, but {} in {count} of {all} directories, such as {there}",
        shown(&ours),
        shown(&usual)
    );
    let mend = match &usual {
        Some(usual) => format!(
            "if that is no purpose, write {name} = \"{}\", then: terraform init -migrate-state",
            visible(usual)
        ),
        None => format!("if that is no purpose, take {name} out, then: terraform init -migrate-state"),
    };
    Some(Finding::new(Id::ConfigDiffers, what, mend))
}
