//! One directory, with a shell in Terraform's place.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use tokio::sync::watch;

use super::*;

/// A shell, asked for `plan`, runs the script of that name, which is there for each subcommand. It notes what it was asked.
const INIT: &str = "echo init \"$@\" >> asked\n";
const PLAN: &str = "echo plan \"$@\" >> asked\nfor word; do case \"$word\" in -out=*) echo plan > \"${word#-out=}\";; esac; done\n";
const SHOW: &str = "echo show \"$@\" >> asked\ncat shown\n";
const FAIL: &str = "echo 'Error: it fails' >&2\nexit 1\n";

struct World {
    dir: TempDir,
    terraform: Terraform,
}

impl World {
    fn new() -> World {
        let world = World {
            dir: tempfile::tempdir().unwrap(),
            terraform: Terraform {
                program: "/bin/sh".into(),
                plan_arguments: vec!["-lock=true".to_owned(), "-var=a=b".to_owned()],
                init: false,
            },
        };
        for (name, text) in [("init", INIT), ("plan", PLAN), ("show", SHOW)] {
            world.write(name, text);
        }
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn plan(&self) -> PathBuf {
        self.dir.path().join("0.tfplan")
    }

    async fn check(&self, stopped: bool) -> Result<Drift, DriftError> {
        let (_stop, stopped) = watch::channel(stopped);
        check(&self.terraform, self.dir.path(), &self.plan(), stopped).await
    }

    /// What the program was asked, and that no plan is left.
    fn asked(&self) -> Vec<String> {
        assert!(!self.plan().exists());
        let asked = fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default();
        asked
            .lines()
            .map(|line| line.replace(&self.plan().display().to_string(), "PLAN"))
            .collect()
    }
}

const ASKED_PLAN: &str = "plan -lock=false -lock=true -var=a=b -refresh-only -json -input=false -no-color -detailed-exitcode=false -out=PLAN";
const ASKED_SHOW: &str = "show -json -no-color PLAN";

#[tokio::test]
async fn a_plan_is_made_shown_and_removed_and_the_users_word_about_the_lock_counts() {
    let mut world = World::new();
    world.write("shown", r#"{"format_version": "1.2"}"#);
    assert!(world.check(false).await.unwrap().is_none());
    assert_eq!(world.asked(), [ASKED_PLAN, ASKED_SHOW]);
    world.terraform.init = true;
    world.check(false).await.unwrap();
    assert_eq!(
        world.asked()[2..],
        ["init -input=false -no-color", ASKED_PLAN, ASKED_SHOW]
    );
}

#[tokio::test]
async fn what_fails_says_so_and_leaves_no_plan() {
    let world = World::new();
    world.write("shown", "hush");
    let foreign = world.check(false).await.unwrap_err().to_string();
    assert_eq!(
        foreign,
        "`sh show` printed a plan that cannot be read: line 1, column 1"
    );
    assert_eq!(world.asked().len(), 2);
    for (step, text) in [("show", SHOW), ("plan", PLAN)] {
        world.write(step, &format!("{text}{FAIL}"));
        let failed = world.check(false).await.unwrap_err().to_string();
        assert_eq!(failed, format!("`sh {step}` failed: Error: it fails"));
        assert!(!world.plan().exists());
    }
    let missing = Terraform {
        program: "/nonexistent/tofu".into(),
        ..world.terraform.clone()
    };
    let (_stop, stopped) = watch::channel(false);
    let missing = check(&missing, world.dir.path(), &world.plan(), stopped)
        .await
        .unwrap_err();
    assert!(
        missing.to_string().starts_with("cannot run /nonexistent/tofu"),
        "{missing}"
    );
}

#[tokio::test]
async fn after_a_stop_nothing_is_started() {
    let world = World::new();
    assert!(matches!(world.check(true).await, Err(DriftError::Stopped)));
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn who_does_not_wait_for_terraform_leaves_no_provider_behind() {
    let world = World::new();
    let pipe = world.dir.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // What stands for a provider holds the pipe open as long as it lives.
    world.write("plan", "sleep 120 > pipe & wait");
    let opened = tokio::task::spawn_blocking(move || std::fs::File::open(pipe).unwrap());
    let mut file = tokio::select! {
        _ = world.check(false) => panic!("it ended by itself"),
        file = opened => file.unwrap(),
    };
    let read = tokio::task::spawn_blocking(move || std::io::Read::read_to_end(&mut file, &mut Vec::new()));
    assert_eq!(read.await.unwrap().unwrap(), 0);
}
