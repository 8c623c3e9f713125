//! Operators' commands against a real server: who holds what, the ways to free it, and refused writes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{BINARY, command};
use serde_json::{Value, json};
use tidelock_testkit::{Client, Hermetic, Output, Request, Response, TestServer};

const ADDRESS: &str = "tfstate/app/terraform.tfstate";
const ANN: &str = "aws-sdk-go-v2/1.30 ci/7 https://ci.example/job/7";
const BOB: &str = "aws-sdk-go-v2/1.30 ci/8";
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    server: TestServer,
    hermetic: Hermetic,
    client: Client,
}

impl World {
    fn new() -> World {
        let server = TestServer::start(BINARY);
        let client = server.client();
        World {
            server,
            hermetic: Hermetic::new(),
            client,
        }
    }

    /// `tidelock ARGUMENTS --data …`, without a terminal.
    fn tidelock(&self, arguments: &[&str]) -> Output {
        let mut command = command(&self.hermetic, arguments);
        command.arg("--data").arg(self.server.data()).stdin(Stdio::null());
        Output::of(command)
    }

    fn says(&self, arguments: &[&str], status: i32) -> Output {
        self.tidelock(arguments).with_status(status)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.says(arguments, 0);
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// The same on a terminal where somebody types `answer`.
    fn typed(&self, arguments: &str, answer: &str) -> Output {
        let mut command: Command = self.hermetic.command("script", &self.hermetic.workdir("work"));
        let line = format!("{BINARY} {arguments} --data {}", self.server.data().display());
        command.args(["-qec", &line, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        child
            .stdin
            .as_ref()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        Output {
            command: line,
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::new(),
        }
    }

    fn lock(&mut self, agent: &str, id: &str) -> u16 {
        lock(&mut self.client, agent, id).status
    }

    fn write(&mut self, agent: &str, serial: u64, name: &str) -> Response {
        let request = Request::new("PUT", &format!("/{ADDRESS}"), state(serial, name));
        self.client.send(&request.header("user-agent", agent))
    }

    /// Ann's apply has been freed by force and wrote serial 2 nevertheless; the number it is kept under.
    fn refuse_a_write(&mut self) -> String {
        assert_eq!(self.lock(ANN, "ann-1"), 200);
        assert_eq!(self.write(ANN, 1, "old").status, 200);
        let _ = self.says(&["unlock", ADDRESS, "ann-1", "--force"], 0);
        let refused = self.write(ANN, 2, "new");
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (409, "StateFenced"),
            "{}",
            refused.text()
        );
        let listed = self.json(&["rescue", "list", ADDRESS, "--json"]);
        listed["refused"][0]["id"].to_string()
    }
}

fn lock(client: &mut Client, agent: &str, id: &str) -> Response {
    let info = json!({"ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": format!("{id}@host\u{9b}2J"), "Version": "1.11.4", "Created": "2026-11-21T08:00:00Z", "Path": ADDRESS});
    let request = Request::new("PUT", &format!("/{ADDRESS}.tflock"), info.to_string());
    client.send(&request.header("user-agent", agent).header("if-none-match", "*"))
}

fn state(serial: u64, name: &str) -> String {
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l", "outputs": {},
        "resources": [{"mode": "managed", "type": "aws_s3_bucket", "name": "b", "provider": "p", "instances": [
            {"schema_version": 0, "attributes": {"id": "b", "tags": {"Name": name}, "key": name},
             "sensitive_attributes": [[{"type": "get_attr", "value": "key"}]]},
        ]}],
    })
    .to_string()
}

