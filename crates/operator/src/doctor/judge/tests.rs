//! A fixture for every finding: what was seen, and the one name that it is given.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::json;

use super::{super::facts::*, judge};
use crate::{
    doctor::finding::{Finding, Id},
    s3::Versioning,
};

fn setup() -> Setup {
    Setup {
        bucket: "states".to_owned(),
        key: Some("app/terraform.tfstate".to_owned()),
        table: None,
        lock_file: Some(true),
        region: Some("eu-central-1".to_owned()),
        flags: String::new(),
        ..Setup::default()
    }
}

fn with_table() -> Setup {
    Setup {
        table: Some("locks".to_owned()),
        ..setup()
    }
}

fn argument(name: &str, value: &str) -> Argument {
    Argument {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        computed: false,
        at: "main.tf:4".to_owned(),
    }
}

fn block(arguments: &[(&str, &str)]) -> Block {
    let usual = [
        ("bucket", "states"),
        ("key", "app/terraform.tfstate"),
        ("use_lockfile", "true"),
    ];
    Block {
        at: "main.tf:3".to_owned(),
        version: Some((1, 11)),
        arguments: usual
            .iter()
            .chain(arguments)
            .map(|(name, value)| argument(name, value))
            .collect(),
        ..Block::default()
    }
}

fn place(at: &str, settings: &[(&str, &str)]) -> Place {
    let usual = [("bucket", "states"), ("key", at), ("use_lockfile", "true")];
    let all = usual.iter().chain(settings);
    Place {
        at: format!("{at}/main.tf:3"),
        settings: all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn bucket() -> Bucket {
    Bucket {
        missing: false,
        elsewhere: None,
        versioning: Some(Versioning::Enabled),
        encryption: Some(Encryption::Store),
        key_state: None,
        public_access_open: Some(Vec::new()),
        policy: Some(
            json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}),
        ),
        lifecycle: Some(vec![rule()]),
        ownership: Some("BucketOwnerEnforced".to_owned()),
        retention: Some(false),
    }
}

fn rule() -> Rule {
    Rule {
        id: "old".to_owned(),
        old_days: Some(90),
        old_kept: 20,
        ..Rule::default()
    }
}

fn table(name: &str) -> Table {
    Table::Found {
        key: vec![(name.to_owned(), "S".to_owned())],
        status: "ACTIVE".to_owned(),
        writes: None,
    }
}

fn refusal(code: &str) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message: "no".to_owned(),
    }
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused(refusal(code))
}

fn race() -> Race {
    Race {
        tried: 16,
        won: 1,
        second: refused("PreconditionFailed"),
        odd: None,
    }
}

fn wire() -> Wire {
    Wire {
        odd_path: Outcome::Done,
        signed_header: Outcome::Done,
        checksum: Outcome::Done,
        wrong_checksum: refused("BadDigest"),
        trailer: Outcome::Done,
        checksum_mode: Outcome::Done,
        reads_back: Some(true),
        ranges: Some(true),
    }
}

fn state(content: Content) -> State {
    State {
        key: "app/terraform.tfstate".to_owned(),
        content,
        digest: Some("aa".to_owned()),
        md5: Some("aa".to_owned()),
    }
}

fn lock() -> Lock {
    Lock {
        key: "app/terraform.tfstate".to_owned(),
        file: true,
        item: false,
        id: Some("5d0ae304".to_owned()),
        who: "ann@ci, OperationTypeApply".to_owned(),
        age_ms: 30_000,
        stale_ms: 7_200_000,
    }
}

/// One part, changed by one thing.
fn but<T>(mut healthy: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut healthy);
    healthy
}

fn of_block(id: Id, name: &str, value: &str) -> (Id, Setup, Fact) {
    (id, setup(), Fact::Block(block(&[(name, value)])))
}

fn of_bucket(id: Id, change: impl FnOnce(&mut Bucket)) -> (Id, Setup, Fact) {
    (id, setup(), Fact::Bucket(but(bucket(), change)))
}

fn of_rule(id: Id, change: impl FnOnce(&mut Rule)) -> (Id, Setup, Fact) {
    of_bucket(id, |bucket| bucket.lifecycle = Some(vec![but(rule(), change)]))
}

fn of_race(id: Id, change: impl FnOnce(&mut Race)) -> (Id, Setup, Fact) {
    (id, setup(), Fact::Race(but(race(), change)))
}

