//! Back to an older version in one command: Terraform agrees with what is there then, and no other's work is undone unseen.

use serde_json::{Value, json};
use tidelock_testkit::{
    BUCKET,
    Backend::{self, Both, Http, Table},
    BackendConfig, Output, Request, TABLE, Terraform, etag, state_document, wait_until,
};

use crate::{
    THING, World, history::entries, plans::Gate, with_each_backend, with_each_s3_backend, world::hold,
};

with_each_backend! {
    after_a_rollback_its_configuration_plans_no_changes
    a_rollback_is_refused_while_an_apply_holds_the_lock
    a_rollback_is_refused_while_a_plan_reads
    a_plan_that_was_saved_before_a_rollback_is_stale
    an_apply_without_a_lock_does_not_undo_a_rollback
    a_destroyed_and_deleted_state_comes_back
}

with_each_s3_backend! {
    a_copy_of_an_older_version_is_what_its_configuration_wants
    in_a_bucket_without_versions_every_version_is_kept_and_comes_back
}

fn after_a_rollback_its_configuration_plans_no_changes(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "net work/rolled.tfstate");
    let (terraform, applied) = applied(&world, &config);
    for (number, (version, state)) in (1..).zip(&applied) {
        let before = pulled(&terraform);
        let done = rollback(&world, &config, *version).succeeded();
        let now = pulled(&terraform);
        assert_eq!(serial(&now), serial(&before) + 1, "{}", done.text());
        for part in ["lineage", "resources", "outputs"] {
            assert_eq!(now[part], state[part]);
        }
        assert_digest(&world, &config);
        terraform.write("main.tf", config.hcl(&world.server) + &numbered(number));
        let plan = terraform.ok(&["plan", "-detailed-exitcode"]);
        assert!(plan.stdout.contains("No changes"), "{}", plan.text());
        assert!(world.is_unlocked(&config));
    }
    let entry = &entries(&world, &config)[0];
    assert_eq!(
        entry["lock"]["operation"],
        format!("rollback to {}", applied[2].0),
        "{entry}"
    );
    terraform.write("main.tf", config.hcl(&world.server) + &numbered(1));
    terraform.ok(&["apply", "-auto-approve"]);
    assert_digest(&world, &config);
}

fn a_rollback_is_refused_while_an_apply_holds_the_lock(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let (_, applied) = applied(&world, &config);
    let before = world.stored(&config);
    let (apply, running) = world.holding("late", &config);
    assert_refused_for_the_holder(&world, &config, applied[0].0, "OperationTypeApply");
    assert_eq!(world.stored(&config), before);
    apply.write("release", "");
    let _ = running.finish().succeeded();
    assert_ne!(world.stored(&config), before, "the apply has written");
    let _ = rollback(&world, &config, applied[0].0).succeeded();
}

fn a_rollback_is_refused_while_a_plan_reads(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let (_, applied) = applied(&world, &config);
    let (before, gate) = (world.stored(&config), Gate::shut(&world));
    let plan = gate.project(&world, &config, "plan");
    let planning = plan.start(&["plan"]);
    wait_until("the plan has its lock and reads", || gate.0.kept_back() == 1);
    assert_refused_for_the_holder(&world, &config, applied[0].0, "OperationTypePlan");
    assert_eq!(world.stored(&config), before);
    gate.0.let_go();
    let _ = planning.finish().succeeded();
    let _ = rollback(&world, &config, applied[0].0).succeeded();
}

fn a_plan_that_was_saved_before_a_rollback_is_stale(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let (terraform, applied) = applied(&world, &config);
    terraform.write("main.tf", config.hcl(&world.server) + &numbered(9));
    terraform.ok(&["plan", "-out=saved"]);
    let _ = rollback(&world, &config, applied[1].0).succeeded();
    let rolled_back = world.stored(&config);
    let stale = terraform.run(&["apply", "saved"]).failed();
    assert!(stale.text().contains("Saved plan is stale"), "{}", stale.text());
    assert_eq!(world.stored(&config), rolled_back);
    terraform.ok(&["apply", "-auto-approve"]);
}

