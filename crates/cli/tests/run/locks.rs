//! What becomes of the locks of a run, with stock Terraform: when the machine dies, when only part of it does, and when
//! it was thought dead and comes back.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidelock_testkit::{
    BUCKET,
    Backend::{self, Http, LockFile, Table},
    BackendConfig, Output, Request, Running, Terraform, hold_until_released,
};

use crate::{World, common, kill, wait_until};

/// Of each function named, a test for the lock file, the table and http.
macro_rules! through_each_door {
    ($($test:ident)*) => { $(
        mod $test {
            use super::{Http, LockFile, Table};
            #[test] fn lock_file() { super::$test(LockFile); }
            #[test] fn table() { super::$test(Table); }
            #[test] fn http() { super::$test(Http); }
        }
    )* };
}

through_each_door! {
    the_lock_of_a_machine_that_died_is_free_when_its_lease_has_ended
    a_machine_that_was_thought_dead_is_refused_when_it_comes_back
    a_command_that_outlives_its_run_is_refused
    the_lock_of_a_command_that_was_killed_is_free_at_once
    a_run_that_ends_hands_its_lock_to_who_waits
    a_run_that_goes_well_leaves_no_lock_and_its_lease_is_renewed
}

/// Another apply, which tells by its output whether it was on the first one's state.
const OTHER: &str = r#"resource "terraform_data" "other" {}"#;

/// Longer than any test.
const LONG: &str = "1h";
/// Long enough for a loaded machine to renew it in time.
const RENEWED: &str = "10s";
/// The shortest there is.
const SHORT: &str = "5s";

fn the_lock_of_a_machine_that_died_is_free_when_its_lease_has_ended(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (_first, running) = scene.holding(SHORT);
    let command = child_of(running.id());
    running.kill9();
    kill("KILL", &command);

    let second = scene.project("second", OTHER);
    let waited = second
        .run(&["apply", "-auto-approve", "-lock-timeout=120s"])
        .succeeded();
    assert!(waited.stdout.contains("1 added"), "{}", waited.text());
}

fn a_machine_that_was_thought_dead_is_refused_when_it_comes_back(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (first, running) = scene.holding(SHORT);
    let command = child_of(running.id());
    // Both stand still, as in a machine that was suspended.
    kill("STOP", &running.id().to_string());
    kill("STOP", &command);
    let second = scene.project("second", OTHER);
    second.ok(&["apply", "-auto-approve", "-lock-timeout=120s"]);
    let state = second.ok(&["state", "pull"]).stdout;

    first.write("release", "");
    kill("CONT", &command);
    kill("CONT", &running.id().to_string());
    let refused = running.finish();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.text());
    assert_refused(backend, &first, &refused);
    assert_eq!(
        second.ok(&["state", "pull"]).stdout,
        state,
        "the state is the second one's"
    );
    second.ok(&["apply", "-auto-approve"]);
}

fn a_command_that_outlives_its_run_is_refused(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (first, running) = scene.holding(SHORT);
    let command = child_of(running.id());
    kill("STOP", &command);
    kill("KILL", &running.id().to_string());
    let second = scene.project("second", OTHER);
    second.ok(&["apply", "-auto-approve", "-lock-timeout=120s"]);
    let state = second.ok(&["state", "pull"]).stdout;

    first.write("release", "");
    kill("CONT", &command);
    // Its output ends when the command does, which has it from its dead parent.
    assert_refused(backend, &first, &running.finish());
    assert_eq!(
        second.ok(&["state", "pull"]).stdout,
        state,
        "the state is the second one's"
    );
}

/// Terraform was told why it was not to write, and has kept what it wanted to.
fn assert_refused(backend: Backend, terraform: &Terraform<'_>, output: &Output) {
    let text = one_line(output);
    let words: &[&str] = match backend {
        Http => &["HTTP error: 409"],
        _ => &["StateFenced:", "lease", "rescue"],
    };
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(terraform.path("errored.tfstate").exists());
}

fn the_lock_of_a_command_that_was_killed_is_free_at_once(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (first, running) = scene.holding(LONG);
    kill("KILL", &child_of(running.id()));
    first.write("release", "");
    assert_eq!(running.finish().status.code(), Some(128 + 9));
    let second = scene.project("second", OTHER);
    assert!(second.ok(&["apply", "-auto-approve"]).stdout.contains("1 added"));
}

