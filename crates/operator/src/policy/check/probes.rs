//! Requests that a policy should not allow unless the role needs them: every known action, on what is the backend's own and
//! on its neighbours.

use super::{Sample, Subject};
use crate::policy::actions::{self, On};

/// One thing, and what could be done to it.
pub(super) struct Probe {
    pub(super) actions: Vec<String>,
    pub(super) scope: &'static str,
    pub(super) sample: Sample,
}

/// A name that nothing has by chance.
const OTHER: &str = "some-other-name";

const PREFIX: &str = "s3:prefix";
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

pub(super) fn of(subject: &Subject) -> Vec<Probe> {
    let mut found = Vec::new();
    add(
        &mut found,
        On::Account,
        "on what is in the account",
        vec![Sample::any()],
    );
    buckets(subject, &mut found);
    objects(subject, &mut found);
    tables(subject, &mut found);
    keys(subject, &mut found);
    found
}

fn add(found: &mut Vec<Probe>, on: On, scope: &'static str, samples: Vec<Sample>) {
    let actions: Vec<String> = actions::all()
        .filter(|(_, of)| *of == on)
        .map(|(name, _)| name)
        .collect();
    found.extend(samples.into_iter().map(|sample| Probe {
        actions: actions.clone(),
        scope,
        sample,
    }));
}

fn with(sample: Sample, key: &'static str, value: &str) -> Sample {
    let keys = vec![(key, value.to_owned())];
    Sample { keys, ..sample }
}

fn buckets(subject: &Subject, found: &mut Vec<Probe>) {
    let own = Sample::at(&subject.bucket_arn());
    let whole = ["", OTHER].map(|prefix| with(own.clone(), PREFIX, prefix));
    add(found, On::Bucket, "on the whole bucket", whole.into());
    let other = Sample::at(&format!("{}-{OTHER}", subject.bucket_arn()));
    let other = vec![with(other, PREFIX, OTHER)];
    add(found, On::Bucket, "on other buckets", other);
}

fn objects(subject: &Subject, found: &mut Vec<Probe>) {
    let (mut states, mut locks, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for state in subject.states() {
        let object = |suffix: &str| Sample::at(&subject.object_arn(&format!("{}{suffix}", state.sample)));
        states.push(object(""));
        locks.push(object(".tflock"));
        beside.push(object(&format!(".{OTHER}")));
        let dir = state.sample.rsplit_once('/').map_or("", |(dir, _)| dir);
        beside.extend((!dir.is_empty()).then(|| Sample::at(&subject.object_arn(&format!("{dir}/{OTHER}")))));
    }
    let other = vec![Sample::at(&subject.object_arn(OTHER))];
    let elsewhere = Sample::at(&format!("{}-{OTHER}/{OTHER}", subject.bucket_arn()));
    for (scope, samples) in [
        ("on the states", states),
        ("on the states' lock files", locks),
        ("on objects beside the states", beside),
        ("on other objects of the bucket", other),
        ("in other buckets", vec![elsewhere]),
    ] {
        add(found, On::Object, scope, samples);
    }
}

fn tables(subject: &Subject, found: &mut Vec<Probe>) {
    if let Some(table) = &subject.table {
        let own = Sample::at(&Sample::concrete(&subject.table_arn(table)));
        let of_states = subject.states().into_iter().flat_map(|state| {
            let id = format!("{}/{}", subject.bucket, state.sample);
            [format!("{id}-md5"), id].map(|id| with(own.clone(), LEADING_KEYS, &id))
        });
        add(
            found,
            On::Table,
            "on the states' items in the table",
            of_states.collect(),
        );
        let others = vec![with(own, LEADING_KEYS, OTHER)];
        add(
            found,
            On::Table,
            "on other items of the table, or all of it",
            others,
        );
    }
    let other = Sample::at(&Sample::concrete(&subject.table_arn(OTHER)));
    let others = vec![with(other, LEADING_KEYS, OTHER)];
    add(found, On::Table, "on other tables", others);
}

fn keys(subject: &Subject, found: &mut Vec<Probe>) {
    let mut own = None;
    if let Some(key) = &subject.kms_key {
        let (arn, alias) = subject.kms_arn(key);
        let mut keys = vec![("kms:ViaService", Sample::concrete(&subject.s3_endpoints()[0]))];
        keys.extend(alias.map(|alias| ("kms:ResourceAliases", alias)));
        let resource = Sample::concrete(&arn);
        add(
            found,
            On::Key,
            "on the states' key",
            vec![Sample { resource, keys }],
        );
        own = Some(Sample::at(&Sample::concrete(&arn)));
    }
    // As who asks KMS itself: what S3 opens and seals, it does for those who may read and write the objects.
    add(
        found,
        On::Key,
        "on the states' key, without S3's asking",
        own.into_iter().collect(),
    );
    let other = Sample::at(&Sample::concrete(&subject.kms_arn(OTHER).0));
    add(found, On::Key, "on other keys", vec![other]);
}