fn of_wire(id: Id, change: impl FnOnce(&mut Wire)) -> (Id, Setup, Fact) {
    (id, setup(), Fact::Wire(but(wire(), change)))
}

fn of_state(id: Id, content: Content) -> (Id, Setup, Fact) {
    (id, with_table(), Fact::State(state(content)))
}

fn blocks() -> Vec<(Id, Setup, Fact)> {
    let computed = but(block(&[]), |block| {
        let key = &mut block.arguments[1];
        (key.value, key.computed) = (None, true);
    });
    let old = but(block(&[]), |block| block.version = Some((1, 9)));
    let at = |endpoint: &str| but(setup(), |setup| setup.endpoint = Some(endpoint.to_owned()));
    let split = but(with_table(), |setup| {
        setup.endpoint = Some("https://minio.example".to_owned())
    });
    let host = but(block(&[]), |block| {
        let name = "states.minio.example".to_owned();
        block.bucket_host = Some(BucketHost { name, exists: false });
    });
    let unlocked = but(setup(), |setup| setup.lock_file = Some(false));
    let nowhere = but(setup(), |setup| setup.region = None);
    let old_with_table = but(block(&[]), |block| block.version = Some((1, 10)));
    vec![
        of_block(Id::ArgumentUnknown, "versioning", "true"),
        of_block(Id::ArgumentRemoved, "role_arn", "arn:aws:iam::1:role/x"),
        of_block(Id::ArgumentDeprecated, "endpoint", "http://127.0.0.1:9000"),
        (Id::ArgumentComputed, setup(), Fact::Block(computed)),
        (Id::TableDeprecated, with_table(), Fact::Block(block(&[]))),
        (Id::LockFileTooNew, setup(), Fact::Block(old)),
        (Id::NoLock, unlocked, Fact::Block(block(&[]))),
        of_block(Id::SecretInBlock, "secret_key", "hush"),
        of_block(Id::KeyInvalid, "key", "/app"),
        of_block(Id::KeyMisleading, "key", "app.tflock"),
        of_block(Id::ChecksSkipped, "skip_s3_checksum", "true"),
        (Id::EndpointsSplit, split, Fact::Block(old_with_table)),
        (Id::PathStyleMissing, setup(), Fact::Block(host)),
        (
            Id::EndpointPlain,
            at("http://minio.example:9000"),
            Fact::Block(block(&[])),
        ),
        of_block(Id::TlsUnchecked, "insecure", "true"),
        (Id::RegionMissing, nowhere, Fact::Block(block(&[]))),
    ]
}

fn others() -> Vec<(Id, Setup, Fact)> {
    let of = |id, ours: Place, others: Vec<Place>| (id, setup(), Fact::Others(Others { ours, others }));
    let by_table = but(place("a", &[("dynamodb_table", "locks")]), |place| {
        drop(place.settings.remove("use_lockfile"))
    });
    let usual = || {
        ["b", "c", "d"]
            .map(|at| place(at, &[("region", "eu-central-1")]))
            .to_vec()
    };
    vec![
        of(Id::KeyShared, place("a", &[]), vec![place("a", &[])]),
        of(Id::LocksDiffer, place("a", &[]), vec![by_table]),
        of(
            Id::ConfigDiffers,
            place("a", &[("region", "eu-central-2")]),
            usual(),
        ),
    ]
}

fn ways() -> Vec<(Id, Setup, Fact)> {
    let of = |id, caller| (id, setup(), Fact::Caller(caller));
    let ahead = |id, ahead_ms| (id, setup(), Fact::Clock(Clock { ahead_ms }));
    let denied = Permission {
        action: "s3:PutObject",
        resource: "arn:aws:s3:::states/app/terraform.tfstate".to_owned(),
        allowed: false,
        simulated: false,
    };
    vec![
        of(
            Id::CredentialsMissing,
            Caller::NoKey("no key to sign with: nothing is set".to_owned()),
        ),
        of(Id::CredentialsRefused, Caller::Refused(refusal("ExpiredToken"))),
        of(
            Id::CredentialsRoot,
            Caller::Known("arn:aws:iam::123456789012:root".to_owned()),
        ),
        of(
            Id::EndpointSilent,
            Caller::Silent("no answer from http://127.0.0.1:1".to_owned()),
        ),
        of(
            Id::SignaturesBroken,
            Caller::Refused(refusal("SignatureDoesNotMatch")),
        ),
        ahead(Id::ClockSkew, -301_000),
        ahead(Id::ClockDrift, 61_000),
        of_wire(Id::PathsRewritten, |wire| {
            wire.odd_path = refused("SignatureDoesNotMatch")
        }),
        of_wire(Id::HeadersRewritten, |wire| {
            wire.signed_header = refused("SignatureDoesNotMatch")
        }),
        (Id::PermissionMissing, setup(), Fact::Permissions(vec![denied])),
    ]
}

