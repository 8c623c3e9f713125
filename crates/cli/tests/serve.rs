//! `tidelock serve` from its first start to its stop.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use common::{BINARY, Serving, command, credentials, tidelock};
use tidelock_testkit::{BUCKET, Client, Hermetic, Request, TABLE, basic_auth};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A LOCK through `backend "http"`, of which the server has read the head and waits for the body, [`LOCK_INFO`].
fn begin_lock(server: &Serving, data: &Path) -> TcpStream {
    let mut stream = TcpStream::connect(server.authority()).unwrap();
    let authorization = basic_auth(&credentials(data));
    let length = LOCK_INFO.len();
    write!(
        stream,
        "LOCK /state/{BUCKET}/stop HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

const LOCK_INFO: &str = r#"{"ID":"8ea5f3c0-0c50-4b6c-a2b5-3d7c1b0d1b11","Operation":"test","Who":"me"}"#;

#[test]
fn the_first_start_says_what_to_type_next() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let (first, endpoint) = (server.first_line.clone(), server.endpoint.clone());
    let (status, rest, _) = server.stop();
    assert_eq!(status, 0);
    let version = env!("CARGO_PKG_VERSION");
    let place = data.display();
    let expected = format!(
        r#"Tidelock {version} at {endpoint}, data in {place}
Ready: credentials, root key, bucket tfstate (versioned), table terraform-locks.

In your Terraform configuration:

  terraform {{
    backend "s3" {{
      bucket       = "tfstate"
      key          = "example/terraform.tfstate"
      region       = "us-east-1"
      use_lockfile = true
    }}
  }}

Next, in another terminal, beside that configuration:

  eval "$({BINARY} env --data {place})"
  terraform init

Ctrl-C stops the server.
"#
    );
    assert_eq!(first + &rest, expected);
}

#[test]
fn the_first_start_makes_files_for_the_owner_only() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let _server = Serving::start(&hermetic, &data);
    assert_eq!(mode(&data), 0o700);
    let (mut places, mut files) = (vec![data.clone()], 0);
    while let Some(place) = places.pop() {
        assert_eq!(mode(&place), 0o700, "{}", place.display());
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                places.push(path);
                continue;
            }
            files += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert!(files > 4, "database, credentials, root key, endpoint, audit log");
    assert_eq!(
        fs::read_to_string(data.join("root.key")).unwrap().trim().len(),
        64
    );
    assert_eq!(credentials(&data).access_key_id.len(), 20);
    assert_eq!(credentials(&data).secret_access_key.len(), 40);
}

#[test]
fn the_first_start_makes_a_versioned_bucket_and_a_lock_table() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let mut client = Client::new(server.authority(), credentials(&data));
    let versioning = client.send(&Request::new("GET", &format!("/{BUCKET}?versioning"), ""));
    assert!(
        versioning.text().contains("<Status>Enabled</Status>"),
        "{}",
        versioning.text()
    );
    let blocked = client.send(&Request::new("GET", &format!("/{BUCKET}?publicAccessBlock"), ""));
    assert_eq!(blocked.text().matches(">true</").count(), 4, "{}", blocked.text());
    let asked = format!(r#"{{"TableName":"{TABLE}"}}"#);
    let table = client.send(&Request::dynamodb("DescribeTable", asked)).json();
    let key = serde_json::json!([{ "AttributeName": "LockID", "KeyType": "HASH" }]);
    assert_eq!(table["Table"]["KeySchema"], key, "{table}");
    assert_eq!(
        table["Table"]["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
}

#[test]
fn a_server_whose_log_cannot_be_written_goes_on_answering() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    let command = command(&hermetic, &["serve", "--listen", "127.0.0.1:0", "--data", place]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let server = Serving::logging_to(Some(full), command, place);
    let mut client = Client::new(server.authority(), credentials(&data));
    let path = format!("/{BUCKET}/k");
    for _ in 0..2 {
        assert_eq!(client.send(&Request::new("PUT", &path, "x")).status, 200);
        assert_eq!(client.send(&Request::new("GET", &path, "")).text(), "x");
    }
    assert_eq!(server.stop().0, 0);
}

#[test]
fn a_later_start_is_brief_and_keeps_the_credentials() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    assert_eq!(Serving::start(&hermetic, &data).stop().0, 0);
    let secret = credentials(&data).secret_access_key;
    let (status, rest, _) = Serving::start(&hermetic, &data).stop();
    let place = data.display();
    assert_eq!(
        (status, rest),
        (
            0,
            format!("Next, in another terminal: eval \"$({BINARY} env --data {place})\"\n")
        )
    );
    assert_eq!(credentials(&data).secret_access_key, secret);
}

#[test]
fn a_second_server_on_one_directory_is_refused_with_the_first_ones_process() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let first = Serving::start(&hermetic, &data);
    let refused = tidelock(
        &hermetic,
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data.to_str().unwrap(),
        ],
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        refused
            .stderr
            .contains(&format!("in use by process {}", first.pid())),
        "{}",
        refused.stderr
    );
    assert!(
        data.join("endpoint").exists(),
        "the refused server took the first one's endpoint away"
    );
}

