//! The backend block: which files count, which block, and what is no block to use.

use super::{Project, S3};

/// A configuration whose key says which file it came from.
fn tf(key: &str) -> String {
    format!("terraform {{\n  backend \"s3\" {{\n    bucket = \"states\"\n    key    = \"{key}\"\n  }}\n}}\n")
}

fn json(key: &str) -> String {
    format!(r#"{{"terraform": {{"backend": {{"s3": {{"bucket": "states", "key": "{key}"}}}}}}}}"#)
}

#[test]
fn the_block_is_found_in_either_syntax_of_either_program() {
    for (name, text) in [
        ("versions.tf", tf("k")),
        ("versions.tofu", tf("k")),
        ("versions.tf.json", json("k")),
        ("versions.tofu.json", json("k")),
        ("marked.tf", format!("\u{feff}{}", tf("k"))),
        ("marked.tf.json", format!("\u{feff}{}", json("k"))),
        ("windows.tf", tf("k").replace('\n', "\r\n")),
        (
            "arrays.tf.json",
            r#"{"//": "x", "terraform": [{"required_version": ">1"}, {"backend": [{"//": "y", "s3": [{"bucket": "states", "key": "k"}]}]}]}"#
                .to_owned(),
        ),
        (
            "forms.tf",
            "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n  backend s3 {\n    \
             bucket = (\"states\")\n    key = \"k\"\n    encrypt = true\n    # key = \"x\"\n  }\n}\n\
             locals { x = [for k, v in var.m : k if v > 1] }\n"
                .to_owned(),
        ),
    ] {
        let project = Project::with(&[(name, &text)]);
        assert_eq!(project.address(), "states/k", "{name}");
    }
}

#[test]
fn the_line_of_the_block_is_told() {
    let project = Project::with(&[("main.tf", &format!("# first\n\n{}", tf("k")))]);
    assert!(project.find().at.to_string().ends_with("/main.tf:4"));
}

#[test]
fn an_escaped_template_is_a_plain_text() {
    let project = Project::with(&[("main.tf", &tf("a$${b}%%{c}$d%"))]);
    assert_eq!(project.address(), "states/a${b}%{c}$d%");
}

#[test]
fn in_json_only_the_record_tells_what_a_template_is() {
    for template in ["${var.x}", "a$${b}", "%{ if x }"] {
        let project = Project::with(&[("main.tf.json", &json(template))]);
        assert!(project.fault().starts_with("main.tf.json: key is computed"));
        // As stock Terraform 1.11.4 does it.
        let config = format!(r#"{{"bucket": "states", "key": "{template}"}}"#);
        let project = project.recorded("s3", &config);
        assert_eq!(project.address(), format!("states/{template}"));
    }
    let project = Project::with(&[("main.tf.json", &json("$a{b}%c$"))]);
    assert_eq!(project.address(), "states/$a{b}%c$");
}

#[test]
fn a_tofu_file_takes_the_place_of_its_tf_file_alone() {
    let project = Project::with(&[("main.tf", &tf("tf")), ("main.tofu", &tf("tofu"))]);
    assert_eq!(project.address(), "states/tofu");
    let project = Project::with(&[("a.tf.json", &json("tf")), ("a.tofu.json", &json("tofu"))]);
    assert_eq!(project.address(), "states/tofu");
    let project = Project::with(&[("main.tf", &tf("tf")), ("other.tofu", "locals {}\n")]);
    assert_eq!(project.address(), "states/tf");
}

#[test]
fn the_last_override_counts() {
    let project = Project::with(&[
        ("main.tf", &tf("main")),
        ("a_override.tf", &tf("a")),
        ("b_override.tf.json", &json("b")),
        ("c_override.tf", "locals {}\n"),
        ("override.tf.txt", &tf("no")),
        ("overrides.tf", "locals {}\n"),
    ]);
    assert_eq!(project.address(), "states/b");
    project.write("override.tf", &tf("last"));
    assert_eq!(project.address(), "states/last");
}

#[test]
fn what_terraform_passes_over_is_passed_over() {
    let project = Project::with(&[
        ("main.tf", &tf("main")),
        (".hidden.tf", &tf("hidden")),
        ("main.tf~", &tf("backup")),
        ("#main.tf#", &tf("lock")),
        ("~main.tf.orig", &tf("orig")),
        ("modules/x/main.tf", &tf("module")),
        ("broken.tf", "resource {{{"),
        ("dir.tf/main.tf", &tf("directory")),
        ("notes.md", "terraform { backend"),
    ]);
    assert_eq!(project.address(), "states/main");
}

#[test]
fn two_blocks_are_refused_with_both_places() {
    let project = Project::with(&[("a.tf", &tf("a")), ("b.tf", &format!("\n{}", tf("b")))]);
    let fault = project.fault();
    assert!(
        fault.contains("b.tf:3: a second") && fault.contains("a.tf:2"),
        "{fault}"
    );
    let cloud = "terraform {\n  cloud {}\n}\n";
    let project = Project::with(&[("a.tf", &tf("a")), ("b.tf", cloud)]);
    assert!(project.fault().contains("b.tf:2: a second"));
}

#[test]
fn other_backends_are_named_with_their_place() {
    for (block, expected) in [
        (
            "backend \"gcs\" {\n bucket = \"b\"\n}",
            "main.tf:2: the state is kept by backend \"gcs\"",
        ),
        (
            "backend \"local\" {}",
            "main.tf:2: the state is kept by backend \"local\"",
        ),
        (
            "cloud {\n organization = \"o\"\n}",
            "main.tf:2: the state is kept by HCP Terraform",
        ),
    ] {
        let fault = Project::block(block).fault();
        assert!(fault.starts_with(expected), "{fault}");
        assert!(
            fault.ends_with("name the state: BUCKET/KEY, or --bucket and --key"),
            "{fault}"
        );
    }
}

#[test]
fn without_a_block_the_user_is_told_to_name_the_state() {
    let fault = Project::with(&[("main.tf", "terraform {\n  required_version = \">1\"\n}\n")]).fault();
    assert!(fault.starts_with("no backend block in "), "{fault}");
    assert!(
        fault.contains("its state is a file there; name the state: BUCKET/KEY, or --bucket and --key"),
        "{fault}"
    );
    let fault = Project::with(&[("terragrunt.hcl", "")]).fault();
    assert!(fault.contains(".terragrunt-cache"), "{fault}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let nowhere = tidelock_operator::backend::find("/nowhere/at/all".as_ref(), &[], &|_| None);
    assert!(nowhere.unwrap_err().to_string().contains("/nowhere/at/all"));
}

#[test]
fn a_file_that_cannot_be_understood_is_named_with_its_line() {
    let fault = Project::block("backend \"s3\" {\n  secret_key = \"hush\n}").fault();
    assert!(
        fault.starts_with("main.tf:3: ") && !fault.contains("hush"),
        "{fault}"
    );
    let fault = Project::with(&[("main.tf.json", "{\"terraform\": {\n\"backend\": {\"hush\"}}")]).fault();
    assert_eq!(fault, "main.tf.json:2: this is no JSON");
}

#[test]
fn deep_nesting_is_refused_and_does_not_end_the_program() {
    let deep = |open: &str| format!("{}\nlocals {{\n  x = {}\n}}\n", tf("k"), open.repeat(100_000));
    for open in ["(", "[", "{a=", "\"${", "!", "-", "f(", "a ? ", "[for x in "] {
        let fault = Project::with(&[("main.tf", &deep(open))]).fault();
        assert!(fault.starts_with("main.tf:"), "{open}: {fault}");
    }
    let fault = Project::with(&[(
        "x.tf.json",
        &format!("{{\"terraform\":\"backend\",\"a\":{}", "[".repeat(100_000)),
    )])
    .fault();
    assert_eq!(fault, "x.tf.json:1: this is no JSON");
}

#[test]
fn a_directory_of_too_much_is_refused() {
    let project = Project::block(S3);
    for number in 0..4_096 {
        project.write(&format!("{number}.tf"), "");
    }
    assert!(
        project.fault().contains("more than 4096 files"),
        "{}",
        project.fault()
    );
    let project = Project::block(S3);
    let large = project.path().join("a.tf");
    std::fs::File::create(large).unwrap().set_len(70 << 20).unwrap();
    let fault = project.fault();
    assert!(fault.starts_with("cannot read a.tf: more than "), "{fault}");
}

#[test]
fn settings_from_files_and_arguments_cover_the_block_in_their_order() {
    let project = Project::block(S3)
        .config("key=one")
        .config("sub/two.tfbackend")
        .config("region=eu-1");
    project.write("sub/two.tfbackend", "key = \"two\"\nprofile = \"p\"\n");
    let found = project.find();
    assert_eq!(found.address.to_string(), "states/two");
    assert_eq!(
        (found.profile.as_deref(), found.region.as_deref()),
        (Some("p"), Some("eu-1"))
    );
    assert_eq!(project.config("key=a=b c").address(), "states/a=b c");
}

#[test]
fn a_partial_block_is_made_whole_by_what_init_is_given() {
    let project = Project::block("backend \"s3\" {}");
    let fault = project.fault();
    assert!(
        fault.starts_with("main.tf:2: the backend block has no bucket"),
        "{fault}"
    );
    let project = project.config("conf.json");
    project.write("conf.json", r#"{"bucket": "states", "use_lockfile": true}"#);
    assert!(project.fault().contains("has no key"));
    let found = project.config("key=k").config("dynamodb_table=locks").find();
    assert_eq!(found.address.to_string(), "states/k");
    assert!(found.lock_file);
    assert_eq!(found.table.as_deref(), Some("locks"));
}

#[test]
fn an_object_of_settings_takes_the_place_of_the_whole_object() {
    let block = "backend \"s3\" {\n bucket = \"states\"\n key = \"k\"\n endpoints = {\n  s3 = \"http://a:1\"\n  \"dynamodb\" : \"http://b:1\"\n }\n}";
    let found = Project::block(block).find();
    assert_eq!(found.endpoint.as_deref(), Some("http://a:1"));
    assert_eq!(
        found.wanted.endpoints.get("dynamodb").map(String::as_str),
        Some("http://b:1")
    );
    let found = Project::block(block)
        .config("endpoints={s3=\"http://c:1\"}")
        .find();
    assert_eq!(
        (
            found.endpoint.as_deref(),
            found.wanted.endpoints.get("dynamodb").cloned()
        ),
        (Some("http://c:1"), None)
    );
    let found = Project::block(block).config("endpoints={}").find();
    assert_eq!(
        (found.endpoint, found.wanted.endpoints.get("dynamodb").cloned()),
        (None, None)
    );
}

#[test]
fn what_init_could_not_be_given_is_refused() {
    let missing = Project::block(S3).config("nothing.hcl").fault();
    assert!(missing.contains("there is no file nothing.hcl"), "{missing}");
    let project = Project::block(S3).config("block.hcl");
    project.write("block.hcl", "key = \"k\"\nterraform {\n}\n");
    let block = project.fault();
    assert!(
        block.starts_with("block.hcl:2: ") && block.contains("no blocks"),
        "{block}"
    );
    let broken = Project::block(S3).config("endpoints={").fault();
    assert!(broken.starts_with("--backend-config endpoints: "), "{broken}");
    let project = Project::block(S3).config("list.json");
    project.write("list.json", "[]");
    assert!(project.fault().starts_with("list.json: "));
}

#[test]
fn a_bucket_that_cannot_be_is_refused_with_the_place_of_the_block() {
    let fault = Project::block("backend \"s3\" {\n bucket = \"No_Bucket\"\n key = \"k\"\n}").fault();
    assert!(
        fault.starts_with("main.tf:2: ") && fault.contains("No_Bucket"),
        "{fault}"
    );
}

#[test]
fn the_directory_one_is_in_is_called_so() {
    // That of the crate, where the tests run.
    let fault = tidelock_operator::backend::find(".".as_ref(), &[], &|_| None).unwrap_err();
    assert!(
        fault
            .to_string()
            .starts_with("no backend block in this directory, so"),
        "{fault}"
    );
}