fn buckets() -> Vec<(Id, Setup, Fact)> {
    let kms = |key: &str| Some(Encryption::Kms(Some(key.to_owned())));
    let keyed = but(setup(), |setup| {
        setup.kms_key = Some("arn:aws:kms:eu-central-1:1:key/one".to_owned())
    });
    let other = but(bucket(), |bucket| {
        bucket.encryption = kms("arn:aws:kms:eu-central-1:1:key/two")
    });
    let public = json!({"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "s3:GetObject", "Resource": "*"},
        bucket().policy.unwrap()["Statement"],
    ]});
    vec![
        of_bucket(Id::BucketMissing, |bucket| bucket.missing = true),
        of_bucket(Id::BucketElsewhere, |bucket| {
            bucket.elsewhere = Some("us-west-2".to_owned())
        }),
        of_bucket(Id::VersioningOff, |bucket| {
            bucket.versioning = Some(Versioning::Never)
        }),
        of_bucket(Id::VersioningSuspended, |bucket| {
            bucket.versioning = Some(Versioning::Suspended)
        }),
        of_bucket(Id::EncryptionOff, |bucket| {
            bucket.encryption = Some(Encryption::None)
        }),
        of_bucket(Id::KmsKeyUnusable, |bucket| {
            bucket.encryption = kms("arn:aws:kms:eu-central-1:1:key/one");
            bucket.key_state = Some("PendingDeletion".to_owned());
        }),
        (Id::KmsKeyDiffers, keyed, Fact::Bucket(other)),
        of_bucket(Id::PublicAccessOpen, |bucket| {
            bucket.public_access_open = Some(vec!["BlockPublicPolicy"])
        }),
        of_bucket(Id::PolicyPublic, |bucket| bucket.policy = Some(public)),
        of_bucket(Id::PlainHttpAllowed, |bucket| bucket.policy = Some(json!(null))),
        of_bucket(Id::AclsEnabled, |bucket| {
            bucket.ownership = Some("ObjectWriter".to_owned())
        }),
        of_rule(Id::LifecycleDeletesStates, |rule| rule.expires = true),
        of_rule(Id::LifecycleArchivesStates, |rule| {
            rule.moves_to = Some("GLACIER".to_owned())
        }),
        of_rule(Id::LifecycleEatsVersions, |rule| {
            (rule.old_days, rule.old_kept) = (Some(7), 3)
        }),
        of_bucket(Id::RetentionKeepsLocks, |bucket| bucket.retention = Some(true)),
    ]
}

fn tables() -> Vec<(Id, Setup, Fact)> {
    let of = |id, table| (id, with_table(), Fact::Table(table));
    let found = |status: &str, writes| Table::Found {
        key: vec![("LockID".to_owned(), "S".to_owned())],
        status: status.to_owned(),
        writes,
    };
    vec![
        of(Id::TableMissing, Table::Missing),
        of(Id::NoDynamoDb, Table::NoDynamoDb("it answered in XML".to_owned())),
        of(Id::TableKeyWrong, table("LockId")),
        of(Id::TableNotActive, found("DELETING", None)),
        of(Id::TableSlow, found("ACTIVE", Some(1))),
    ]
}

fn stores() -> Vec<(Id, Setup, Fact)> {
    vec![
        of_race(Id::ConditionsIgnored, |race| {
            (race.won, race.second) = (16, Outcome::Done)
        }),
        of_race(Id::ConditionsRaced, |race| race.won = 3),
        of_race(Id::ConditionsRefused, |race| {
            (race.won, race.odd) = (0, Some(refusal("NotImplemented")))
        }),
        of_wire(Id::ChecksumsRefused, |wire| {
            wire.checksum = refused("InvalidArgument")
        }),
        of_wire(Id::TrailersRefused, |wire| {
            wire.trailer = refused("XAmzContentSHA256Mismatch")
        }),
        of_wire(Id::ChecksumsUnchecked, |wire| wire.wrong_checksum = Outcome::Done),
        of_wire(Id::ChecksumModeRefused, |wire| {
            wire.checksum_mode = refused("InvalidArgument")
        }),
        of_wire(Id::ReadsStale, |wire| wire.reads_back = Some(false)),
        of_wire(Id::RangesIgnored, |wire| wire.ranges = Some(false)),
    ]
}