fn a_run_that_ends_hands_its_lock_to_who_waits(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (first, running) = scene.holding(LONG);
    let second = scene.project("second", OTHER);
    let waiting = second.start(&["apply", "-auto-approve", "-lock-timeout=120s"]);
    wait_until("the second one's held request", || {
        scene.status()["waiters"][0]["held"] == true
    });
    kill("KILL", &child_of(running.id()));
    first.write("release", "");
    assert_eq!(running.finish().status.code(), Some(128 + 9));
    assert!(waiting.finish().succeeded().stdout.contains("1 added"));
}

fn a_run_that_goes_well_leaves_no_lock_and_its_lease_is_renewed(backend: Backend) {
    let Some(scene) = Scene::new(backend) else { return };
    let (first, mut running) = scene.holding(RENEWED);
    // Begun once, renewed in four thirds of the lease: without renewals the lock would be free by now.
    wait_until("four renewals", || {
        scene.world.server.log().matches("PUT runs").count() > 4
    });
    let second = scene.project("second", OTHER);
    let refused = second.run(&["apply", "-auto-approve"]).failed();
    assert!(
        refused.text().contains("Error acquiring the state lock"),
        "{}",
        refused.text()
    );
    assert!(running.is_running());
    first.write("release", "");
    assert!(running.finish().succeeded().stdout.contains("1 added"));
    second.ok(&["apply", "-auto-approve"]);
}

#[test]
fn a_run_that_is_asked_to_stop_lets_terraform_stop_in_good_order() {
    let Some(scene) = Scene::new(LockFile) else { return };
    let (_first, running) = scene.holding(LONG);
    kill("TERM", &running.id().to_string());
    let stopped = running.finish().failed();
    assert_eq!(stopped.status.code(), Some(1), "{}", stopped.text());
    let text = one_line(&stopped);
    assert!(text.contains("Interrupt received"), "{text}");
    assert!(!text.contains("Two interrupts received"), "{text}");
    scene.project("second", OTHER).ok(&["apply", "-auto-approve"]);
}

/// A server and a state that two want to change.
struct Scene {
    world: World,
    config: BackendConfig,
    terraform: PathBuf,
}

impl Scene {
    /// `None` where there is no terraform and none is required.
    fn new(backend: Backend) -> Option<Scene> {
        let terraform = Terraform::find()?;
        Some(Scene {
            world: World::new(),
            config: BackendConfig::new(backend, "leased.tfstate"),
            terraform,
        })
    }

    /// An initialised working directory.
    fn project(&self, name: &str, resources: &str) -> Terraform<'_> {
        let terraform = self.directory(name);
        terraform.write("main.tf", self.config.hcl(&self.world.server) + resources);
        terraform.ok(&["init"]);
        terraform
    }

    /// An apply in a run with this lease that holds the lock until the file `release` is there.
    fn holding(&self, lease: &str) -> (Terraform<'_>, Running) {
        let _ = self.project("first", hold_until_released());
        let binary = common::BINARY;
        // In a session of its own: when a parent ends whose child in another process group is stopped, the kernel may hang up
        // on that whole group, and ours is that of the test run.
        let terraform = self
            .directory("first")
            .under(&["setsid", binary, "run", "--lease", lease, "--"]);
        let running = terraform.start(&["apply", "-auto-approve"]);
        terraform.wait_for("started");
        (terraform, running)
    }

    /// What an operator is shown of the state's locks.
    fn status(&self) -> Value {
        let path = format!("/admin/locks/{BUCKET}/{}", self.config.key);
        let answer = self
            .world
            .server
            .client()
            .send_basic(&Request::new("GET", &path, ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    fn directory(&self, name: &str) -> Terraform<'_> {
        let World { server, hermetic } = &self.world;
        Terraform::new(&self.terraform, hermetic, server, name)
    }
}

/// The process ID of the only child of a process.
fn child_of(id: u32) -> String {
    let children = Path::new("/proc").join(format!("{id}/task/{id}/children"));
    let text = std::fs::read_to_string(children).unwrap();
    let mut children = text.split_whitespace();
    let only = children.next().unwrap().to_owned();
    assert_eq!(children.next(), None);
    only
}

/// The text without the frame and the line breaks that Terraform puts around an error.
fn one_line(output: &Output) -> String {
    let text = output.text().replace('\u{2502}', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
