//! What goes wrong in the middle: answers that get lost, a server that is killed, many who want the same at once.

use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile, Table},
    BackendConfig, LossyProxy, Rng, Terraform, hold_until_released, state_document, wait_until,
};

use crate::{ALL, THING, World, at_once, locking::assert_names, with_each_backend, world::hold};

with_each_backend! {
    answers_that_get_lost_orphan_no_lock_and_lose_no_state
    an_apply_outlives_a_crash_of_the_server
}

/// The same key, the same machine: nothing but their IDs tells them apart.
#[test]
fn users_who_wait_take_turns_and_none_gives_up() {
    at_once(&ALL, take_turns);
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
    let terraform = world.project_through(&proxy, "a", &config, THING);

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

/// The release is repeated when the next one holds the lock already; what it names is over, and stays over.
#[test]
fn a_repeated_release_does_not_free_the_lock_of_the_next() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let config = BackendConfig::new(backend, "released-twice.tfstate");
        let proxy = LossyProxy::start(world.server.authority(), Vec::new());
        let holder = world.project_through(&proxy, "holder", &config, &hold("holder"));
        let holding = holder.start(&["apply", "-auto-approve"]);
        holder.wait_for("started");
        let next = world.project("next", &config, &hold("next"));
        let waiting = next.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
        world.wait_for_line(&config, &[true]);

        proxy.lose(match backend {
            LockFile => "DELETE .tflock",
            Table | Both => "POST .DeleteItem",
            Http => "UNLOCK /state/",
        });
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        assert_eq!(proxy.not_lost_yet(), Vec::<&str>::new(), "it was repeated");
        next.wait_for("started");
        let third = world.project("third", &config, THING);
        assert_names(
            backend,
            &third.run(&["apply", "-auto-approve"]).failed(),
            &world.holder(&config),
        );
        next.write("release", "");
        let _ = waiting.finish().succeeded();
        assert!(world.is_unlocked(&config), "{backend:?}");
    });
}

/// Between the look of a force-unlock and its delete, which carries no ID, the lock goes to the next.
#[test]
fn a_force_unlock_that_arrives_late_does_not_break_the_lock_of_the_next() {
    at_once(&[LockFile, Table], |backend| {
        let Some(world) = World::new() else { return };
        let config = BackendConfig::new(backend, "late.tfstate");
        let (holder, holding) = world.holding("holder", &config);
        let id = world.holder(&config)["ID"].as_str().unwrap().to_owned();
        let proxy = LossyProxy::start(world.server.authority(), Vec::new());
        let breaker = world
            .project_through(&proxy, "breaker", &config, THING)
            .as_run("job/breaker");
        proxy.keep_back(if backend == Table {
            "POST .DeleteItem"
        } else {
            "DELETE .tflock"
        });
        let breaking = breaker.start(&["force-unlock", "-force", &id]);
        wait_until("it has looked, and is about to delete", || proxy.kept_back() == 1);

        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let (next, next_holding) = world.holding("next", &config);
        let info = world.holder(&config);
        proxy.let_go();
        let broken = breaking.finish();
        assert_eq!(world.holder(&config), info, "{backend:?}: {}", broken.text());
        next.write("release", "");
        let _ = next_holding.finish().succeeded();
        assert!(world.is_unlocked(&config), "{backend:?}");
    });
}

/// A state in parts: the answer to one of them is lost, and the answer to the request that puts them together.
#[test]
fn a_large_state_is_written_although_answers_get_lost() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Both, "large.tfstate");
    let to_lose = vec!["PUT partNumber=1", "POST large.tfstate?uploadId="];
    let proxy = LossyProxy::start(world.server.authority(), to_lose);
    let terraform = world.project_through(&proxy, "a", &config, "");
    let padding = Rng::new(6).text(6 << 20);
    let state = state_document(1, "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", &padding);
    terraform.write("large.tfstate", state);

    terraform.ok(&["state", "push", "large.tfstate"]);
    assert_eq!(proxy.not_lost_yet(), Vec::<&str>::new(), "all of it went wrong");
    assert!(
        String::from_utf8(world.stored(&config))
            .unwrap()
            .contains(&padding)
    );
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

fn take_turns(backend: Backend) {
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