fn states() -> Vec<(Id, Setup, Fact)> {
    let of_lock = |id, setup, change: fn(&mut Lock)| (id, setup, Fact::Lock(but(lock(), change)));
    let other = but(state(Content::State), |state| state.md5 = Some("bb".to_owned()));
    let versions = LockVersions {
        count: 101,
        bounded: Some(false),
    };
    vec![
        (Id::DigestMismatch, with_table(), Fact::State(other)),
        (
            Id::DigestLeftOver,
            with_table(),
            Fact::LeftOverDigest("gone".to_owned()),
        ),
        of_state(Id::StateEmpty, Content::Empty),
        of_state(
            Id::StateForeign,
            Content::Foreign("this is not a state".to_owned()),
        ),
        of_state(Id::StateDeleted, Content::Deleted("v7".to_owned())),
        of_lock(Id::LockStale, setup(), |lock| lock.age_ms = 7_200_001),
        of_lock(Id::LockUnreadable, setup(), |lock| lock.id = None),
        of_lock(Id::LockHalf, with_table(), |lock| lock.age_ms = 60_001),
        (Id::LockVersions, setup(), Fact::LockVersions(versions)),
    ]
}

fn fixtures() -> Vec<(Id, Setup, Fact)> {
    let all = [
        blocks(),
        others(),
        ways(),
        buckets(),
        tables(),
        stores(),
        states(),
    ];
    all.into_iter().flatten().collect()
}

fn ids(found: &[Finding]) -> Vec<Id> {
    found.iter().map(|finding| finding.id).collect()
}

#[test]
fn every_fixture_is_one_finding_with_a_sentence_and_a_command() {
    for (id, setup, fact) in fixtures() {
        let found = judge(&setup, &fact);
        assert_eq!(ids(&found), [id], "{}: {found:?}", id.name());
        let finding = &found[0];
        assert!(finding.what.len() > 20 && !finding.mend.is_empty(), "{finding:?}");
        assert_eq!(finding.level, id.level());
    }
}

#[test]
fn every_finding_has_a_fixture() {
    let shown: BTreeSet<Id> = fixtures().into_iter().map(|(id, _, _)| id).collect();
    let without: Vec<&str> = Id::ALL
        .iter()
        .filter(|id| !shown.contains(id))
        .map(|id| id.name())
        .collect();
    assert_eq!(without, Vec::<&str>::new());
    assert!(Id::ALL.len() >= 30);
}

#[test]
fn nothing_is_found_on_a_healthy_set_up() {
    let others = Others {
        ours: place("a", &[]),
        others: vec![place("b", &[]), place("c", &[])],
    };
    let both = but(lock(), |lock| (lock.item, lock.age_ms) = (true, 120_000));
    let unbounded = LockVersions {
        count: 100,
        bounded: Some(false),
    };
    let bounded = LockVersions {
        count: 9_000,
        bounded: Some(true),
    };
    for (setup, fact) in [
        (
            setup(),
            Fact::Block(block(&[("encrypt", "true"), ("assume_role.role_arn", "arn")])),
        ),
        (setup(), Fact::Others(others)),
        (
            setup(),
            Fact::Caller(Caller::Known("arn:aws:iam::1:user/ann".to_owned())),
        ),
        (setup(), Fact::Clock(Clock { ahead_ms: -59_000 })),
        (setup(), Fact::Bucket(bucket())),
        (setup(), Fact::Bucket(Bucket::default())),
        (with_table(), Fact::Table(table("LockID"))),
        (setup(), Fact::Permissions(Vec::new())),
        (setup(), Fact::Race(race())),
        (setup(), Fact::Wire(wire())),
        (setup(), Fact::Wire(Wire::default())),
        (with_table(), Fact::State(state(Content::State))),
        (setup(), Fact::Lock(lock())),
        (with_table(), Fact::Lock(both)),
        (setup(), Fact::LockVersions(unbounded)),
        (setup(), Fact::LockVersions(bounded)),
    ] {
        assert_eq!(judge(&setup, &fact), [], "{fact:?}");
    }
}