#[test]
fn an_address_that_is_taken_is_a_failure_with_a_hint() {
    let hermetic = Hermetic::new();
    let first = Serving::start(&hermetic, &hermetic.workdir("one").join("data"));
    let refused = tidelock(
        &hermetic,
        &["serve", "--data", "two", "--listen", first.authority()],
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.stderr.contains("choose one with --listen"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_directory_of_someone_else_is_refused() {
    let hermetic = Hermetic::new();
    let place = hermetic.workdir("place");
    fs::write(place.join("notes.txt"), "").unwrap();
    let refused = tidelock(&hermetic, &["serve", "--data", place.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(refused.stderr.contains("notes.txt"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
}

#[test]
fn a_lost_root_key_is_not_replaced() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    Serving::start(&hermetic, &data).stop();
    for lost in ["root.key", "credentials"] {
        // With the credentials gone too, the start must not be taken for a first one.
        fs::remove_file(data.join(lost)).unwrap();
        let refused = tidelock(&hermetic, &["serve", "--listen", "127.0.0.1:0", "--data", place]);
        assert_eq!(refused.status.code(), Some(3));
        assert!(refused.stderr.contains("backup"), "{}", refused.stderr);
        assert!(!data.join("root.key").exists());
    }
}

#[test]
fn deleted_credentials_are_made_anew_and_the_data_stays() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let old = credentials(&data);
    let put = Request::new("PUT", &format!("/{BUCKET}/kept"), "kept");
    assert_eq!(
        Client::new(server.authority(), old.clone()).send(&put).status,
        200
    );
    server.stop();
    fs::remove_file(data.join("credentials")).unwrap();
    let server = Serving::start(&hermetic, &data);
    let get = Request::new("GET", &format!("/{BUCKET}/kept"), "");
    let refused = Client::new(server.authority(), old).send(&get);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "InvalidAccessKeyId")
    );
    assert_eq!(
        Client::new(server.authority(), credentials(&data))
            .send(&get)
            .text(),
        "kept"
    );
}

#[test]
fn an_unknown_key_of_the_configuration_is_refused_with_its_line() {
    let hermetic = Hermetic::new();
    fs::write(hermetic.workdir("work").join("t.toml"), "data = 'd'\nport = 1\n").unwrap();
    let refused = tidelock(&hermetic, &["serve", "--config", "t.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("line 2") && refused.stderr.contains("`port`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_flag_comes_before_a_variable_and_a_variable_before_the_file() {
    let hermetic = Hermetic::new();
    let work = hermetic.workdir("work");
    fs::write(work.join("t.toml"), "data = 'of-file'\nlisten = 'of-file'\n").unwrap();
    let mut command = command(
        &hermetic,
        &["serve", "--listen", "127.0.0.1:0", "--config", "t.toml"],
    );
    command
        .env("TIDELOCK_LISTEN", "of-variable")
        .env("TIDELOCK_DATA", "of-variable");
    let server = Serving::of(command, work.to_str().unwrap());
    assert!(work.join("of-variable/credentials").exists() && !work.join("of-file").exists());
    drop(server);
}

#[test]
fn a_stop_finishes_the_request_in_flight_and_takes_no_new_one() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let mut flying = begin_lock(&server, &data);
    server.signal("TERM");
    server.wait_for_log("stopping");
    assert!(!data.join("endpoint").exists());
    write!(flying, "{LOCK_INFO}").unwrap();
    let mut answer = String::new();
    flying.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(TcpStream::connect(server.authority()).is_err());
    assert_eq!(server.finish().0, 0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let _flying = begin_lock(&server, &data);
    server.signal("INT");
    server.wait_for_log("stopping");
    server.signal("TERM");
    assert_eq!(server.finish().0, 128 + 15);
}

#[test]
fn an_idle_connection_does_not_delay_the_stop() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let mut idle = begin_lock(&server, &data);
    write!(idle, "{LOCK_INFO}").unwrap();
    server.wait_for_log("LOCK");
    let begun = Instant::now();
    assert_eq!(server.stop().0, 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_request_head_without_end_is_refused() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let mut endless = TcpStream::connect(server.authority()).unwrap();
    write!(endless, "GET / HTTP/1.1\r\nX: {}", "x".repeat(70_000)).unwrap();
    let mut answer = String::new();
    endless.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn the_json_log_has_one_object_a_request_and_no_secret() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--data",
        place,
    ];
    let server = Serving::of(command(&hermetic, &arguments), place);
    let mut stream = begin_lock(&server, &data);
    write!(stream, "{LOCK_INFO}").unwrap();
    server.wait_for_log("LOCK");
    let secret = credentials(&data).secret_access_key;
    let (_, out, log) = server.stop();
    assert!(!out.contains(&secret) && !log.contains(&secret));
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = lines.iter().find(|line| line["operation"] == "LOCK").unwrap();
    assert_eq!((&line["door"], &line["status"]), (&"http".into(), &200.into()));
    assert_eq!(line["address"], format!("{BUCKET}/stop"));
    assert!(line["caller"].as_str().unwrap().starts_with("arn:aws:iam::") && line["us"].is_number());
}