#[test]
fn locks_shows_holder_and_waiter_and_an_unlock_hands_over() {
    let mut world = World::new();
    assert_eq!(world.says(&["locks"], 0).stdout, "Nothing is locked.\n");
    assert_eq!(world.lock(ANN, "ann-1"), 200);
    let mut client = world.server.client();
    let bob = thread::spawn(move || {
        while lock(&mut client, BOB, "bob-1").status == 412 {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let begun = Instant::now();
    while world.json(&["locks", ADDRESS, "--json"])["waiters"][0]["held"] != true {
        assert!(begun.elapsed() < PATIENCE && !bob.is_finished());
        thread::sleep(Duration::from_millis(10));
    }
    let shown = world.says(&["locks"], 0).stdout;
    for text in [
        "tfstate/app/terraform.tfstate  (no state yet)\n",
        "  held by    ann-1@host\\u009b2J, OperationTypeApply\n",
        ", with a lock file\n",
        "lock ann-1, fence 1\n",
        "  job        https://ci.example/job/7\n",
        "  waiting    1. bob-1@host",
        "in line now\n",
        "unlock tfstate/app/terraform.tfstate ann-1 --data=",
    ] {
        assert!(shown.contains(text), "no {text:?} in:\n{shown}");
    }
    let freed = world.json(&["unlock", ADDRESS, "ann-1", "--force", "--json"]);
    assert_eq!(freed["freed"]["id"], "ann-1");
    bob.join().unwrap();
    let status = world.json(&["locks", ADDRESS, "--json"]);
    assert_eq!(
        (&status["locks"][0]["id"], &status["fenced"][0]["id"]),
        (&json!("bob-1"), &json!("ann-1"))
    );
}

#[test]
fn an_unlock_asks_and_a_wrong_id_frees_nothing() {
    let mut world = World::new();
    let free = world.says(&["unlock", ADDRESS, "ann-1", "--force"], 7).stderr;
    assert!(free.contains("nobody holds it"), "{free}");
    assert_eq!(world.lock(ANN, "ann-1"), 200);
    let wrong = world.says(&["unlock", ADDRESS, "ann-2", "--force"], 7).stderr;
    assert!(wrong.contains("it is held by ann-1@host"), "{wrong}");
    let unasked = world.says(&["unlock", ADDRESS, "ann-1"], 2).stderr;
    assert!(
        unasked.contains("last seen") && unasked.contains("add --yes"),
        "{unasked}"
    );
    let unlock = format!("unlock {ADDRESS} ann-1");
    let no = world.typed(&unlock, "y\n");
    assert_eq!(no.status.code(), Some(1), "{}", no.text());
    assert!(
        no.stdout.contains("last seen") && no.stdout.contains("nothing was changed"),
        "{}",
        no.stdout
    );
    assert_eq!(world.lock(BOB, "bob-1"), 412);
    let yes = world.typed(&unlock, "yes\n");
    assert!(
        yes.status.success() && yes.stdout.contains("Freed"),
        "{}",
        yes.text()
    );
    assert_eq!(world.lock(BOB, "bob-1"), 200);
}

#[test]
fn a_freeze_keeps_everybody_out_and_says_why() {
    let mut world = World::new();
    let frozen = world
        .says(&["freeze", ADDRESS, "--reason", "moving house"], 0)
        .stdout;
    assert!(
        frozen.contains(&format!("thaw {ADDRESS}")) && frozen.contains("is it the right one?"),
        "{frozen}"
    );
    let again = format!("thaw {ADDRESS} --data={}\n", world.server.data().display());
    for told in [&frozen, &world.says(&["locks"], 0).stdout] {
        assert!(told.contains(&again), "it must find the same server: {told}");
    }
    assert!(
        world
            .says(&["freeze", ADDRESS, "--reason", "again"], 7)
            .stderr
            .contains("Z (moving house); thaw it")
    );
    assert_eq!(world.lock(ANN, "ann-1"), 412);
    let refused = world.write(ANN, 1, "x");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (423, "StateLocked"),
        "{}",
        refused.text()
    );
    assert!(
        refused
            .text()
            .contains("(moving house). The refused state is kept")
            && refused.text().contains("Nobody writes it until"),
        "{}",
        refused.text()
    );
    let shown = world.says(&["locks", ADDRESS], 0).stdout;
    assert!(
        shown.contains("frozen by") && shown.contains("reason     moving house"),
        "{shown}"
    );
    let id = world.json(&["locks", ADDRESS, "--json"])["locks"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        world
            .says(&["unlock", ADDRESS, &id, "--force"], 7)
            .stderr
            .contains("thaw it")
    );
    let _ = world.says(&["thaw", ADDRESS], 0);
    let _ = world.says(&["thaw", ADDRESS], 7);
    assert_eq!(world.lock(ANN, "ann-1"), 200);
    assert!(
        world
            .says(&["freeze", ADDRESS, "--reason", "late"], 7)
            .stderr
            .contains("is locked by")
    );
}

#[test]
fn a_write_that_goes_back_is_permitted_once() {
    let mut world = World::new();
    assert_eq!(world.write(ANN, 5, "five").status, 200);
    let neither = world.says(&["allow", ADDRESS], 2).stderr;
    assert!(neither.contains("--rewind|--relineage"), "{neither}");
    let refused = world.write(ANN, 3, "three");
    assert_eq!(refused.code(), "StateNotAdvancing");
    assert!(
        refused
            .text()
            .contains(&format!("tidelock allow {ADDRESS} --rewind"))
    );
    let said = world
        .says(&["allow", ADDRESS, "--rewind", "--for", "5m"], 0)
        .stdout;
    assert_eq!(
        said,
        format!(
            "The next write to {ADDRESS} may go back, once, within 5m. Then, where its configuration is:\n\n  terraform state \
             push -force old.tfstate\n"
        )
    );
    let astray = world
        .says(&["allow", "tfstate/ap/terraform.tfstate", "--rewind"], 0)
        .stdout;
    assert!(astray.contains("is it the right one?"), "{astray}");
    assert!(
        world
            .says(&["locks", ADDRESS], 0)
            .stdout
            .contains("allowed    rewind, once")
    );
    assert_eq!(world.write(ANN, 3, "three").status, 200);
    assert_eq!(world.write(ANN, 2, "two").code(), "StateNotAdvancing");
    let allowed = world.json(&["allow", ADDRESS, "--relineage", "--json"]);
    assert_eq!(
        (&allowed["allowed"]["rewind"], &allowed["allowed"]["relineage"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn a_refused_write_is_looked_at_and_adopted() {
    let mut world = World::new();
    let none = world.says(&["rescue", "diff", ADDRESS], 7).stderr;
    assert!(
        none.contains("no refused write is kept for tfstate/app/terraform.tfstate"),
        "{none}"
    );
    let number = world.refuse_a_write();
    let list = world.says(&["rescue", "list", ADDRESS], 0).stdout;
    assert!(
        list.contains(&format!("rescue diff {ADDRESS} {number} --data=")),
        "{list}"
    );
    let show = world.says(&["rescue", "show", ADDRESS, &number], 0).stdout;
    assert!(
        show.contains("was ended by") && show.contains("https://ci.example/job/7"),
        "{show}"
    );
    let body = world.says(&["rescue", "show", ADDRESS, "--state"], 0).stdout;
    assert_eq!(body, state(2, "new"));
    let diff = world.says(&["rescue", "diff", ADDRESS], 1).stdout;
    assert!(
        diff.contains(r#"~ tags.Name  "old" -> "new""#) && diff.contains("key        (sensitive value)"),
        "{diff}"
    );
    let diff = world
        .says(&["rescue", "diff", ADDRESS, "--sensitive", "--json"], 1)
        .stdout;
    let diff: Value = serde_json::from_str(&diff).unwrap();
    assert_eq!(
        diff["resources"][0]["values"][0],
        json!({"path": "key", "kind": "changed", "sensitive": true, "old": "old", "new": "new"})
    );
    let unasked = world.says(&["rescue", "adopt", ADDRESS], 2).stderr;
    assert!(
        unasked.contains("tags.Name") && unasked.contains("add --yes"),
        "{unasked}"
    );
    let adopted = world
        .says(&["rescue", "adopt", ADDRESS, &number, "--force"], 0)
        .stdout;
    assert!(adopted.contains("is now at serial 2"), "{adopted}");
    let current = world
        .client
        .send(&Request::new("GET", &format!("/{ADDRESS}"), ""));
    assert_eq!(current.text(), state(2, "new"));
    assert_eq!(
        world.json(&["rescue", "list", ADDRESS, "--json"])["refused"],
        json!([])
    );
    let _ = world.says(&["rescue", "adopt", ADDRESS, &number, "--force"], 7);
}

#[test]
fn an_adopted_write_waits_for_the_holder_and_follows_its_serial() {
    let mut world = World::new();
    let number = world.refuse_a_write();
    assert_eq!(world.lock(BOB, "bob-1"), 200);
    assert_eq!(world.write(BOB, 9, "bob").status, 200);
    let locked = world
        .says(&["rescue", "adopt", ADDRESS, &number, "--force"], 7)
        .stderr;
    assert!(locked.contains("is locked by bob-1@host"), "{locked}");
    let _ = world.says(&["unlock", ADDRESS, "bob-1", "--force"], 0);
    let adopted = world.json(&["rescue", "adopt", ADDRESS, &number, "--force", "--json"]);
    assert_eq!(adopted["serial"], 10);
    let current = world
        .client
        .send(&Request::new("GET", &format!("/{ADDRESS}"), ""));
    assert_eq!(current.text(), state(10, "new"));
}

#[test]
fn diff_says_with_its_status_whether_anything_differs() {
    let mut world = World::new();
    let first = world.refuse_a_write();
    assert_eq!(world.write(ANN, 3, "old").status, 409);
    let several = world.says(&["rescue", "discard", ADDRESS], 2).stderr;
    assert!(several.contains("say which"), "{several}");
    let _ = world.says(&["rescue", "diff", ADDRESS, &first], 1);
    let listed = world.json(&["rescue", "list", ADDRESS, "--json"]);
    let second = listed["refused"][1]["id"].to_string();
    let same = world.says(&["rescue", "diff", ADDRESS, &second], 0).stdout;
    assert!(same.contains("No resource and no output differs."), "{same}");
    let _ = world.says(&["rescue", "discard", ADDRESS, &second], 2);
    assert!(
        world
            .typed(&format!("rescue discard {ADDRESS} {second}"), "yes\n")
            .status
            .success()
    );
    let _ = world.says(&["rescue", "show", ADDRESS, &second], 7);
    let elsewhere = world.tidelock(&["rescue", "diff", "nowhere"]);
    assert_eq!(elsewhere.status.code(), Some(2), "{}", elsewhere.text());
}

#[test]
fn two_runs_of_one_key_are_told_apart_in_what_is_shown() {
    let mut world = World::new();
    let run = "tidelock-run/0123 app/tidelock-run-0123 https://ci.example/job/9";
    assert_eq!(world.lock(&format!("aws-sdk-go-v2/1.30 {run}"), "nine"), 200);
    let _ = world.says(&["unlock", ADDRESS, "nine", "--force"], 0);
    let shown = world.says(&["locks", ADDRESS], 0).stdout;
    assert!(
        shown.contains("(https://ci.example/job/9): its lock nine was ended"),
        "{shown}"
    );
    assert_eq!(
        world.write(&format!("aws-sdk-go-v2/1.30 {run}"), 1, "x").code(),
        "StateFenced"
    );
    let list = world.says(&["rescue", "list", ADDRESS], 0).stdout;
    assert!(
        list.contains("  tidelock-run/0123 https://ci.example/job/9\n"),
        "{list}"
    );
    let _ = world.says(&["rescue", "discard", ADDRESS, "--force"], 0);
    assert_eq!(
        world.says(&["rescue", "list", ADDRESS], 0).stdout,
        format!("No refused write is kept for {ADDRESS}.\n")
    );
}

#[test]
fn without_a_server_an_operator_is_told_to_start_one_or_to_name_it() {
    let hermetic = Hermetic::new();
    let missing = common::tidelock(&hermetic, &["locks"]);
    assert_eq!(missing.status.code(), Some(4), "{}", missing.text());
    for text in [" serve --data ", "--profile NAME", "AWS_ENDPOINT_URL"] {
        assert!(missing.stderr.contains(text), "{}", missing.stderr);
    }
    let named = common::tidelock(&hermetic, &["locks", "--data", "nowhere"]);
    assert!(!named.stderr.contains("--profile NAME"), "{}", named.stderr);
}

#[test]
fn the_server_may_be_named_by_a_profile() {
    let mut world = World::new();
    assert_eq!(world.lock(ANN, "ann-1"), 200);
    let _ = world.says(&["profile", "--name", "state"], 0);
    let shown = common::tidelock(&world.hermetic, &["locks", "--profile", "state"]).succeeded();
    assert!(shown.stdout.contains("lock ann-1"), "{}", shown.stdout);
    let unknown = common::tidelock(&world.hermetic, &["locks", "--profile", "other"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", unknown.text());
}