#[test]
fn the_page_of_findings_has_every_one_and_no_other() {
    let page = include_str!("../../../../../docs/reference/findings.md");
    let named: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let all: BTreeSet<&str> = Id::ALL.iter().map(|id| id.name()).collect();
    assert_eq!(named, all);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_told_from_a_server_that_is_silent() {
    for (why, mend) in [
        (
            "no answer: invalid peer certificate: UnknownIssuer",
            "AWS_CA_BUNDLE",
        ),
        ("no answer: Connection refused", "AWS_ENDPOINT_URL"),
    ] {
        let found = judge(&setup(), &Fact::Caller(Caller::Silent(why.to_owned())));
        assert!(found[0].mend.contains(mend), "{why}: {}", found[0].mend);
    }
}

#[test]
fn what_a_stranger_has_written_neither_leaves_its_line_nor_its_quotes() {
    let evil = "a'; rm -rf ~ #\u{1b}[2J";
    let lock = but(lock(), |lock| {
        lock.key = evil.to_owned();
        lock.age_ms = 7_200_001;
    });
    let found = judge(&setup(), &Fact::Lock(lock));
    assert!(
        found[0].mend.contains(r"--key='a'\''; rm -rf ~ #"),
        "{}",
        found[0].mend
    );
    assert!(!found[0].what.contains('\u{1b}') && !found[0].mend.contains('\u{1b}'));
}

#[test]
fn a_command_goes_where_the_backend_is_and_as_whom_it_says() {
    let setup = but(with_table(), |setup| {
        setup.endpoint = Some("https://s3.example".to_owned());
        setup.dynamodb_endpoint = Some("https://db.example".to_owned());
        setup.profile = Some("a team".to_owned());
    });
    let as_whom = "aws --profile 'a team' --region eu-central-1 --endpoint-url";
    assert_eq!(setup.aws("s3 ls"), format!("{as_whom} https://s3.example s3 ls"));
    let digest = judge(&setup, &Fact::LeftOverDigest("k".to_owned()));
    let expected = format!("{as_whom} https://db.example dynamodb delete-item");
    assert!(digest[0].mend.starts_with(&expected), "{}", digest[0].mend);
}

#[test]
fn what_is_being_changed_and_works_meanwhile_is_no_finding() {
    let changing = Table::Found {
        key: vec![("LockID".to_owned(), "S".to_owned())],
        status: "UPDATING".to_owned(),
        writes: None,
    };
    assert_eq!(judge(&with_table(), &Fact::Table(changing)), []);
}

#[test]
fn opentofu_may_compute_its_block_and_keeps_flat_roles() {
    let mut tofu = block(&[("role_arn", "arn")]);
    (tofu.program, tofu.version) = (Program::OpenTofu, Some((1, 10)));
    tofu.arguments[1].computed = true;
    assert_eq!(
        ids(&judge(&with_table(), &Fact::Block(tofu))),
        [Id::ArgumentDeprecated]
    );
}

#[test]
fn a_rule_for_other_keys_is_no_concern_and_one_for_workspaces_is() {
    for (prefix, narrowed, expected) in [
        ("logs/", false, 0),
        ("env:/review", false, 1),
        ("app/", false, 1),
        ("", true, 0),
    ] {
        let rule = Rule {
            prefix: prefix.to_owned(),
            narrowed,
            expires: true,
            ..rule()
        };
        let found = judge(
            &setup(),
            &Fact::Bucket(but(bucket(), |bucket| bucket.lifecycle = Some(vec![rule]))),
        );
        assert_eq!(found.len(), expected, "{prefix}");
    }
}

#[test]
fn the_policy_is_asked_for_by_a_command_that_names_a_state() {
    let denied = Permission {
        action: "s3:PutObject",
        resource: "arn:aws:s3:::states/a b".to_owned(),
        allowed: false,
        simulated: false,
    };
    let denied = Fact::Permissions(vec![denied]);
    let of = |key: Option<&str>| {
        let setup = Setup {
            key: key.map(str::to_owned),
            lock_file: None,
            flags: " --bucket states".to_owned(),
            ..setup()
        };
        judge(&setup, &denied)[0].mend.clone()
    };
    assert!(
        of(Some("a b")).starts_with("tidelock policy --bucket states --key='a b' "),
        "{}",
        of(Some("a b"))
    );
    assert!(of(None).starts_with("tidelock policy --bucket states --key=KEY "));
}
