//! `locks`, `unlock`, `locks reap`, `watch` on stock layouts, between Terraform's own locks.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidelock_operator::layout::Want;
use tidelock_testkit::{Hermetic, Kind, Output, Request, Terraform, hold_until_released};

use crate::{
    common::command as tidelock,
    world::{World, tidelock_alone, wait, worlds},
};

const KEY: &str = "team/app.tfstate";
const HELD: &str = "11111111-2222-3333-4444-555555555555";

fn info(id: &str, created: &str) -> String {
    json!({"ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": "ann@ci", "Version": "1.11.4",
        "Created": created, "Path": "p"})
    .to_string()
}

impl World {
    /// What names the bucket and the table.
    fn stock<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        let flags = ["--bucket", &self.bucket, "--table", &self.table];
        words.iter().copied().chain(flags).collect()
    }

    fn listed(&self) -> Vec<Value> {
        let output = self.says(&self.stock(&["locks", "--json"]), 0);
        let listing: Value = serde_json::from_str(&output.stdout).unwrap();
        listing["locks"].as_array().unwrap().clone()
    }

    fn lock_file(&self, key: &str, id: &str) {
        self.store.put(
            &self.bucket,
            &format!("{key}.tflock"),
            info(id, "2026-11-21T08:00:00Z"),
        );
    }

    fn lock_item(&self, key: &str, id: &str, created: &str) {
        let item =
            json!({"LockID": {"S": format!("{}/{key}", self.bucket)}, "Info": {"S": info(id, created)}});
        let put = json!({"TableName": self.table, "Item": item});
        let answer = self
            .store
            .client()
            .send(&Request::dynamodb("PutItem", put.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[test]
fn a_lock_of_terraform_is_seen_as_one_and_freed_and_terraform_goes_on() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let lines = format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let terraform = world.terraform(&binary, "app", KEY, &lines);
        terraform.write("hold.tf", hold_until_released());
        terraform.ok(&["init", "-input=false"]);
        let running = terraform.start(&["apply", "-auto-approve", "-input=false"]);
        terraform.wait_for("started");

        // Stands in the directory, so that the backend block says where; `--region` says that no server is meant.
        let shown = world
            .says_in(&terraform.path(""), &["locks", "--region", "us-east-1"], 0)
            .stdout;
        let address = format!("{}/{KEY}", world.bucket);
        assert!(shown.starts_with(&format!("{address}\n  held by    ")), "{shown}");
        assert!(
            shown.contains("OperationTypeApply") && shown.contains("with a lock file and a lock table"),
            "{shown}"
        );
        let listed = world.listed();
        assert_eq!(listed.len(), 1, "{listed:?}");
        let lock = &listed[0]["locks"][0];
        assert_eq!(
            (&listed[0]["address"], &lock["doors"]),
            (&json!(address), &json!(["file", "table"]))
        );
        running.kill9();

        let id = lock["id"].as_str().unwrap();
        let unasked = world.says(&world.stock(&["unlock", "--key", KEY, id]), 2).stderr;
        assert!(
            unasked.contains("add --yes") && unasked.contains("held by"),
            "{unasked}"
        );
        let other = world
            .says(&world.stock(&["unlock", "--key", KEY, HELD, "--yes"]), 7)
            .stderr;
        assert!(other.contains(id), "{other}");
        let freed = world.says_in(
            &terraform.path(""),
            &["unlock", "--region", "us-east-1", id, "--yes"],
            0,
        );
        assert_eq!(freed.stdout, "Freed.\n");
        terraform.write("hold.tf", "");
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        assert_eq!(
            world.says(&world.stock(&["locks"]), 0).stdout,
            "Nothing is locked.\n"
        );
    }
}

#[test]
fn a_lock_of_ours_is_freed_by_terraform_in_both_forms() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let lines = format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let terraform = world.terraform(&binary, "app", KEY, &lines);
        terraform.ok(&["init", "-input=false"]);
        let layout = world.layout();
        let want = Want {
            id: HELD.to_owned(),
            operation: "rollback".to_owned(),
            who: "ann@desk".to_owned(),
            info: String::new(),
            created: "2026-11-21T09:00:00Z".to_owned(),
        };
        let held = wait(layout.take(KEY, &want)).unwrap();
        terraform.ok(&["force-unlock", "-force", HELD]);
        assert_eq!(
            world.says(&world.stock(&["locks"]), 0).stdout,
            "Nothing is locked.\n"
        );
        wait(held.release(&layout)).unwrap();
        terraform.ok(&["apply", "-auto-approve", "-input=false"]);
    }
}

