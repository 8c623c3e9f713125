//! Lifecycle rules and Object Lock, with a clock that tests move.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{num::NonZero, sync::Arc};

use common::{FakeWorld, acquire, at, body, caller, over, part, release};
use tidelock_core::{
    Content, Facet, Version, VersionId, Versioning,
    decide::{Change, Precondition},
    iam::DEFAULT_ACCOUNT,
    lifecycle::{Condition, Expiration, Filter, Lifecycle, Noncurrent, Rule},
    limits::DAY_MS,
    object_lock::{DefaultRetention, Mode, ObjectLock, ObjectRetention, Period},
};
use tidelock_engine::MemoryEngine;
use tidelock_service::{Error, Retention, Rule as Keep, Service, Settings, VersionListed, VersionQuery};

struct House {
    service: Service,
    world: Arc<FakeWorld>,
}

const ALL: Rule = Rule {
    id: String::new(),
    enabled: true,
    filter: Filter::All,
    expiration: None,
    noncurrent: None,
    abort_days: None,
};

impl House {
    async fn new(versioning: Versioning) -> House {
        let world = Arc::new(FakeWorld::default());
        let service = over(Arc::new(MemoryEngine::new()), world.clone());
        service.create_bucket("tfstate", DEFAULT_ACCOUNT).await.unwrap();
        service.set_versioning("tfstate", versioning).await.unwrap();
        // Noon of a day.
        world.pass(DAY_MS / 2);
        House { service, world }
    }

    async fn rules(&self, rules: &[Rule]) {
        let lifecycle = Lifecycle {
            rules: rules.to_vec(),
            minimum_size: String::new(),
        };
        let change = |bucket: &mut tidelock_service::Bucket| bucket.lifecycle = Some(lifecycle.clone());
        self.service.change_bucket("tfstate", change).await.unwrap();
    }

    async fn put(&self, key: &str, text: impl Into<String>) -> Version {
        let new = body(text.into());
        self.service.put(&at(key), new, &caller("c")).await.unwrap()
    }

    async fn days(&self, days: i64) {
        self.world.pass(days * DAY_MS);
        self.service.follow_lifecycles().await.unwrap();
    }

    async fn shown(&self, key: &str) -> Vec<VersionListed> {
        let query = VersionQuery {
            prefix: key.to_owned(),
            limit: 1_000,
            ..VersionQuery::default()
        };
        self.service
            .list_versions("tfstate", &query)
            .await
            .unwrap()
            .entries
    }

    /// The sequence numbers that S3 shows, the newest first; `-` for delete markers.
    async fn seqs(&self, key: &str) -> String {
        let shown = self.shown(key).await;
        let names = shown.iter().map(|listed| match listed.version.body {
            Some(_) => listed.version.seq.to_string(),
            None => "-".to_owned(),
        });
        names.collect::<Vec<_>>().join(" ")
    }
}

fn state(serial: u64) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"resources":[]}}"#)
}

fn days(days: u32) -> Rule {
    Rule {
        expiration: Some(Expiration::Days(days)),
        ..ALL
    }
}

fn noncurrent(days: u32, keep: Option<u32>) -> Rule {
    Rule {
        noncurrent: Some(Noncurrent { days, keep }),
        ..ALL
    }
}

#[tokio::test]
async fn a_day_is_over_at_the_midnight_after_it() {
    let house = House::new(Versioning::Unversioned).await;
    house.rules(&[days(1)]).await;
    house.put("a", "1").await;
    // Noon of the next day: a day has passed, and midnight has not.
    house.days(1).await;
    assert_eq!(house.seqs("a").await, "1");
    house.world.pass(DAY_MS / 2 - 1_000);
    house.days(0).await;
    assert_eq!(house.seqs("a").await, "1");
    house.world.pass(1_000);
    house.days(0).await;
    assert_eq!(house.seqs("a").await, "");
}

#[tokio::test]
async fn an_expired_object_is_deleted_as_its_buckets_versioning_says() {
    for (versioning, expected) in [
        (Versioning::Unversioned, ""),
        (Versioning::Enabled, "- 1"),
        (Versioning::Suspended, "-"),
    ] {
        let house = House::new(versioning).await;
        house.rules(&[days(1)]).await;
        house.put("a", "1").await;
        house.days(3).await;
        assert_eq!(house.seqs("a").await, expected, "{versioning:?}");
        // The marker of the enabled bucket hides something, so it stays.
        house.days(0).await;
        assert_eq!(house.seqs("a").await, expected, "{versioning:?}");
    }
}

