//! The made-up states: as Terraform writes them, the same for the same seed, and changed as the applies say.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;

use serde_json::Value;
use tidelock_core::{
    Diff, StateHeader,
    diff::{Change, Kind, Sensitive},
};
use tidelock_testkit::{Applied, Hermetic, Output, States, Terraform};

#[test]
fn a_state_has_as_many_resource_instances_as_asked_for_each_under_its_own_address() {
    for count in [1, 200, 1500] {
        let states = States::new(7, count);
        let addresses: Vec<String> = states.addresses().collect();
        assert_eq!(addresses.len(), count);
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), count);
    }
}

#[test]
fn the_same_seed_makes_the_same_states_and_another_seed_others() {
    let (mut one, mut same, mut other) = (States::new(1, 300), States::new(1, 300), States::new(2, 300));
    for _ in 0..5 {
        assert_eq!(one.apply(), same.apply());
        other.apply();
        assert_eq!(one.document(), same.document());
        assert_ne!(one.document(), other.document());
    }
    assert_eq!((one.serial(), one.lineage()), (6, same.lineage()));
}

#[test]
fn the_top_level_and_the_blocks_stand_in_terraforms_order() {
    let mut states = States::new(3, 400);
    for _ in 0..20 {
        states.apply();
    }
    let text = String::from_utf8(states.document()).unwrap();
    let members = [
        "version",
        "terraform_version",
        "serial",
        "lineage",
        "outputs",
        "resources",
        "check_results",
    ];
    let place = |name| text.find(&format!("\n  \"{name}\": ")).unwrap();
    assert!(members.map(place).is_sorted());
    assert!(text.ends_with("\n  ],\n  \"check_results\": null\n}\n"));
    let document: Value = serde_json::from_str(&text).unwrap();
    let resources = document["resources"].as_array().unwrap();
    let names = ["module", "mode", "type", "name"];
    let order = |resource: &Value| names.map(|name| resource[name].as_str().unwrap_or_default().to_owned());
    let blocks: Vec<_> = resources.iter().map(order).collect();
    assert!(blocks.is_sorted());
    assert_eq!(blocks.iter().collect::<BTreeSet<_>>().len(), blocks.len());
}

#[test]
fn values_are_spelt_as_go_spells_them() {
    let text = String::from_utf8(States::new(3, 400).document()).unwrap();
    assert!(!text.contains(['<', '>', '&']), "Go escapes these");
    let document: Value = serde_json::from_str(&text).unwrap();
    for resource in document["resources"].as_array().unwrap() {
        for instance in resource["instances"].as_array().unwrap() {
            let attributes = serde_json::to_string_pretty(&instance["attributes"]).unwrap();
            let attributes = attributes.replace('\n', "\n          ").replace('<', "\\u003c");
            let attributes = attributes.replace('>', "\\u003e").replace('&', "\\u0026");
            let found = text.contains(&format!("{attributes},\n          \"sensitive_attributes\": ["));
            assert!(found, "{attributes}");
        }
    }
}

#[test]
fn terraform_reads_a_state_and_writes_it_back_byte_for_byte() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let dir = hermetic.workdir("pushed");
    let mut states = States::new(8, 600);
    states.apply();
    std::fs::write(dir.join("made-up.json"), states.document()).unwrap();
    let run = |args: &[&str]| {
        let mut command = hermetic.command(&terraform, &dir);
        command.args(args);
        Output::of(command).succeeded()
    };
    let _ = run(&["state", "push", "made-up.json"]);
    assert_eq!(
        std::fs::read(dir.join("terraform.tfstate")).unwrap(),
        states.document()
    );
    let listed = run(&["state", "list"]).stdout;
    let expected: BTreeSet<_> = states.addresses().collect();
    assert_eq!(
        listed.lines().map(str::to_owned).collect::<BTreeSet<_>>(),
        expected
    );
}

#[test]
fn the_diff_finds_exactly_what_an_apply_says_it_changed() {
    for (seed, count) in [(1, 200), (2, 900), (3, 1)] {
        let mut states = States::new(seed, count);
        let mut before = states.document();
        for _ in 0..30 {
            let applied = states.apply();
            let after = states.document();
            let header = StateHeader::parse(&after).unwrap();
            assert_eq!(
                (header.serial, header.lineage.as_str()),
                (states.serial(), states.lineage())
            );
            let diff = Diff::between(&before, &after, Sensitive::Hide).unwrap();
            assert_eq!(found(&diff), applied);
            before = after;
        }
    }
}

/// What a comparison says in the words of an apply.
fn found(diff: &Diff) -> Applied {
    let of = |changes: &[Change], kind: Kind| {
        let of_kind = changes.iter().filter(|change| change.kind == kind);
        of_kind
            .map(|change| change.address.clone())
            .collect::<BTreeSet<_>>()
    };
    Applied {
        added: of(&diff.resources, Kind::Added),
        changed: of(&diff.resources, Kind::Changed),
        removed: of(&diff.resources, Kind::Removed),
        outputs: of(&diff.outputs, Kind::Changed),
    }
}

#[test]
fn a_secret_of_a_state_is_marked_as_one() {
    let mut states = States::new(4, 200);
    let first = states.document();
    // Enough applies to change a parameter and a password.
    for _ in 0..80 {
        states.apply();
    }
    let diff = Diff::between(&first, &states.document(), Sensitive::Hide).unwrap();
    let values = diff.resources.iter().flat_map(|change| &change.values);
    let hidden: BTreeSet<&str> = values
        .filter(|value| value.sensitive)
        .map(|value| value.path.as_str())
        .collect();
    assert!(
        hidden.contains("value") && hidden.contains("result"),
        "{hidden:?}"
    );
}

#[test]
fn an_apply_changes_one_percent_and_now_and_then_adds_or_removes_one() {
    let mut states = States::new(5, 500);
    let applied: Vec<_> = (0..60).map(|_| states.apply()).collect();
    assert!(applied.iter().all(|one| [4, 5].contains(&one.changed.len())));
    let added: usize = applied.iter().map(|one| one.added.len()).sum();
    let removed: usize = applied.iter().map(|one| one.removed.len()).sum();
    assert!((1..60).contains(&added) && (1..60).contains(&removed));
}

#[test]
fn five_thousand_resources_take_about_fourteen_megabytes() {
    let size = States::new(1, 5000).document().len();
    assert!((13_000_000..15_000_000).contains(&size), "{size}");
}