#[test]
fn what_is_old_is_reaped_in_either_form_and_the_rest_stays() {
    for world in worlds() {
        world.lock_file("a", "file-1");
        world.lock_item("b", "table-1", "2026-11-21T08:00:00Z");
        world.lock_item("c", "table-2", "2999-01-01T00:00:00Z");
        let stock = |words| world.stock(words);
        let unasked = world
            .says(&stock(&["locks", "reap", "--older-than", "0s"]), 2)
            .stderr;
        assert!(
            unasked.contains("lock file-1") && unasked.contains("lock table-1"),
            "{unasked}"
        );
        assert_eq!(world.listed().len(), 3);
        let young = world.says(&stock(&["locks", "reap", "--older-than", "999999h", "--yes"]), 0);
        assert!(
            young.stdout.starts_with("Nothing to free: 3 locks"),
            "{}",
            young.stdout
        );

        let done = world.says(
            &stock(&["locks", "reap", "--older-than", "0s", "--yes", "--json"]),
            0,
        );
        let done: Value = serde_json::from_str(&done.stdout).unwrap();
        // Tidelock shows every lock as a file too, and so says itself since when; elsewhere the holder's word counts.
        let (freed, left) = match world.store.kind {
            Kind::Tidelock => (3, vec![]),
            Kind::Moto => (2, vec![json!("table-2")]),
        };
        assert_eq!(done["freed"].as_array().unwrap().len(), freed, "{done}");
        assert_eq!(done["others"], 3 - freed);
        let ids: Vec<Value> = world
            .listed()
            .iter()
            .map(|state| state["locks"][0]["id"].clone())
            .collect();
        assert_eq!(ids, left);
    }
}

#[test]
fn two_holders_at_once_are_shown_as_such_and_one_is_freed_alone() {
    // Tidelock lets nobody in beside a holder; on any other store the two forms know nothing of each other.
    let Some(world) = worlds().into_iter().find(|world| world.store.server().is_none()) else {
        return;
    };
    world.lock_file(KEY, "file-1");
    world.lock_item(KEY, "table-1", "2026-11-21T08:00:00Z");
    let shown = world.says(&world.stock(&["locks", "--key", KEY]), 0).stdout;
    assert!(
        shown.contains("BEWARE") && shown.contains("lock file-1") && shown.contains("lock table-1"),
        "{shown}"
    );
    let _ = world.says(&world.stock(&["unlock", "--key", KEY, "file-1", "--yes"]), 0);
    let left = world.listed();
    assert_eq!(left[0]["locks"].as_array().unwrap().len(), 1);
    assert_eq!(left[0]["locks"][0]["id"], "table-1");
}

/// A webhook that keeps what it is posted.
fn webhook() -> (String, std::sync::mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hush", listener.local_addr().unwrap());
    let (sender, posted) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            for line in reader.by_ref().lines() {
                let line = line.unwrap().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                length = line
                    .strip_prefix("content-length: ")
                    .map_or(length, |given| given.parse().unwrap());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, posted)
}

/// `tidelock watch`, ended with this value.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_says_and_posts_an_old_lock_once_and_its_end_once() {
    for world in worlds() {
        let (url, posted) = webhook();
        let words = [
            "watch",
            "--older-than",
            "0s",
            "--every",
            "1s",
            "--json",
            "--webhook",
            &url,
        ];
        let mut command = tidelock(&world.hermetic, &world.stock(&words));
        world
            .store
            .apply(&mut command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        world.lock_file(KEY, HELD);
        let mut watching = Watching(command.spawn().unwrap());
        let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
        let mut line = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
        let old = line();
        assert_eq!((&old["event"], &old["id"]), (&json!("old"), &json!(HELD)));
        let message = posted.recv().unwrap();
        assert_eq!(
            (&message["old"][0]["id"], &message["old_count"]),
            (&json!(HELD), &json!(1))
        );
        assert!(
            message["text"]
                .as_str()
                .unwrap()
                .contains("ann@ci, OperationTypeApply"),
            "{message}"
        );

        let once = world.says(&world.stock(&["watch", "--older-than", "0s", "--once"]), 1);
        assert!(once.stdout.starts_with("old    "), "{}", once.stdout);
        let _ = world.says(&world.stock(&["unlock", "--key", KEY, HELD, "--yes"]), 0);
        let ended = line();
        assert_eq!((&ended["event"], &ended["id"]), (&json!("ended"), &json!(HELD)));
        assert_eq!(posted.recv().unwrap()["ended"][0]["id"], HELD);
        let once = world.says(&world.stock(&["watch", "--older-than", "1h", "--once"]), 0);
        assert_eq!(once.stdout, "No lock is held for longer than 1h 0m.\n");
        let pid = watching.0.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
        assert!(sent.success() && watching.0.wait().unwrap().success());
    }
}

