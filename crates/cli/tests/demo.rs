//! `tidelock demo`: the story it tells, and what it says when it cannot.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use common::{command, tidelock};
use tidelock_testkit::{Hermetic, Output, Terraform};

/// The first line of the story that has `mark`.
fn told<'a>(story: &'a str, mark: &str) -> &'a str {
    let line = story.lines().find(|line| line.contains(mark));
    line.unwrap_or_else(|| panic!("no '{mark}' in:\n{story}"))
}

fn who(line: &str) -> &str {
    line.split_whitespace().nth(2).unwrap()
}

#[test]
fn the_loser_of_the_race_is_refused_then_wins_after_the_first() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let story = tidelock(&hermetic, &["demo", "--terraform", terraform.to_str().unwrap()])
        .succeeded()
        .stdout;
    let loser = who(told(&story, "refused, exit status 1"));
    let winner = who(told(&story, "applied, lock released"));
    assert_ne!(loser, winner);
    assert_eq!(who(told(&story, "got the lock, applied")), loser);
    assert_eq!(who(told(&story, "-lock-timeout=30s")), loser);
    for line in [
        "Error acquiring the state lock",
        "ID:",
        "Operation: OperationTypeApply",
        "Who:",
    ] {
        assert!(told(&story, line).trim_start().starts_with("| "), "{story}");
    }
    told(&story, &format!("serial 2, last applied by {loser}"));
    assert_eq!(
        story.lines().next_back(),
        Some("Nothing was lost, nothing was left locked. Your own state: `tidelock serve`")
    );
}

#[test]
fn nothing_is_left_behind_after_an_interrupt() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let temporary = hermetic.workdir("temporary");
    let mut command = command(&hermetic, &["demo", "--terraform", terraform.to_str().unwrap()]);
    let mut demo = command
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first_line = String::new();
    BufReader::new(demo.stdout.take().unwrap())
        .read_line(&mut first_line)
        .unwrap();
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    assert!(
        Command::new("kill")
            .args(["-INT", &demo.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn without_terraform_it_says_what_to_install() {
    let hermetic = Hermetic::new();
    let mut command = command(&hermetic, &["demo"]);
    command.env("PATH", hermetic.workdir("empty"));
    let missing = Output::of(command);
    assert_eq!((missing.status.code(), missing.stdout.as_str()), (Some(6), ""));
    let expected = "\
tidelock: neither `terraform` nor `tofu` is on PATH, and the demo races two of them. Install one:

  Terraform  https://developer.hashicorp.com/terraform/install
  OpenTofu   https://opentofu.org/docs/intro/install

or name it with --terraform PATH
";
    assert_eq!(missing.stderr, expected);
}

#[test]
fn a_terraform_that_is_too_old_is_named() {
    let hermetic = Hermetic::new();
    let old = hermetic.workdir("old").join("terraform");
    fs::write(&old, "#!/bin/sh\necho Terraform v1.9.8\n").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = tidelock(&hermetic, &["demo", "--terraform", old.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(
        refused
            .stderr
            .contains("says it is 'Terraform v1.9.8'; the demo needs 1.10"),
        "{}",
        refused.stderr
    );
}
