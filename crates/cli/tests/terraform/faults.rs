//! What goes wrong in the middle: answers that get lost, a server that is killed, many who want the same at once.

use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile, Table},
    BackendConfig, LossyProxy, Terraform, hold_until_released,
};

use crate::{THING, World, with_each_backend};

with_each_backend! {
    answers_that_get_lost_orphan_no_lock_and_lose_no_state
    an_apply_outlives_a_crash_of_the_server
    users_who_wait_take_turns_and_none_gives_up
}

fn answers_that_get_lost_orphan_no_lock_and_lose_no_state(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "lossy.tfstate");
    let to_lose = match backend {
        LockFile => vec!["PUT .tflock", "PUT lossy.tfstate?", "DELETE .tflock"],
        Table => vec!["POST .PutItem", "PUT lossy.tfstate?", "POST .DeleteItem"],
        Both => vec![
            "PUT .tflock",
            "POST .PutItem",
            "PUT lossy.tfstate?",
            "POST .DeleteItem",
            "DELETE .tflock",
        ],
        Http => vec!["LOCK /state/", "POST /state/", "UNLOCK /state/"],
    };
    let proxy = LossyProxy::start(world.server.authority(), to_lose);
    let terraform = world.directory("a").through(proxy.endpoint());
    let block = config
        .hcl(&world.server)
        .replace(world.server.endpoint(), proxy.endpoint());
    terraform.write("main.tf", block + THING);
    terraform.ok(&["init"]);

    assert!(
        terraform
            .ok(&["apply", "-auto-approve"])
            .stdout
            .contains("1 added")
    );
    assert_eq!(proxy.not_lost_yet(), Vec::<&str>::new(), "all of it went wrong");
    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "first");
    assert!(world.is_unlocked(&config));
}

fn an_apply_outlives_a_crash_of_the_server(backend: Backend) {
    let Some(World {
        mut server,
        hermetic,
        terraform,
    }) = World::new()
    else {
        return;
    };
    let config = BackendConfig::new(backend, "outlived.tfstate");
    let project = |name| {
        let project = Terraform::new(&terraform, &hermetic, &server, name);
        project.write("main.tf", config.hcl(&server) + hold_until_released());
        project.ok(&["init"]);
        project
    };
    let (first, second) = (project("first"), project("second"));
    let running = first.start(&["apply", "-auto-approve"]);
    first.wait_for("started");

    server.kill9();
    server.restart();
    let refused = second.run(&["apply", "-auto-approve"]).failed();
    assert!(
        refused.text().contains("Error acquiring the state lock"),
        "{}",
        refused.text()
    );
    first.write("release", "");
    let _ = running.finish().succeeded();
    assert!(
        second
            .ok(&["apply", "-auto-approve"])
            .stdout
            .contains("0 added, 0 changed")
    );
}

fn users_who_wait_take_turns_and_none_gives_up(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "crowded.tfstate");
    let projects = USERS.map(|user| world.project(user, &config, &TURN.replace("USER", user)));
    let waiting = projects.map(|project| project.start(&["apply", "-auto-approve", "-lock-timeout=120s"]));
    for user in waiting {
        let _ = user.finish().succeeded();
    }
    let turns = world.hermetic.workdir("one").parent().unwrap().join("turns");
    let turns = std::fs::read_to_string(turns).unwrap();
    let turns: Vec<&str> = turns.lines().collect();
    assert_eq!(turns.len(), 2 * USERS.len(), "{turns:?}");
    for turn in turns.chunks(2) {
        assert_eq!(turn[0], turn[1], "one after the other: {turns:?}");
    }
    assert!(world.is_unlocked(&config));
}

const USERS: [&str; 4] = ["one", "two", "three", "four"];

/// Takes a second, and notes its beginning and its end.
const TURN: &str = r#"
resource "terraform_data" "turn" {
  triggers_replace = "USER"
  provisioner "local-exec" {
    command = "echo USER >> ../turns; sleep 1; echo USER >> ../turns"
  }
}
"#;
