//! Fixtures of buckets and tables, and what is made of them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::{BucketFacts, Facts, Part, Plan, Step, TableFacts, Verdict, Wanted, judge, policy, print};
use crate::{
    dynamodb::{Table, TableEncryption},
    s3::{Encryption, Lifecycle, PublicAccessBlock, Rule, Versioning},
};

const ARN: &str = "arn:aws:s3:::tfstate";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn wanted() -> Wanted {
    Wanted {
        bucket: "tfstate".to_owned(),
        region: "eu-central-1".to_owned(),
        ends_versions: true,
        keep_days: 90,
        keep_versions: 100,
        table: Some("locks".to_owned()),
        over_tls: true,
        ..Wanted::default()
    }
}

/// A bucket and a table that are as wanted, set up by somebody else.
fn healthy() -> Facts {
    let rules = vec![
        Rule::of_old_versions("theirs", 90, 100),
        Rule::of_delete_markers("markers"),
        Rule::of_uploads("uploads", 3),
    ];
    Facts {
        bucket: Some(BucketFacts {
            region: Ok("eu-central-1".to_owned()),
            versioning: Ok(Versioning::Enabled),
            encryption: Ok(Some(Encryption::with(None))),
            public_access: Ok(Some(PublicAccessBlock::ALL)),
            ownership: Ok(Some("BucketOwnerEnforced".to_owned())),
            policy: Ok(policy::with(None, vec![policy::tls_only(ARN)])),
            lifecycle: Ok(Some(Lifecycle {
                rules,
                transition_size: None,
            })),
            tags: Ok(BTreeMap::from([("owner".to_owned(), "them".to_owned())])),
        }),
        table: Some(TableFacts {
            table: Table {
                status: "ACTIVE".to_owned(),
                arn: String::new(),
                key: vec![("LockID".to_owned(), "HASH".to_owned())],
                types: BTreeMap::from([("LockID".to_owned(), "S".to_owned())]),
                encryption: TableEncryption::Owned,
                deletion_protected: false,
            },
            recovery: Some(Ok(true)),
        }),
    }
}

fn with(change: impl FnOnce(&mut BucketFacts)) -> Facts {
    let mut facts = healthy();
    change(facts.bucket.as_mut().unwrap());
    facts
}

fn verdict(plan: &Plan, part: Part) -> &Verdict {
    &plan.settings.iter().find(|own| own.part == part).unwrap().verdict
}

fn only_step(plan: &Plan) -> &Step {
    let steps: Vec<&Step> = plan.steps().collect();
    assert_eq!(steps.len(), 1, "{steps:?}");
    steps[0]
}

#[test]
fn nothing_is_changed_of_what_is_as_wanted() {
    let plan = judge(&wanted(), healthy());
    assert!(
        plan.is_done() && plan.impossible().next().is_none() && plan.notes.is_empty(),
        "{plan:?}"
    );
}

#[test]
fn all_of_it_is_made_where_there_is_nothing() {
    let plan = judge(&wanted(), Facts::default());
    assert!(plan.settings.iter().all(|setting| setting.found.is_none()));
    let steps: Vec<&Step> = plan.steps().collect();
    assert_eq!(steps.len(), 9, "{steps:?}");
    assert_eq!(*steps[0], Step::CreateBucket);
    assert!(matches!(steps.last().unwrap(), Step::Recovery));
}

#[test]
fn what_a_new_bucket_turns_out_to_be_needs_no_step_that_was_not_agreed_to() {
    let agreed = judge(&wanted(), Facts::default());
    let empty = with(|bucket| {
        bucket.versioning = Ok(Versioning::Never);
        bucket.public_access = Ok(None);
        bucket.ownership = Ok(Some("ObjectWriter".to_owned()));
        (bucket.encryption, bucket.policy, bucket.lifecycle) = (Ok(None), Ok(None), Ok(None));
    });
    let then = judge(&wanted(), Facts { table: None, ..empty });
    for step in then.steps() {
        assert!(agreed.steps().any(|other| other == step), "{step:?}");
    }
    assert_eq!(then.steps().count(), 8);
}