/// Without a lock nothing keeps the rollback from coming in between, but the serial tells.
fn an_apply_without_a_lock_does_not_undo_a_rollback(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let (_, applied) = applied(&world, &config);
    let apply = world.project("late", &config, &(numbered(9) + &hold("late")));
    let running = apply.start(&["apply", "-auto-approve", "-lock=false"]);
    apply.wait_for("started");
    let _ = rollback(&world, &config, applied[0].0).succeeded();
    let rolled_back = world.stored(&config);
    apply.write("release", "");
    let refused = running.finish().failed();
    assert!(
        refused.flowing().contains("errored.tfstate"),
        "{}",
        refused.text()
    );
    assert_eq!(world.stored(&config), rolled_back);
    assert_digest(&world, &config);
}

fn a_destroyed_and_deleted_state_comes_back(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let (terraform, applied) = applied(&world, &config);
    terraform.ok(&["destroy", "-auto-approve"]);
    let destroyed = entries(&world, &config);
    let changes = &destroyed[0]["changes"];
    assert!(changes.is_null() || changes["removed"] == 3);
    delete(&world, &config);
    let gone = entries(&world, &config);
    assert!(
        gone.iter()
            .all(|entry| entry["current"] != true || entry["deleted"] == true),
        "{gone:?}"
    );
    for (version, state) in &applied {
        let body = world.admin("GET", &format!("body?version={version}"), &config, &Value::Null);
        assert_eq!(&body.json(), state);
    }
    let _ = rollback(&world, &config, applied[1].0).succeeded();
    let now = pulled(&terraform);
    assert_eq!(now["resources"], applied[1].1["resources"]);
    let highest = destroyed
        .iter()
        .filter_map(|entry| entry["serial"].as_u64())
        .max();
    assert!(Some(serial(&now)) > highest, "{} after {highest:?}", serial(&now));
    assert_digest(&world, &config);
    terraform.write("main.tf", config.hcl(&world.server) + &numbered(2));
    terraform.ok(&["plan", "-detailed-exitcode"]);
    let kept = entries(&world, &config);
    assert_eq!(
        identities(&kept[1..]),
        identities(&gone),
        "nothing of the history is gone"
    );
}

fn a_copy_of_an_older_version_is_what_its_configuration_wants(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "copied.tfstate");
    let (terraform, applied) = applied(&world, &config);
    for number in [1, 3, 2] {
        let (version, state) = &applied[number - 1];
        let entry = world.admin(
            "GET",
            &format!("version?version={version}"),
            &config,
            &Value::Null,
        );
        let source = format!(
            "{}?versionId={}",
            config.s3_path(),
            entry.json()["id"].as_str().unwrap()
        );
        let copy = Request::new("PUT", &config.s3_path(), "").header("x-amz-copy-source", &source);
        let copied = world.server.client().send(&copy);
        assert_eq!(copied.status, 200, "{}", copied.text());
        assert_eq!(pulled(&terraform), *state, "the very same state");
        assert_digest(&world, &config);
        terraform.write("main.tf", config.hcl(&world.server) + &numbered(number));
        terraform.ok(&["plan", "-detailed-exitcode"]);
    }
    // A copy brings an old serial back; a rollback makes none that was ever there, or a plan saved then would fit.
    let _ = rollback(&world, &config, applied[2].0).succeeded();
    let highest = applied.iter().map(|(_, state)| serial(state)).max();
    assert!(Some(serial(&pulled(&terraform))) > highest);
    assert_digest(&world, &config);
}

fn in_a_bucket_without_versions_every_version_is_kept_and_comes_back(backend: Backend) {
    let Some(world) = World::new() else { return };
    let made = world.server.client().send(&Request::new("PUT", "/plain", ""));
    assert_eq!(made.status, 200, "{}", made.text());
    let config = BackendConfig::new(backend, "rolled.tfstate");
    let block = config
        .hcl(&world.server)
        .replace(&format!("{BUCKET:?}"), "\"plain\"");
    let terraform = world.directory("a");
    let mut pulls = Vec::new();
    for number in 1..=3 {
        terraform.write("main.tf", block.clone() + &numbered(number));
        terraform.ok(&["init"]);
        terraform.ok(&["apply", "-auto-approve"]);
        pulls.push(pulled(&terraform));
    }
    let address = "plain/rolled.tfstate";
    let listed = || {
        let listed = world.tidelock(&["history", address, "--json"]).succeeded().stdout;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed["versions"].as_array().unwrap().clone()
    };
    let all = listed();
    let serials: Vec<_> = all.iter().map(|entry| entry["serial"].as_u64()).collect();
    assert_eq!(
        serials,
        pulls
            .iter()
            .rev()
            .map(|state| Some(serial(state)))
            .collect::<Vec<_>>()
    );
    assert!(
        all[1..].iter().all(|entry| entry["hidden_ms"].is_u64()),
        "{all:?}"
    );
    assert!(
        all[0]["current"] == true && all[0]["hidden_ms"].is_null(),
        "{all:?}"
    );

    let deleted = world
        .server
        .client()
        .send(&Request::new("DELETE", &format!("/{address}"), ""));
    assert_eq!(deleted.status, 204);
    assert_eq!(listed().len(), 3, "{:?}", listed());
    let oldest = all[2]["version"].to_string();
    let _ = world
        .tidelock(&["rollback", address, &oldest, "--force"])
        .succeeded();
    assert_eq!(pulled(&terraform)["resources"], pulls[0]["resources"]);
    terraform.write("main.tf", block + &numbered(1));
    terraform.ok(&["plan", "-detailed-exitcode"]);
}