#[test]
fn watch_that_cannot_look_or_post_is_no_finding() {
    for world in worlds() {
        world.lock_file(KEY, HELD);
        let unposted = world.says(
            &world.stock(&[
                "watch",
                "--older-than",
                "0s",
                "--once",
                "--webhook",
                "http://127.0.0.1:1/hush",
            ]),
            2,
        );
        assert!(
            unposted.stderr.contains("127.0.0.1") && !unposted.stderr.contains("hush"),
            "{}",
            unposted.stderr
        );
        let nowhere: Output = world.says(
            &[
                "watch",
                "--older-than",
                "0s",
                "--once",
                "--bucket",
                "no-such-bucket-here",
            ],
            2,
        );
        assert!(nowhere.stderr.contains("NoSuchBucket"), "{}", nowhere.stderr);
    }
}

#[test]
fn reap_counts_ages_by_the_clock_of_the_store() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Three hours behind this machine's; the lock is a minute old.
    let clock = |before: i64| {
        let then = Timestamp::now() - SignedDuration::from_secs(3 * 3_600 + before);
        then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>late</Message></Error>";
    let held = info(HELD, "2026-11-21T08:00:00Z");
    let answers = [
        format!("403 X\r\nDate: {}\r\n\r\n{skewed}", clock(0)),
        format!(
            "200 X\r\nETag: \"e\"\r\nLast-Modified: {}\r\n\r\n{held}",
            clock(60)
        ),
    ];
    let store = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let answer = answer.replacen("X\r\n", "X\r\nConnection: close\r\n", 1);
            stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
        }
    });
    let hermetic = Hermetic::new();
    let words = [
        "locks",
        "reap",
        "--older-than",
        "2h",
        "--yes",
        "--json",
        "--bucket",
        "b",
        "--key",
        KEY,
        "--endpoint",
        &endpoint,
    ];
    let mut command = tidelock(&hermetic, &words);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "hush")
        .current_dir(hermetic.workdir("work"))
        .stdin(Stdio::null());
    let output = Output::of(command).with_status(0);
    let done: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&done["freed"], &done["others"]),
        (&json!([]), &json!(1)),
        "{done}"
    );
    store.join().unwrap();
}

#[test]
fn a_lock_that_may_not_be_read_hides_no_other_one() {
    let world = tidelock_alone();
    for key in ["open/app", "closed/app"] {
        world.lock_file(key, HELD);
    }
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{}/closed/*", world.bucket)}]});
    let put = Request::new("PUT", &format!("/{}?policy", world.bucket), deny.to_string());
    assert_eq!(world.store.client().send(&put).status, 204);
    let open = format!("{}/open/app", world.bucket);

    let watched = world.says(&world.stock(&["watch", "--older-than", "0s", "--once"]), 2);
    assert!(watched.stdout.contains(&open), "{watched:?}");
    assert!(
        watched.stderr.contains("closed/app may not be read"),
        "{watched:?}"
    );
    let reap = world.stock(&["locks", "reap", "--older-than", "0s", "--yes"]);
    let reaped = world.says(&reap, 1);
    assert!(
        reaped.stdout.starts_with(&format!("freed   {open}: ")),
        "{reaped:?}"
    );
    let again = world.says(&reap, 1);
    assert_eq!(
        again.stdout, "",
        "who cannot look cannot say that nothing is locked"
    );
    assert!(again.stderr.contains("closed/app may not be read"), "{again:?}");
}

#[test]
fn a_webhook_that_cannot_be_read_is_not_shown() {
    let hermetic = Hermetic::new();
    let mut watch = tidelock(&hermetic, &["watch", "--older-than", "1h", "--once"]);
    watch.env("TIDELOCK_WEBHOOK", "https://hooks.example/T0/KEY\n");
    let said = Output::of(watch).with_status(2).stderr;
    assert!(
        said.contains("TIDELOCK_WEBHOOK") && !said.contains("KEY"),
        "{said}"
    );
}