#[test]
fn a_bucket_that_keeps_every_version_ends_them_only_for_who_says_so() {
    let keeps_all = || with(|bucket| bucket.lifecycle = Ok(None));
    let ends = |wanted: &Wanted, facts| {
        let plan = judge(wanted, facts);
        let rules = plan.target.lifecycle.unwrap_or_default().rules;
        rules.iter().any(|rule| rule.expires_replaced_after().is_some())
    };
    let unsaid = Wanted {
        ends_versions: false,
        ..wanted()
    };
    assert!(!ends(&unsaid, keeps_all()));
    assert!(ends(&wanted(), keeps_all()));
    assert!(ends(&unsaid, Facts::default()), "a new bucket ends them");
}

#[test]
fn what_is_looser_is_tightened() {
    let suspended = with(|bucket| bucket.versioning = Ok(Versioning::Suspended));
    assert_eq!(*only_step(&judge(&wanted(), suspended)), Step::Versioning);
    let open = PublicAccessBlock {
        ignore_public_acls: false,
        ..PublicAccessBlock::ALL
    };
    let plan = judge(&wanted(), with(|bucket| bucket.public_access = Ok(Some(open))));
    assert_eq!(*only_step(&plan), Step::PublicAccess);
    let found = &plan
        .settings
        .iter()
        .find(|own| own.part == Part::PublicAccess)
        .unwrap()
        .found;
    assert_eq!(found.as_deref(), Some("IgnorePublicAcls is off"));
    let lists = with(|bucket| bucket.ownership = Ok(Some("ObjectWriter".to_owned())));
    assert_eq!(*only_step(&judge(&wanted(), lists)), Step::Ownership);
    let plain = with(|bucket| bucket.policy = Ok(None));
    assert!(
        matches!(only_step(&judge(&wanted(), plain)), Step::Policy(text) if policy::demands_tls(text, ARN))
    );
    let mut facts = healthy();
    facts.table.as_mut().unwrap().recovery = Some(Ok(false));
    assert_eq!(*only_step(&judge(&wanted(), facts)), Step::Recovery);
}

#[test]
fn what_is_stricter_stays() {
    let mut facts = with(|bucket| bucket.encryption = Ok(Some(Encryption::with(Some(KEY)))));
    facts.table.as_mut().unwrap().table.encryption = TableEncryption::Kms(KEY.to_owned());
    let longer = Rule::of_old_versions("tidelock-old-versions", 400, 100);
    let bucket = facts.bucket.as_mut().unwrap();
    bucket.lifecycle.as_mut().unwrap().as_mut().unwrap().rules[0] = longer;
    let listed = policy::only_for(ARN, &["arn:aws:iam::111122223333:role/ci".to_owned()]);
    bucket.policy = Ok(policy::with(None, vec![policy::tls_only(ARN), listed]));
    let plan = judge(&wanted(), facts);
    assert!(plan.is_done());
    for part in [
        Part::Encryption,
        Part::TableEncryption,
        Part::OldVersions,
        Part::AllowList,
    ] {
        assert_eq!(*verdict(&plan, part), Verdict::Stricter, "{part}");
    }
    assert_eq!(plan.target.encryption.unwrap().kms_key.as_deref(), Some(KEY));
    assert_eq!(plan.target.table.unwrap().kms_key.as_deref(), Some(KEY));
}

#[test]
fn a_key_that_is_named_is_set_unless_it_is_that_key_already() {
    let wanted = Wanted {
        kms_key: Some(KEY.to_owned()),
        table_kms_key: Some(KEY.to_owned()),
        ..wanted()
    };
    let plan = judge(&wanted, healthy());
    let steps: Vec<&Step> = plan.steps().collect();
    assert_eq!(steps[0], &Step::Encryption(Encryption::with(Some(KEY))));
    assert_eq!(steps[1], &Step::TableEncryption(KEY.to_owned()));
    for same in [KEY, "1234abcd-12ab-34cd-56ef-1234567890ab"] {
        let mut facts = with(|bucket| bucket.encryption = Ok(Some(Encryption::with(Some(same)))));
        facts.table.as_mut().unwrap().table.encryption = TableEncryption::Kms(KEY.to_owned());
        assert!(judge(&wanted, facts).is_done(), "{same}");
    }
    let other = KEY.replace("1234abcd", "9999abcd");
    let facts = with(|bucket| bucket.encryption = Ok(Some(Encryption::with(Some(&other)))));
    assert!(matches!(
        verdict(&judge(&wanted, facts), Part::Encryption),
        Verdict::Change(_)
    ));
}