/// What one lock writes in the course of one apply is one line with its steps, and counts as one change.
#[test]
fn what_one_lock_writes_is_one_entry_with_steps() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Http, "steps.tfstate");
    let mut client = world.server.client();
    let mut send = |method: &str, query: &str, body: String| {
        let request = Request::new(method, &(config.http_path() + query), body);
        let done = client.send_basic(&request);
        assert_eq!(done.status, 200, "{method} {query}: {}", done.text());
    };
    let mut write = |lock: &str, serials: std::ops::RangeInclusive<u64>| {
        let info =
            json!({"ID": lock, "Operation": "OperationTypeApply", "Who": "alice@one", "Info": "", "Path": "",
            "Version": "1.11.4", "Created": "2026-11-21T09:00:00Z"})
            .to_string();
        send("LOCK", "", info.clone());
        for serial in serials {
            send("POST", &format!("?ID={lock}"), growing(serial));
        }
        send("UNLOCK", "", info);
    };
    write("7d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e", 1..=1);
    write("8d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e", 2..=5);
    write("9d1cd0a1-1c6a-4b0f-8fd4-ee4e6d0c9a4e", 6..=6);

    wait_until("every version has been compared", || {
        entries(&world, &config)
            .iter()
            .all(|entry| !entry["changes"].is_null())
    });
    let added: Vec<_> = entries(&world, &config)
        .iter()
        .map(|entry| entry["changes"]["added"].as_u64().unwrap())
        .collect();
    assert_eq!(added, [1, 4, 3, 2, 1, 1], "each step since the lock was taken");
    let address = format!("{BUCKET}/{}", config.key);
    let lines = |arguments: &[&str]| -> Vec<String> {
        let listed = world
            .tidelock(&[&["history", &address], arguments].concat())
            .succeeded();
        let applies = listed.stdout.lines().filter(|line| line.contains("alice@one"));
        applies.map(str::to_owned).collect()
    };
    let folded = lines(&[]);
    assert_eq!(folded.len(), 3, "{folded:?}");
    assert!(
        folded[1].contains("4 steps") && folded[1].contains("+4"),
        "{folded:?}"
    );
    assert_eq!(lines(&["--steps"]).len(), 6);
}

#[test]
fn a_resource_is_found_across_workspaces() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Table, "team/found.tfstate");
    let terraform = world.project("a", &config, &numbered(2));
    terraform.ok(&["apply", "-auto-approve"]);
    for workspace in ["blue", "green"] {
        terraform.ok(&["workspace", "new", workspace]);
        terraform.ok(&["apply", "-auto-approve"]);
    }
    let other = BackendConfig::new(Both, "other.tfstate");
    world.project("b", &other, THING).ok(&["apply", "-auto-approve"]);
    terraform.ok(&["destroy", "-auto-approve"]);
    let found = |arguments: &[&str]| -> Vec<String> {
        let found = world
            .tidelock(&[&["find"], arguments, &["--json"]].concat())
            .succeeded();
        let found: Value = serde_json::from_str(&found.stdout).unwrap();
        let found = found["found"].as_array().unwrap();
        let told = |one: &Value| {
            format!(
                "{} {}",
                one["address"].as_str().unwrap(),
                one["resource"].as_str().unwrap()
            )
        };
        found.iter().map(told).collect()
    };
    let first = "terraform_data.each[\"b c\"]";
    assert_eq!(
        found(&[first]),
        [
            format!("{BUCKET}/env:/blue/team/found.tfstate {first}"),
            format!("{BUCKET}/team/found.tfstate {first}")
        ]
    );
    assert_eq!(
        found(&["terraform_data.thing", "--prefix", "tfstate/other"]),
        ["tfstate/other.tfstate terraform_data.thing"]
    );
}

