//! What leaves an entry, what it says, and how it is found.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use serde_json::{Value, json};
use tidelock_testkit::{Request, content_md5, wait_until};

use crate::{
    common::BINARY,
    world::{STATE, World},
};

const LOCK: &str = r#"{"ID":"11111111-1111-1111-1111-111111111111","Operation":"apply","Info":"","Who":"ann@vm","Version":"1.11.4","Created":"2026-11-21T18:00:00Z","Path":"tfstate/t"}"#;
const ID: &str = "11111111-1111-1111-1111-111111111111";

/// Sends something through every door; answers what the log is to say of it.
fn every_door(world: &mut World) -> Vec<Value> {
    let mut expected = Vec::new();
    let mut is = |value: Value| expected.push(value);
    world.put("a");
    is(json!({ "door": "s3", "operation": "PutObject", "address": "tfstate/a", "serial": 3, "status": 200 }));
    world.send("GET", "/tfstate/a", "");
    is(json!({ "door": "s3", "operation": "GetObject", "address": "tfstate/a", "serial": 3, "status": 200 }));
    world.send("GET", "/tfstate/none", "");
    is(json!({ "operation": "GetObject", "address": "tfstate/none", "status": 404, "code": "NoSuchKey" }));
    world.send("PUT", "/tfstate/f.tflock", LOCK);
    is(
        json!({ "door": "s3", "operation": "PutObject", "address": "tfstate/f.tflock", "lock": ID, "status": 200 }),
    );
    let keys = "<Delete><Object><Key>x</Key></Object><Object><Key>y</Key></Object></Delete>";
    let batch = Request::new("POST", "/tfstate?delete", keys);
    let batch = batch.header("content-md5", &content_md5(keys.as_bytes()));
    assert_eq!(world.client.send(&batch).status, 200);
    is(json!({ "operation": "DeleteObjects", "address": "tfstate" }));
    let item = json!({ "TableName": "terraform-locks", "Item": { "LockID": { "S": "tfstate/t" }, "Info": { "S": LOCK } } });
    let put = Request::dynamodb("PutItem", item.to_string());
    assert_eq!(world.client.send(&put).status, 200);
    is(
        json!({ "door": "dynamodb", "operation": "PutItem", "table": "terraform-locks", "address": "tfstate/t", "lock": ID }),
    );
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let who = Request {
        service: "sts",
        ..Request::new("POST", "/", form)
    };
    assert_eq!(
        world
            .client
            .send(&who.header("content-type", "application/x-www-form-urlencoded"))
            .status,
        200
    );
    is(json!({ "door": "sts", "operation": "GetCallerIdentity", "status": 200 }));
    let posted = world
        .client
        .send_basic(&Request::new("POST", "/state/tfstate/h%20i", STATE));
    assert_eq!(posted.status, 200);
    is(json!({ "door": "http", "operation": "POST", "address": "tfstate/h i", "serial": 3 }));
    let listed = world.client.send_basic(&Request::new("GET", "/admin/locks", ""));
    assert_eq!(listed.status, 200);
    is(json!({ "door": "admin", "operation": "GET locks", "status": 200 }));
    expected
}

/// Whether an entry says all that is expected of it.
fn says(entry: &Value, expected: &Value) -> bool {
    let fields = expected.as_object().unwrap();
    fields.iter().all(|(name, value)| entry[name] == *value)
}

#[test]
fn every_kind_of_request_leaves_an_entry_with_who_and_what() {
    let mut world = World::new();
    let expected = every_door(&mut world);
    let entries = world.entries(&["--after", "1"]);
    for (entry, expected) in entries.iter().zip(&expected) {
        assert!(says(entry, expected), "{expected} is not in {entry}");
        assert_eq!(
            entry["principal"], "arn:aws:iam::000000000000:user/tidelock",
            "{entry}"
        );
        assert_eq!(
            entry["access_key_id"],
            world.server.credentials().access_key_id.as_str()
        );
        assert_eq!(
            (&entry["source"], &entry["secure"]),
            (&json!("127.0.0.1"), &json!(false))
        );
        assert_eq!(entry["request_id"].as_str().unwrap().len(), 16, "{entry}");
    }
    assert!(entries[0]["version"].is_string(), "{}", entries[0]);
    assert_eq!(entries[1]["version"], entries[0]["version"]);
    let parts = entries[4]["parts"].as_array().unwrap();
    assert_eq!(
        (&parts[0]["address"], &parts[1]["address"]),
        (&json!("tfstate/x"), &json!("tfstate/y"))
    );
    let decided = &entries[0]["decided"][0];
    assert_eq!(
        (&decided["action"], &decided["effect"]),
        (&json!("s3:PutObject"), &json!("allowed"))
    );
    let seqs: Vec<_> = entries
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
}