#[test]
fn rules_of_others_stay_and_are_told_of_where_they_end_too_much() {
    let text = b"<LifecycleConfiguration><Rule><ID>eats</ID><Filter><Prefix>prod/</Prefix></Filter><Status>Enabled</Status>\
        <Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>";
    let mut lifecycle = Lifecycle::parse(text, None).unwrap();
    lifecycle.rules.push(Rule::of_old_versions("short", 7, 0));
    let plan = judge(
        &wanted(),
        with(|bucket| bucket.lifecycle = Ok(Some(lifecycle.clone()))),
    );
    let Step::Lifecycle(then) = only_step(&plan) else {
        panic!("rules are added")
    };
    let ids: Vec<&str> = then.rules.iter().map(Rule::id).collect();
    assert_eq!(
        ids,
        ["eats", "short", "tidelock-delete-markers", "tidelock-uploads"]
    );
    assert_eq!(then.rules[..2], lifecycle.rules[..]);
    assert!(
        plan.notes[0].contains("\"short\"") && plan.notes[0].contains("7 days"),
        "{:?}",
        plan.notes
    );
    assert!(
        plan.notes[1].contains("\"eats\"") && plan.notes[1].contains("prod/"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn our_own_rule_is_lengthened_and_never_shortened() {
    let ours = |days, newer| {
        with(|bucket| {
            let rules = &mut bucket.lifecycle.as_mut().unwrap().as_mut().unwrap().rules;
            rules[0] = Rule::of_old_versions("tidelock-old-versions", days, newer);
        })
    };
    for (days, newer) in [(30, 100), (90, 10), (400, 10)] {
        let plan = judge(&wanted(), ours(days, newer));
        assert!(
            matches!(only_step(&plan), Step::Lifecycle(then) if then.rules.len() == 3),
            "{days} {newer}"
        );
    }
    assert!(judge(&wanted(), ours(91, 100)).is_done());
}

#[test]
fn a_disabled_rule_or_one_of_a_prefix_is_no_rule_for_states() {
    let text = b"<LifecycleConfiguration><Rule><ID>a</ID><Filter></Filter><Status>Disabled</Status>\
        <NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
        <Rule><ID>b</ID><Filter><Prefix>x</Prefix></Filter><Status>Enabled</Status>\
        <NoncurrentVersionExpiration><NoncurrentDays>90</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
    let lifecycle = Lifecycle::parse(text, None);
    let plan = judge(&wanted(), with(|bucket| bucket.lifecycle = Ok(lifecycle)));
    assert!(matches!(only_step(&plan), Step::Lifecycle(then) if then.rules.len() == 5));
}

#[test]
fn a_list_that_is_named_replaces_the_one_there_is() {
    let list = |arns: &[&str]| arns.iter().map(|arn| (*arn).to_owned()).collect::<Vec<_>>();
    let (ann, ben) = (
        "arn:aws:iam::111122223333:user/ann",
        "arn:aws:iam::111122223333:user/ben",
    );
    let wanted = Wanted {
        allow: list(&[ben, ann]),
        ..wanted()
    };
    let found = |arns: &[&str]| {
        let own = vec![policy::tls_only(ARN), policy::only_for(ARN, &list(arns))];
        with(|bucket| bucket.policy = Ok(policy::with(None, own)))
    };
    assert!(judge(&wanted, found(&[ann, ben])).is_done());
    let plan = judge(&wanted, found(&[ann]));
    let Step::Policy(text) = only_step(&plan) else {
        panic!("a policy")
    };
    assert_eq!(policy::allow_list(text).unwrap(), [ann, ben]);
    assert!(policy::demands_tls(text, ARN));
}

#[test]
fn plain_http_is_given_no_policy_that_refuses_it() {
    let wanted = Wanted {
        over_tls: false,
        ..wanted()
    };
    let plan = judge(&wanted, with(|bucket| bucket.policy = Ok(None)));
    assert!(matches!(verdict(&plan, Part::TlsOnly), Verdict::LeftOut(_)));
    assert!(plan.is_done() && plan.target.policy.is_none());
}

#[test]
fn what_no_change_can_mend_is_said() {
    let elsewhere = with(|bucket| bucket.region = Ok("us-east-1".to_owned()));
    let plan = judge(&wanted(), elsewhere);
    assert!(matches!(verdict(&plan, Part::Region), Verdict::Impossible(why) if why.contains("us-east-1")));
    let mut facts = healthy();
    facts.table.as_mut().unwrap().table.key[0].0 = "LockId".to_owned();
    let plan = judge(&wanted(), facts);
    assert!(matches!(verdict(&plan, Part::Table), Verdict::Impossible(_)));
    assert!(plan.is_done() && plan.impossible().count() == 1 && plan.target.table.is_none());
    let no_object = with(|bucket| bucket.policy = Ok(Some("[]".to_owned())));
    assert!(matches!(
        verdict(&judge(&wanted(), no_object), Part::TlsOnly),
        Verdict::Impossible(_)
    ));
}

#[test]
fn a_store_that_lacks_a_setting_is_told_apart_from_one_where_it_is_off() {
    let plan = judge(
        &wanted(),
        with(|bucket| {
            bucket.public_access = Err("NotImplemented: no".to_owned());
            bucket.ownership = Err("NotImplemented: no".to_owned());
        }),
    );
    assert!(plan.is_done());
    assert!(
        matches!(verdict(&plan, Part::PublicAccess), Verdict::LeftOut(why) if why.contains("NotImplemented"))
    );
    assert!(!plan.target.public_access && plan.target.ownership.is_none());
}

#[test]
fn tags_are_added_to_those_of_others() {
    let wanted = Wanted {
        tags: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
        ..wanted()
    };
    let plan = judge(&wanted, healthy());
    let Step::Tags(tags) = only_step(&plan) else {
        panic!("tags")
    };
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["owner", "team"]);
    let setting = plan.settings.iter().find(|setting| setting.part == Part::Tags);
    let said = setting.map(|setting| setting.wanted.as_str());
    assert_eq!(
        said,
        Some("owner=them, team=platform"),
        "the plan says what will be there"
    );
}

#[test]
fn code_holds_texts_of_others_as_texts() {
    let wanted = Wanted {
        tags: BTreeMap::from([("a\"${b}".to_owned(), "c\n%{d}'".to_owned())]),
        ..wanted()
    };
    let plan = judge(&wanted, Facts::default());
    let hcl = print::hcl(&plan);
    assert!(hcl.contains(r#""a\"$${b}" = "c\n%%{d}'""#), "{hcl}");
    let script = print::aws_cli(&plan, &print::Reached::default());
    assert!(script.contains(r"%{d}'\''"), "{script}");
    let mut odd = plan.clone();
    odd.notes.push("first\nrm -rf /".to_owned());
    let script = print::aws_cli(&odd, &print::Reached::default());
    assert!(script.contains("# first rm -rf /\n"), "{script}");
}

#[test]
fn rules_of_every_kind_are_written_in_every_form() {
    let text = b"<LifecycleConfiguration><Rule><ID>theirs</ID><Filter><And><Prefix>logs/</Prefix>\
        <Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag>\
        <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></And></Filter><Status>Disabled</Status>\
        <Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>\
        <NoncurrentVersionTransition><NoncurrentDays>9</NoncurrentDays><StorageClass>STANDARD_IA</StorageClass>\
        </NoncurrentVersionTransition></Rule></LifecycleConfiguration>";
    let lifecycle = Lifecycle::parse(text, Some("varies_by_storage_class".to_owned()));
    let plan = judge(&wanted(), with(|bucket| bucket.lifecycle = Ok(lifecycle)));
    let hcl = print::hcl(&plan);
    for piece in [
        "transition_default_minimum_object_size = \"varies_by_storage_class\"",
        "object_size_greater_than = 500",
        "tags = {\n          \"a\" = \"1\"",
        "noncurrent_version_transition {\n      noncurrent_days = 9",
        "import {\n  to = aws_s3_bucket_lifecycle_configuration.state",
    ] {
        assert!(hcl.contains(piece), "{piece}: {hcl}");
    }
    let template = print::cloudformation(&plan);
    for piece in [
        "\"TransitionInDays\": 9",
        "\"ObjectSizeGreaterThan\": \"500\"",
        "\"TagFilters\":",
        "--change-set-type IMPORT",
    ] {
        assert!(template.contains(piece), "{piece}: {template}");
    }
    let script = print::aws_cli(&plan, &print::Reached::default());
    assert!(
        script.contains(r#""Transitions":[{"Days":30,"StorageClass":"GLACIER"}]"#),
        "{script}"
    );
    assert!(script.contains("# the bucket tfstate is there"));
}