/// A state after three applies of three configurations; for each its version and the state.
fn applied<'a>(world: &'a World, config: &BackendConfig) -> (Terraform<'a>, Vec<(u64, Value)>) {
    let terraform = world.project("a", config, &numbered(1));
    let applied = (1..=3).map(|number| {
        terraform.write("main.tf", config.hcl(&world.server) + &numbered(number));
        terraform.ok(&["apply", "-auto-approve"]);
        let version = entries(world, config)[0]["version"].as_u64().unwrap();
        (version, pulled(&terraform))
    });
    let applied = applied.collect();
    (terraform, applied)
}

/// A configuration that differs from every other in what it adds, changes and leaves out.
fn numbered(number: usize) -> String {
    let names = ["\"a\"", "\"b c\"", "\"d\""];
    let left_out = number % names.len();
    let names: Vec<_> = names
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != left_out)
        .map(|(_, name)| *name)
        .collect();
    format!(
        "resource \"terraform_data\" \"each\" {{\n  for_each = toset([{}])\n  input    = \"${{each.key}} {number}\"\n}}\n\
         resource \"terraform_data\" \"thing\" {{\n  input            = \"thing {number}\"\n  triggers_replace = {number}\n}}\n\
         output \"number\" {{ value = {number} }}\n",
        names.join(", ")
    )
}

/// A state whose serial is also the number of its resources, from the second on of those of its lock.
fn growing(serial: u64) -> String {
    let document = state_document(serial, "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", "");
    let mut state: Value = serde_json::from_str(&document).unwrap();
    let one = |number: u64| {
        let attributes = json!({"id": format!("id-{number}"), "input": null});
        json!({"mode": "managed", "type": "terraform_data", "name": format!("r{number}"),
            "provider": "provider[\"terraform.io/builtin/terraform\"]",
            "instances": [{"schema_version": 0, "attributes": attributes}]})
    };
    state["resources"] = (1..=serial).map(one).collect();
    state.to_string()
}

fn rollback(world: &World, config: &BackendConfig, version: u64) -> Output {
    let address = format!("{BUCKET}/{}", config.key);
    world.tidelock(&["rollback", &address, &version.to_string(), "--force"])
}

fn assert_refused_for_the_holder(world: &World, config: &BackendConfig, version: u64, operation: &str) {
    let holder = world.admin("GET", "locks", config, &Value::Null).json();
    let holder = &holder["locks"][0];
    let refused = rollback(world, config, version).failed();
    for word in [
        holder["who"].as_str().unwrap(),
        operation,
        holder["id"].as_str().unwrap(),
    ] {
        assert!(
            refused.flowing().contains(word),
            "{word} is not in {}",
            refused.text()
        );
    }
    let body = json!({"version": version});
    let refused = world.admin("POST", "rollback", config, &body);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(
        refused.text().contains(holder["who"].as_str().unwrap()),
        "{}",
        refused.text()
    );
}

fn pulled(terraform: &Terraform<'_>) -> Value {
    serde_json::from_str(&terraform.ok(&["state", "pull"]).stdout).unwrap()
}

fn serial(state: &Value) -> u64 {
    state["serial"].as_u64().unwrap()
}

/// The item that Terraform compares the state with is right, whoever asks for it.
fn assert_digest(world: &World, config: &BackendConfig) {
    let key = json!({"LockID": {"S": format!("{BUCKET}/{}-md5", config.key)}});
    let body = json!({"TableName": TABLE, "Key": key, "ConsistentRead": true});
    let item = world
        .server
        .client()
        .send(&Request::dynamodb("GetItem", body.to_string()))
        .json();
    let stored = etag(&world.stored(config));
    assert_eq!(item["Item"]["Digest"]["S"], stored.trim_matches('"'), "{item}");
}

fn delete(world: &World, config: &BackendConfig) {
    let mut client = world.server.client();
    let response = match config.backend {
        Http => client.send_basic(&Request::new("DELETE", &config.http_path(), "")),
        _ => client.send(&Request::new("DELETE", &config.s3_path(), "")),
    };
    assert!((200..300).contains(&response.status), "{}", response.text());
}

/// What of the entries can never change.
fn identities(entries: &[Value]) -> Vec<[Value; 4]> {
    let names = ["version", "id", "md5", "written_ms"];
    entries
        .iter()
        .map(|entry| names.map(|name| entry[name].clone()))
        .collect()
}