#[tokio::test]
async fn a_rule_is_for_what_fits_its_filter() {
    let tagged = async |house: &House, key: &str, value: &str| {
        let mut new = body("12345".to_owned());
        new.content = Content {
            tags: [("keep".to_owned(), value.to_owned())].into(),
            ..Content::default()
        };
        house.service.put(&at(key), new, &caller("c")).await.unwrap();
    };
    let prefix = Condition::Prefix("b/".to_owned());
    let tag = Condition::Tag("keep".to_owned(), "no".to_owned());
    for (filter, left) in [
        (Filter::All, ""),
        (Filter::Rule("b/".to_owned()), "a/no a/yes"),
        (Filter::One(prefix.clone()), "a/no a/yes"),
        (Filter::One(tag.clone()), "a/yes b/yes"),
        (Filter::And(vec![prefix, tag]), "a/no a/yes b/yes"),
        (Filter::One(Condition::Larger(5)), "a/no a/yes b/no b/yes"),
        (Filter::One(Condition::Larger(4)), ""),
        (Filter::One(Condition::Smaller(5)), "a/no a/yes b/no b/yes"),
    ] {
        let house = House::new(Versioning::Unversioned).await;
        for key in ["a/no", "a/yes", "b/no", "b/yes"] {
            tagged(&house, key, &key[2..]).await;
        }
        let rule = Rule {
            filter: filter.clone(),
            ..days(1)
        };
        let off = Rule {
            enabled: false,
            ..days(1)
        };
        house.rules(&[off, rule]).await;
        house.days(3).await;
        let keys: Vec<String> = house
            .shown("")
            .await
            .into_iter()
            .map(|listed| listed.key)
            .collect();
        assert_eq!(keys.join(" "), left, "{filter:?}");
    }
}

#[tokio::test]
async fn older_versions_end_by_age_and_number() {
    let house = House::new(Versioning::Enabled).await;
    house.rules(&[noncurrent(2, Some(2))]).await;
    for _ in 0..5 {
        house.put("a", "x").await;
    }
    house.days(2).await;
    assert_eq!(
        house.seqs("a").await,
        "5 4 3 2 1",
        "the midnight after two days is still to come"
    );
    house.days(1).await;
    assert_eq!(
        house.seqs("a").await,
        "5 4 3",
        "two of them stay whatever their age"
    );
    house.rules(&[noncurrent(2, None)]).await;
    house.days(0).await;
    assert_eq!(house.seqs("a").await, "5", "new rules count at once");
    // An age counts from when the version was replaced.
    house.days(100).await;
    house.put("a", "y").await;
    house.days(1).await;
    assert_eq!(house.seqs("a").await, "6 5");
}

#[tokio::test]
async fn a_delete_marker_that_hides_nothing_goes() {
    let house = House::new(Versioning::Enabled).await;
    let marker = Rule {
        expiration: Some(Expiration::Marker(true)),
        ..ALL
    };
    house.rules(&[marker, noncurrent(1, None)]).await;
    house.put("a", "1").await;
    house
        .service
        .delete(&at("a"), Precondition::default(), &caller("c"))
        .await
        .unwrap();
    house.days(1).await;
    assert_eq!(house.seqs("a").await, "- 1");
    house.days(1).await;
    assert_eq!(
        house.seqs("a").await,
        "",
        "the version goes, and then what hid it"
    );
}

#[tokio::test]
async fn what_lifecycle_takes_of_a_state_stays_as_history() {
    let house = House::new(Versioning::Enabled).await;
    house.rules(&[days(30), noncurrent(1, None)]).await;
    for serial in 1..=3 {
        house.put("a", state(serial)).await;
    }
    house.days(2).await;
    assert_eq!(house.seqs("a").await, "3");
    let history = house.service.history(&at("a"), None, 10).await.unwrap();
    assert_eq!(history.versions.len(), 3);
    house.days(40).await;
    assert_eq!(house.seqs("a").await, "- 3", "the state is deleted as S3 deletes");
    house.days(2).await;
    let history = house.service.history(&at("a"), None, 10).await.unwrap();
    assert!(history.versions.len() >= 3, "{}", history.versions.len());
    for seq in 1..=3 {
        let version = house.service.version(&at("a"), seq).await.unwrap();
        let read = house
            .service
            .read_all(&at("a"), seq, &version.body.unwrap())
            .await
            .unwrap();
        assert_eq!(read, state(seq));
    }
}

#[tokio::test]
async fn what_is_locked_or_frozen_is_left_alone_until_it_is_free() {
    let house = House::new(Versioning::Enabled).await;
    house.rules(&[days(1), noncurrent(1, None)]).await;
    for key in ["locked", "frozen", "free"] {
        house.put(key, state(1)).await;
        house.put(key, state(2)).await;
    }
    house
        .service
        .acquire(&at("locked"), &acquire("one", Facet::Http))
        .await
        .unwrap();
    let who = caller("operator");
    house
        .service
        .freeze(&at("frozen"), "ann", "audit", &who)
        .await
        .unwrap();
    house.days(3).await;
    assert_eq!(house.seqs("locked").await, "2 1");
    assert_eq!(house.seqs("frozen").await, "2 1");
    assert!(house.seqs("free").await.starts_with('-'));
    house
        .service
        .release(&at("locked"), &release("one", Facet::Http))
        .await
        .unwrap();
    house.days(0).await;
    assert!(
        house.seqs("locked").await.starts_with('-'),
        "it is tried again the same day"
    );
    assert_eq!(house.seqs("frozen").await, "2 1");
}

