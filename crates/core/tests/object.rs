//! S3's rules for versions, checked against a plain list of versions for any sequence of commands.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use tidelock_core::{
    BlobId, Body, Caller, Content, Record, Stored, Time, Version, VersionId, Versioning, decide,
    decide::{Claim, Delete, DeleteVersion, Effects, Precondition, Refused, Write},
};

fn body(n: u8) -> Body {
    Body {
        stored: Stored {
            blob: BlobId([n; 16]),
            ..Stored::default()
        },
        size: 1,
        md5: format!("{n:032x}"),
        etag: format!("{n:032x}"),
        state: None,
        content: Content::default(),
        part_sizes: Vec::new(),
        upload: None,
    }
}

fn write(n: u8, versioning: Versioning, older_null: Option<Version>) -> Write {
    Write {
        restores: false,
        body: body(n),
        random: 7,
        versioning,
        precondition: Precondition::default(),
        caller: Caller::default(),
        claim: Claim::Caller,
        older_null,
    }
}

/// A record, and the older versions as the service would keep them.
#[derive(Default)]
struct Object {
    record: Record,
    older: Vec<Version>,
}

impl Object {
    fn settle(&mut self, record: Record, effects: &Effects) {
        self.record = record;
        self.older
            .retain(|old| !effects.dropped.contains(old) && effects.promoted.as_ref() != Some(old));
        self.older.extend(effects.keep.clone());
        self.older.sort_by_key(|version| std::cmp::Reverse(version.seq));
    }

    fn older_null(&self) -> Option<Version> {
        let seq = self.record.older_null?;
        Some(self.older.iter().find(|old| old.seq == seq).unwrap().clone())
    }

    fn put(&mut self, n: u8, versioning: Versioning) {
        let (record, outcome) = decide(&self.record, &write(n, versioning, self.older_null()), Time(0));
        self.settle(record, &outcome.unwrap().effects);
    }

    fn delete(&mut self, versioning: Versioning) {
        let command = Delete {
            caller: Caller::default(),
            random: 7,
            versioning,
            precondition: Precondition::default(),
            older_null: self.older_null(),
        };
        let (record, outcome) = decide(&self.record, &command, Time(0));
        self.settle(record, &outcome.unwrap().effects);
    }

    fn delete_version(&mut self, id: &VersionId) {
        let older = self.older.iter().find(|old| old.id == *id).cloned();
        let command = DeleteVersion {
            bypass: false,
            caller: Caller::default(),
            older,
            id: id.clone(),
            next: self.older.first().cloned(),
        };
        let (record, outcome) = decide(&self.record, &command, Time(0));
        self.settle(record, &outcome.unwrap().effects);
    }

    fn all(&self) -> Vec<Version> {
        self.record.head.iter().chain(&self.older).cloned().collect()
    }
}

/// The same rules over a plain list, newest first: what S3's documentation says in as many words.
#[derive(Default)]
struct Model(Vec<(String, Option<u8>)>);

impl Model {
    fn push(&mut self, id: &str, content: Option<u8>) {
        if id == "null" {
            self.0.retain(|(old, _)| old != "null");
        }
        self.0.insert(0, (id.to_owned(), content));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, Versioning),
    Delete(Versioning),
    DeleteVersion(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    // Versioning can be enabled and suspended, but never goes back to what it was before.
    let versioning = prop_oneof![Just(Versioning::Enabled), Just(Versioning::Suspended)];
    prop_oneof![
        (any::<u8>(), versioning.clone()).prop_map(|(n, v)| Step::Put(n, v)),
        versioning.prop_map(Step::Delete),
        any::<prop::sample::Index>().prop_map(Step::DeleteVersion),
    ]
}

proptest! {
    #[test]
    fn versions_are_those_of_a_plain_list(first in 0..4_u8, steps in prop::collection::vec(step(), 0..30)) {
        let (mut object, mut model) = (Object::default(), Model::default());
        for n in 0..first {
            object.put(n, Versioning::Unversioned);
            model.push("null", Some(n));
        }
        for step in steps {
            match step {
                Step::Put(n, versioning) => {
                    object.put(n, versioning);
                    model.push(object.record.head.as_ref().unwrap().id.as_str(), Some(n));
                }
                Step::Delete(versioning) => {
                    object.delete(versioning);
                    model.push(object.record.head.as_ref().unwrap().id.as_str(), None);
                }
                Step::DeleteVersion(index) if !model.0.is_empty() => {
                    let (id, _) = model.0.remove(index.index(model.0.len()));
                    object.delete_version(&VersionId::from(id.as_str()));
                }
                Step::DeleteVersion(_) => {}
            }
            let have: Vec<(String, Option<u8>)> = object.all().iter()
                .map(|v| (v.id.to_string(), v.body.as_ref().map(|b| b.stored.blob.0[0]))).collect();
            prop_assert_eq!(&have, &model.0);
            let null = object.older.iter().find(|old| old.id.is_null()).map(|old| old.seq);
            prop_assert_eq!(object.record.older_null, null);
            let seqs: Vec<u64> = object.all().iter().map(|v| v.seq).collect();
            prop_assert!(seqs.is_sorted_by(|a, b| a > b));
        }
    }
}

#[test]
fn an_unversioned_delete_leaves_nothing() {
    let mut object = Object::default();
    object.put(1, Versioning::Unversioned);
    object.delete(Versioning::Unversioned);
    assert!(object.record.is_void() && object.older.is_empty());
}

#[test]
fn conditions_look_at_the_visible_version() {
    let mut object = Object::default();
    let absent = Precondition {
        absent: true,
        etags: None,
    };
    let matching = |etag: &str| Precondition {
        absent: false,
        etags: Some(vec![etag.to_owned()]),
    };
    let outcome = |object: &Object, precondition: &Precondition| {
        let command = Write {
            restores: false,
            precondition: precondition.clone(),
            ..write(9, Versioning::Enabled, None)
        };
        decide(&object.record, &command, Time(0)).1.map(|_| ())
    };
    assert_eq!(outcome(&object, &absent), Ok(()));
    assert_eq!(outcome(&object, &matching("x")), Err(Refused::Absent));
    object.put(1, Versioning::Enabled);
    assert_eq!(
        outcome(&object, &absent),
        Err(Refused::Precondition {
            condition: "If-None-Match"
        })
    );
    assert_eq!(
        outcome(&object, &matching("x")),
        Err(Refused::Precondition {
            condition: "If-Match"
        })
    );
    assert_eq!(outcome(&object, &matching(&body(1).etag)), Ok(()));
    assert_eq!(outcome(&object, &matching("*")), Ok(()));
    object.delete(Versioning::Enabled);
    assert_eq!(
        outcome(&object, &absent),
        Ok(()),
        "a delete marker counts as absent"
    );
}
