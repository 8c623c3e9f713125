//! A new root key: in one command, under load, through crashes, and beside older backups.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tidelock_testkit::{Request, Rng, TestServer};

use crate::{World, lines, reads, state, write};

#[test]
fn one_command_replaces_the_key_and_takes_the_old_one_out() {
    let world = World::new("");
    let server = world.start();
    let (mut client, path) = (world.client(&server), world.data().join("root.key"));
    for serial in 1..=3 {
        write(&mut client, "a", serial);
    }
    let before = lines(&path);
    let shown = world.says(&["root-key", "rotate", "--wait"], 0).stdout;
    // The packer may have stored one anew meanwhile, under the new key.
    assert!(
        shown.contains("seals 3 bodies") && shown.contains("3 bodies looked at"),
        "{shown}"
    );
    let after = lines(&path);
    assert!(after.len() == 1 && after != before);
    reads(&mut client, "a", 3);
    let begun = world.says(&["root-key", "rotate", "--json"], 0).stdout;
    let begun: serde_json::Value = serde_json::from_str(&begun).unwrap();
    assert!(
        begun["began_ms"].is_number() && begun["fault"].is_null(),
        "{begun}"
    );
    world.await_rotation();
    let shown = world.says(&["root-key", "--json"], 0).stdout;
    for key in [&before[0], &after[0], &lines(&path)[0]] {
        assert!(!shown.contains(key) && !server.log().contains(key));
    }
    let begun = world.says(&["root-key", "rotate"], 0).stdout;
    assert!(
        begun.contains("the rest follows: ") && begun.contains(" root-key"),
        "{begun}"
    );
    server.stop();
    reads(&mut world.client(&world.start()), "a", 3);
}

/// An administrator's copies: what belongs together works together, and nothing else.
#[test]
fn the_key_of_a_time_opens_the_data_of_that_time() {
    let world = World::new("");
    let server = world.start();
    write(&mut world.client(&server), "a", 1);
    server.stop();
    let copy = world.place.join("copy");
    let copied = Command::new("cp").arg("-a").arg(world.data()).arg(&copy).status();
    assert!(copied.unwrap().success());
    let server = world.start();
    world.says(&["root-key", "rotate", "--wait"], 0);
    write(&mut world.client(&server), "a", 2);
    server.stop();

    let old = world.place.join("copy/root.key");
    let new = fs::read(world.data().join("root.key")).unwrap();
    fs::copy(&old, world.data().join("root.key")).unwrap();
    assert!(world.refused().contains("is sealed under root key"));
    fs::write(world.data().join("root.key"), new).unwrap();
    reads(&mut world.client(&world.start()), "a", 2);

    fs::remove_dir_all(world.data()).unwrap();
    fs::rename(copy, world.data()).unwrap();
    reads(&mut world.client(&world.start()), "a", 1);
}

/// How often the server is killed.
const ROUNDS: u64 = 6;
const WRITERS: u64 = 4;
/// States that are there before: what a rotation has to do.
const STATES: u64 = 600;

#[test]
fn a_rotation_that_is_killed_again_and_again_under_load_loses_nothing() {
    let mut server = TestServer::start(crate::common::BINARY);
    let path = server.data().join("root.key");
    let mut rng = Rng::new(7);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut client = server.client();
            scope.spawn(move || {
                for number in 0..STATES / WRITERS {
                    write(&mut client, &format!("before/{writer}/{number}"), 1);
                }
            });
        }
    });
    let first = lines(&path);
    let (mut serials, mut in_the_midst) = (vec![0; WRITERS as usize], 0);
    for round in 0..ROUNDS {
        let killed = AtomicBool::new(false);
        thread::scope(|scope| {
            for (writer, serial) in serials.iter_mut().enumerate() {
                let (mut client, killed) = (server.client(), &killed);
                scope.spawn(move || *serial = write_on(&mut client, writer, *serial, killed));
            }
            let mut client = server.client();
            // Killed with the server, if it is too late.
            scope.spawn(move || client.try_send_basic(&Request::new("POST", "/admin/root-key/rotate", "")));
            tidelock_testkit::wait_until("a second key", || lines(&path).len() > 1 || round > 0);
            thread::sleep(Duration::from_millis(rng.below(40)));
            server.kill9();
            killed.store(true, Ordering::SeqCst);
        });
        in_the_midst += u64::from(lines(&path).len() > 1);
        if round % 3 == 2 {
            server.start_and_kill(Duration::from_millis(rng.below(100)));
        }
        server.restart_elsewhere();
        let mut client = server.client();
        for (writer, serial) in serials.iter_mut().enumerate() {
            *serial = found(&mut client, writer, *serial);
        }
    }
    assert!(in_the_midst > 0, "no kill came in the midst of a rotation");
    tidelock_testkit::wait_until("one key", || lines(&path).len() == 1);
    assert_ne!(lines(&path), first);
    // Every body of every version, and nothing but the new key.
    server.kill9();
    server.restart_elsewhere();
    let verified = verify(&server);
    assert!(
        verified >= STATES + serials.iter().sum::<u64>(),
        "{verified} bodies"
    );
}

/// Writes until the server is gone; the last serial that it acknowledged.
fn write_on(client: &mut tidelock_testkit::Client, writer: usize, from: u64, killed: &AtomicBool) -> u64 {
    let mut serial = from;
    loop {
        let put = Request::new("PUT", &format!("/tfstate/w{writer}"), state(serial + 1));
        match client.try_send(&put) {
            Ok(answer) if answer.status == 200 => serial += 1,
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => {
                tidelock_testkit::wait_until("the kill", || killed.load(Ordering::SeqCst));
                return serial;
            }
        }
    }
}

/// What is there: what was acknowledged, or the one write that was cut off.
fn found(client: &mut tidelock_testkit::Client, writer: usize, acknowledged: u64) -> u64 {
    let answer = client.send(&Request::new("GET", &format!("/tfstate/w{writer}"), ""));
    if answer.status == 404 && acknowledged == 0 {
        return 0;
    }
    let serials = [acknowledged, acknowledged + 1];
    let found = serials.into_iter().find(|serial| answer.text() == state(*serial));
    found.unwrap_or_else(|| {
        panic!(
            "{acknowledged} was acknowledged: {} {}",
            answer.status,
            answer.text()
        )
    })
}

/// Has the server read everything; how many bodies.
fn verify(server: &TestServer) -> u64 {
    let (mut client, mut after, mut checked) = (server.client(), serde_json::Value::Null, 0);
    loop {
        let wanted = serde_json::json!({ "prefix": "", "after": after });
        let answer = client.send_basic(&Request::new("POST", "/admin/verify", wanted.to_string()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        assert_eq!(page["damaged"], serde_json::json!([]));
        checked += page["checked"].as_u64().unwrap();
        after = page["next"].clone();
        if after.is_null() {
            return checked;
        }
    }
}