#[tokio::test]
async fn an_upload_that_nobody_completes_is_aborted() {
    let house = House::new(Versioning::Unversioned).await;
    let abort = Rule {
        abort_days: Some(7),
        filter: Filter::One(Condition::Prefix("a".to_owned())),
        ..ALL
    };
    house.rules(&[abort]).await;
    let mut ids = Vec::new();
    for key in ["a", "b"] {
        let upload = house
            .service
            .create_upload(&at(key), Content::default(), &caller("c"))
            .await
            .unwrap();
        house
            .service
            .put_part(&at(key), &upload.id, part(1, "x"))
            .await
            .unwrap();
        ids.push(upload.id);
    }
    house.days(7).await;
    assert!(house.service.upload(&at("a"), &ids[0]).await.is_ok());
    house.days(1).await;
    let gone = house.service.upload(&at("a"), &ids[0]).await;
    assert!(matches!(gone, Err(Error::NoSuchUpload(_))));
    assert!(house.service.upload(&at("b"), &ids[1]).await.is_ok());
}

async fn lock(house: &House, default: Option<DefaultRetention>) {
    house
        .service
        .set_object_lock("tfstate", ObjectLock { default })
        .await
        .unwrap();
}

const FOR_TEN_DAYS: DefaultRetention = DefaultRetention {
    mode: Mode::Compliance,
    period: Period::Days(10),
};

#[tokio::test]
async fn a_protected_version_outlives_lifecycle_and_retention() {
    let settings = Settings {
        retention: Retention::new(vec![Keep {
            prefix: "tfstate".to_owned(),
            keep: NonZero::new(1),
            keep_for_ms: None,
        }])
        .unwrap(),
        ..Settings::default()
    };
    let mut house = House::new(Versioning::Enabled).await;
    house.service = house.service.with_settings(settings);
    lock(&house, Some(FOR_TEN_DAYS)).await;
    house.rules(&[noncurrent(1, None)]).await;
    for serial in 1..=3 {
        house.put("a", state(serial)).await;
    }
    house.days(3).await;
    assert_eq!(house.seqs("a").await, "3 2 1");
    let collected = house.service.collect("", None, false).await.unwrap();
    assert_eq!(collected.dropped, 0);
    let denied = house
        .service
        .delete_governed_version(&at("a"), &id(&house, 1).await, &caller("c"))
        .await;
    assert!(matches!(denied, Err(Error::Protected(_))));
    house.days(10).await;
    assert_eq!(house.seqs("a").await, "3");
    let collected = house.service.collect("", None, false).await.unwrap();
    assert_eq!(collected.dropped, 2);
}

async fn id(house: &House, seq: u64) -> VersionId {
    house.service.version(&at("a"), seq).await.unwrap().id
}

#[tokio::test]
async fn a_retention_ends_by_the_clock() {
    let house = House::new(Versioning::Enabled).await;
    lock(&house, Some(FOR_TEN_DAYS)).await;
    let written = house.put("a", "1").await;
    house.world.pass(10 * DAY_MS - 1_000);
    let denied = house
        .service
        .delete_version(&at("a"), &written.id, &caller("c"))
        .await;
    assert!(matches!(denied, Err(Error::Protected(_))));
    house.world.pass(2_000);
    house
        .service
        .delete_version(&at("a"), &written.id, &caller("c"))
        .await
        .unwrap();
    assert_eq!(house.seqs("a").await, "");
}

#[tokio::test]
async fn a_hold_stays_with_its_version_and_a_retention_only_grows() {
    let house = House::new(Versioning::Enabled).await;
    lock(&house, None).await;
    let first = house.put("a", state(1)).await;
    let hold = Change::LegalHold(true);
    house
        .service
        .change_version(&at("a"), Some(&first.id), &hold)
        .await
        .unwrap();
    house.put("a", state(2)).await;
    let found = house.service.find(&at("a"), Some(&first.id)).await.unwrap();
    assert_eq!(found.body.unwrap().content.protection.legal_hold, Some(true));
    lock(&house, Some(FOR_TEN_DAYS)).await;
    let new = house.put("a", state(3)).await;
    let until = new.body.unwrap().content.protection.retention.unwrap().until;
    let longer = Change::Retention {
        retention: Some(ObjectRetention {
            mode: Mode::Compliance,
            until: until.plus_ms(1),
        }),
        bypass: false,
    };
    house
        .service
        .change_version(&at("a"), None, &longer)
        .await
        .unwrap();
    let shorter = Change::Retention {
        retention: None,
        bypass: true,
    };
    let denied = house.service.change_version(&at("a"), None, &shorter).await;
    assert!(matches!(denied, Err(Error::Protected(_))));
}

#[tokio::test]
async fn a_bucket_with_object_lock_stays_versioned() {
    let house = House::new(Versioning::Suspended).await;
    let none = ObjectLock::default();
    let refused = house.service.set_object_lock("tfstate", none).await;
    assert!(matches!(refused, Err(Error::NotVersioned(_))));
    house
        .service
        .set_versioning("tfstate", Versioning::Enabled)
        .await
        .unwrap();
    lock(&house, None).await;
    let refused = house
        .service
        .set_versioning("tfstate", Versioning::Suspended)
        .await;
    assert!(matches!(refused, Err(Error::StaysVersioned(_))));
}