#[test]
fn who_is_refused_leaves_an_entry_and_no_secret_does() {
    let mut world = World::new();
    let mut stranger = world.server.stranger();
    assert_eq!(stranger.send(&Request::new("GET", "/tfstate/a", "")).status, 403);
    assert_eq!(
        stranger
            .send_basic(&Request::new("GET", "/state/tfstate/b", ""))
            .status,
        401
    );
    let scan = Request::dynamodb("Scan", r#"{"TableName":"terraform-locks"}"#);
    assert_eq!(stranger.send(&scan).status, 400);
    world.put("a");
    let denied = world.entries(&["--denied", "--after", "0"]);
    let codes: Vec<_> = denied
        .iter()
        .map(|entry| (&entry["code"], &entry["access_key_id"]))
        .collect();
    let claimed = json!("AKIAIOSFODNN7EXAMPLE");
    assert_eq!(
        codes,
        [
            (&json!("InvalidAccessKeyId"), &claimed),
            (&json!("Unauthorized"), &claimed),
            (&json!("UnrecognizedClientException"), &claimed),
        ]
    );
    assert!(
        denied.iter().all(|entry| entry["principal"].is_null()),
        "{denied:?}"
    );
    let presigned = "/tfstate/a?X-Amz-Signature=5ec2e75ec2e7&X-Amz-Security-Token=70ken";
    world
        .client
        .send_bytes(format!("GET {presigned} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    for path in world.segments() {
        text.push_str(&fs::read_to_string(path).unwrap());
    }
    let secret = &world.server.credentials().secret_access_key;
    for secret in [secret.as_str(), "5ec2e7", "70ken", "wJalrXUtnFEMI"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn filters_show_what_they_name_in_lines_for_people() {
    let mut world = World::new();
    every_door(&mut world);
    let of = |arguments: &[&str]| -> Vec<String> {
        let all = [arguments, &["--after", "0"]].concat();
        let entries = world.entries(&all);
        entries
            .iter()
            .map(|entry| entry["operation"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of(&["--address", "tfstate/t"]), ["PutItem"]);
    assert_eq!(of(&["--address", "tfstate/x"]), ["DeleteObjects"]);
    // A lock is put into a table by who may read its state.
    assert_eq!(
        of(&["--action", "s3:getobject"]),
        ["GetObject", "GetObject", "PutItem"]
    );
    assert_eq!(
        of(&["--principal", "user/tidelock", "--action", "Put*", "--limit", "2"]),
        ["PutObject", "PutObject"]
    );
    assert!(of(&["--principal", "user/ann"]).is_empty());
    assert_eq!(
        of(&["--since", "1h", "--action", "ServerStarted"]),
        ["ServerStarted"]
    );
    let id = world.entries(&["--action", "PutItem"])[0]["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(of(&["--request", &id]), ["PutItem"]);
    let output = world.says(&["--address", "tfstate/t"], 0);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines[0].contains("WHAT") && lines.len() == 2, "{}", output.stdout);
    for word in [
        "dynamodb PutItem",
        "200",
        "user/tidelock",
        "127.0.0.1",
        "terraform-locks  tfstate/t",
        ID,
    ] {
        assert!(lines[1].contains(word), "{word}: {}", lines[1]);
    }
    world.says(&["--since", "yesterday"], 2);
    world.says(&["verify", "--from", "7"], 2);
}

#[test]
fn who_follows_sees_new_entries_as_they_come() {
    let mut world = World::new();
    let mut command = world.command(&["--follow", "--json", "--address", "tfstate/"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    for key in ["one", "two"] {
        world.put(key);
        let entry: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(entry["address"], format!("tfstate/{key}"));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_follower_does_not_hold_up_the_end_of_the_server() {
    let world = World::new();
    let mut follower = world
        .command(&["--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(follower.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    let World { mut server, .. } = world;
    let pid = server.pid().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    wait_until("the server has ended", || !server.is_running());
    assert!(!server.log().contains("cut off"), "{}", server.log());
    out.read_to_string(&mut first).unwrap();
    assert!(
        !follower.wait().unwrap().success(),
        "there is no server to follow any more"
    );
}

#[test]
fn a_collector_gets_the_same_lines_in_a_file_or_on_standard_output() {
    let mut world = World::with("audit = { file = 'collected.jsonl' }\n");
    world.put("a");
    let file = world.server.data().parent().unwrap().join("collected.jsonl");
    wait_until("the entry is handed on", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("tfstate/a"))
    });
    let own = fs::read_to_string(&world.segments()[0]).unwrap();
    assert!(own.starts_with(&fs::read_to_string(&file).unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tidelock.toml");
    fs::write(&config, "audit = 'stdout'\nlisten = '127.0.0.1:0'\ndata = 'd'\n").unwrap();
    let mut server = std::process::Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(&config)
        .env_remove("TIDELOCK_DATA")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&entry["seq"], &entry["operation"]),
        (&json!(1), &json!("ServerStarted"))
    );
}

#[test]
fn what_retention_drops_is_in_the_log_though_nobody_asked_for_it() {
    let mut world = World::with("[[retention]]\nprefix = 'tfstate'\nkeep = 1\n");
    for serial in 1..=3 {
        let state = STATE.replace("\"serial\":3", &format!("\"serial\":{serial}"));
        assert_eq!(world.send("PUT", "/tfstate/a", &state).status, 200);
    }
    world.tidelock(&["gc", "--force"], 0);
    let dropped = world.entries(&["--action", "VersionsDropped"]);
    let first = dropped.first().unwrap();
    assert_eq!(
        (&first["door"], &first["address"]),
        (&json!("server"), &json!("tfstate/a"))
    );
    assert!(
        first["note"]
            .as_str()
            .unwrap()
            .starts_with("retention has dropped"),
        "{first}"
    );
}
