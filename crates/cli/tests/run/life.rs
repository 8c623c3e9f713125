//! Beginning and end: exit statuses, what is inherited, and a server that goes away meanwhile.

use std::{fs, process::Stdio};

use tidelock_testkit::{Hermetic, Output};

use crate::{World, common, wait_for_line, wait_until};

#[test]
fn the_exit_status_is_the_commands_own() {
    let world = World::new();
    for (script, status) in [
        ("exit 0", 0),
        ("exit 2", 2),
        ("exit 255", 255),
        ("kill -TERM $$", 128 + 15),
        ("kill -KILL $$", 128 + 9),
    ] {
        let output = Output::of(world.run(&["--", "sh", "-c", script]));
        assert_eq!(
            (output.status.code(), output.text().as_str()),
            (Some(status), ""),
            "{script}"
        );
    }
}

#[test]
fn a_command_that_cannot_be_run_is_told_from_one_that_is_not_there() {
    let world = World::new();
    fs::write(world.path("plain-file"), "").unwrap();
    for (command, status) in [("no-such-command", 127), ("./plain-file", 126)] {
        let output = Output::of(world.run(&["--", command]));
        assert_eq!(output.status.code(), Some(status), "{}", output.stderr);
        let said = format!("tidelock: cannot run {command}: ");
        assert!(output.stderr.starts_with(&said), "{}", output.stderr);
    }
}

#[test]
fn standard_input_and_output_and_arguments_are_the_commands() {
    let world = World::new();
    let mut command = world.run(&["sh", "-c", "cat; echo \"$1\" >&2", "-", "--lease"]);
    fs::write(world.path("in"), "typed").unwrap();
    command.stdin(fs::File::open(world.path("in")).unwrap());
    let output = Output::of(command).succeeded();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("typed", "--lease\n")
    );
}

#[test]
fn the_command_does_not_start_when_the_run_cannot_begin() {
    let hermetic = Hermetic::new();
    let touch = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = common::command(&hermetic, arguments);
        command
            .args(["--", "touch", "started"])
            .envs(environment.iter().copied());
        Output::of(command).status.code()
    };
    assert_eq!(touch(&["run"], &[]), Some(4), "no server");
    assert_eq!(touch(&["run", "--lease", "1s"], &[]), Some(2));
    assert_eq!(touch(&["run", "--lease", "60"], &[]), Some(2));
    assert_eq!(touch(&["run", "--token", "caf\u{e9}"], &[]), Some(2));
    let world = World::new();
    let id = world.server.credentials().access_key_id.as_str();
    let (endpoint, id, wrong) = (
        ("AWS_ENDPOINT_URL", world.server.endpoint()),
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
    );
    assert_eq!(touch(&["run"], &[endpoint, id, wrong]), Some(2), "a wrong key");
    assert!(!hermetic.workdir("work").join("started").exists());
}

#[test]
fn from_another_machine_the_variables_of_env_name_the_server() {
    let world = World::new();
    let (server, credentials) = (&world.server, world.server.credentials());
    let mut command = common::command(&world.hermetic, &["run", "printenv", "TF_APPEND_USER_AGENT"]);
    command
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
    let output = Output::of(command).succeeded();
    assert!(output.stdout.starts_with("tidelock-run/"), "{}", output.text());
    let log = server.log();
    for operation in ["PUT runs", "DELETE runs"] {
        assert!(log.contains(operation), "{operation} in {log}");
    }
}

#[test]
fn a_profile_names_the_server_where_the_variables_are_of_another_account() {
    let world = World::new();
    let data = world.server.data();
    let _ = common::tidelock(&world.hermetic, &["profile", "--data", data.to_str().unwrap()]).succeeded();
    let run = |profile: &str| {
        let words = ["run", "--profile", profile, "printenv", "AWS_SDK_UA_APP_ID"];
        let mut command = common::command(&world.hermetic, &words);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAOTHERACCOUNT")
            .env("AWS_SECRET_ACCESS_KEY", "other");
        Output::of(command)
    };
    assert!(run("tidelock").succeeded().stdout.starts_with("tidelock-run-"));
    let refused = run("nobody");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("tidelock profile --name nobody"),
        "{}",
        refused.stderr
    );
}

#[test]
fn while_the_server_is_away_the_command_goes_on_and_is_told_of_it() {
    let mut world = World::new();
    let script = "echo ready > ready; while [ ! -e release ]; do sleep 0.05; done; exit 3";
    let mut command = world.run(&["--lease", "9s", "--", "sh", "-c", script]);
    let said = world.path("said");
    let stderr = fs::File::create(&said).unwrap();
    let mut running = command.stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
    let said = || fs::read_to_string(&said).unwrap();
    wait_for_line(&world.path("ready"), "ready");
    world.server.kill9();
    wait_until("the first warning", || {
        said().contains("cannot renew the lease, which ends in")
    });
    wait_until("the second warning", || said().contains("the lease has ended"));
    assert_eq!(running.try_wait().unwrap(), None);
    world.server.restart();
    wait_until("the good news", || said().contains("the lease runs again"));
    fs::write(world.path("release"), "").unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(3));
    assert_eq!(said().lines().count(), 3, "each thing is said once: {}", said());
}
