//! The doctor before stores that are worse than AWS: what it finds of them, and that its scratch key goes whatever they do.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod store;

use std::{collections::BTreeSet, ops::ControlFlow};

use store::{Faults, Store};
use tidelock_operator::{
    aws::{Access, Environment, Settings, Wanted},
    backend::{self, Backend},
    doctor::{Event, Options, Patient},
    layout::Layout,
};

/// What is found of a store with these faults, by name, and what was not looked at.
async fn examined(faults: Faults, options: Options) -> (BTreeSet<&'static str>, Vec<String>, Store) {
    examined_by(None, faults, options).await
}

/// The same with the block of a directory.
async fn examined_by(
    backend: Option<Backend>,
    faults: Faults,
    options: Options,
) -> (BTreeSet<&'static str>, Vec<String>, Store) {
    let store = Store::start(faults);
    let variables = [
        ("HOME", "/nonexistent"),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", &store.endpoint),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let settings = Settings::load(Environment::new(variables), Wanted::default()).unwrap();
    let mut layout = Layout::new(Access::new(settings).unwrap(), "states".to_owned(), None).unwrap();
    layout.encryption = backend
        .iter()
        .map(|found| found.encryption.clone())
        .next()
        .unwrap_or_default();
    let patient = Patient::new(
        layout,
        Some("app".to_owned()),
        backend.as_ref(),
        String::new(),
        options,
    );
    let (mut found, mut skipped) = (BTreeSet::new(), Vec::new());
    let _ = patient
        .examine(&mut |event| {
            match event {
                Event::Finding(finding) => drop(found.insert(finding.id.name())),
                Event::Skipped(what) => skipped.push(what),
                Event::Progress(_) => {}
            }
            ControlFlow::Continue(())
        })
        .await;
    (found, skipped, store)
}

fn options() -> Options {
    Options {
        stale_ms: 7_200_000,
        now_ms: 1_795_219_200_000,
        nonce: "0123456789abcdef".to_owned(),
        read_only: false,
        one_state: false,
    }
}

#[tokio::test]
async fn a_store_that_does_what_s3_does_has_no_finding_and_keeps_no_scratch_key() {
    let (found, _, store) = examined(Faults::default(), options()).await;
    assert_eq!(found, BTreeSet::new());
    assert_eq!(store.keys(), Vec::<String>::new());
    assert!(store.written() > 3, "something was tried");
}

#[tokio::test]
async fn each_fault_of_a_store_has_its_name() {
    let faults = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        faults
    };
    for (expected, faults) in [
        (
            "conditions-ignored",
            faults(|faults| faults.ignores_conditions = true),
        ),
        ("conditions-raced", faults(|faults| faults.checks_late = true)),
        (
            "conditions-refused",
            faults(|faults| faults.refuses_conditions = true),
        ),
        (
            "checksums-refused",
            faults(|faults| faults.refuses_checksums = true),
        ),
        (
            "checksum-mode-refused",
            faults(|faults| faults.refuses_checksum_mode = true),
        ),
        ("reads-stale", faults(|faults| faults.reads_stale = true)),
        ("ranges-ignored", faults(|faults| faults.ignores_ranges = true)),
        ("paths-rewritten", faults(|faults| faults.rewrites_paths = true)),
        (
            "headers-rewritten",
            faults(|faults| faults.rewrites_headers = true),
        ),
        ("clock-skew", faults(|faults| faults.clock_is_late = true)),
    ] {
        let (found, _, store) = examined(faults, options()).await;
        assert_eq!(found, BTreeSet::from([expected]));
        assert_eq!(store.keys(), Vec::<String>::new(), "{expected}");
    }
}

#[tokio::test]
async fn who_only_looks_writes_nothing_and_says_what_was_not_tried() {
    let read_only = Options {
        read_only: true,
        ..options()
    };
    let (found, skipped, store) = examined(Faults::default(), read_only).await;
    assert_eq!((found, store.written()), (BTreeSet::new(), 0));
    assert!(
        skipped
            .iter()
            .any(|what| what.contains("nothing is to be written")),
        "{skipped:?}"
    );
}

#[tokio::test]
async fn who_may_not_write_is_told_which_action_is_missing() {
    let faults = Faults {
        denies_writes: true,
        ..Faults::default()
    };
    let (found, skipped, _) = examined(faults, options()).await;
    assert_eq!(found, BTreeSet::from(["permission-missing"]));
    assert!(
        skipped.iter().any(|what| what.contains("AccessDenied")),
        "{skipped:?}"
    );
}

/// The block of a directory that locks by a file and has its states encrypted.
fn block() -> Backend {
    let dir = tempfile::tempdir().unwrap();
    let text = "terraform {\n  backend \"s3\" {\n    bucket = \"states\"\n    key = \"app\"\n    region = \"eu-west-1\"\n    \
                encrypt = true\n    use_lockfile = true\n  }\n}\n";
    std::fs::write(dir.path().join("main.tf"), text).unwrap();
    backend::find(dir.path(), &[], &|_| None).unwrap()
}

#[tokio::test]
async fn who_may_do_no_more_than_terraform_needs_has_no_finding() {
    let faults = Faults {
        denies_old_versions: true,
        wants_encryption: true,
        ..Faults::default()
    };
    let (found, skipped, store) = examined_by(Some(block()), faults, options()).await;
    assert_eq!(found, BTreeSet::new());
    assert_eq!(
        store.keys(),
        Vec::<String>::new(),
        "the scratch key is not current"
    );
    assert!(
        skipped
            .iter()
            .any(|what| what.starts_with("old versions of the scratch key")),
        "{skipped:?}"
    );
}

#[tokio::test]
async fn a_lock_file_that_is_not_there_shows_no_missing_permission() {
    let faults = Faults {
        hides_absence: true,
        ..Faults::default()
    };
    let (found, skipped, _) = examined_by(Some(block()), faults, options()).await;
    // The state is another matter: Terraform asks for it, there or not.
    assert_eq!(found, BTreeSet::from(["permission-missing"]));
    let of_lock_file = |what: &&String| what.contains("s3:GetObject on arn:aws:s3:::states/app.tflock");
    assert_eq!(skipped.iter().filter(of_lock_file).count(), 1, "{skipped:?}");
}

#[tokio::test]
async fn an_upload_that_could_not_be_ended_is_told_of() {
    let faults = Faults {
        keeps_uploads: true,
        ..Faults::default()
    };
    let (_, skipped, _) = examined_by(Some(block()), faults, options()).await;
    assert!(
        skipped
            .iter()
            .any(|what| what.starts_with("an upload in parts to app was begun")),
        "{skipped:?}"
    );
}
