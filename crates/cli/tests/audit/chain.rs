//! The chain: whole after a crash, and broken for everybody to see when somebody has changed it.

use std::{
    collections::HashSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tidelock_testkit::{Request, wait_until};

use crate::world::{STATE, World};

#[test]
fn what_was_answered_is_in_the_log_after_a_crash_and_the_chain_holds() {
    let mut world = World::new();
    for round in 0..3 {
        let stop = AtomicBool::new(false);
        let answered: HashSet<String> = thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let mut client = world.server.client();
                    let stop = &stop;
                    scope.spawn(move || {
                        let target = format!("/tfstate/{round}/{writer}");
                        let mut ids = Vec::new();
                        while !stop.load(Ordering::Relaxed) {
                            let Ok(answer) = client.try_send(&Request::new("PUT", &target, STATE)) else {
                                break;
                            };
                            ids.push(answer.header("x-amz-request-id").unwrap().to_owned());
                        }
                        ids
                    })
                })
                .collect();
            let segment = world.segments().pop().unwrap();
            let before = fs::metadata(&segment).unwrap().len();
            wait_until("there are entries of this round", || {
                fs::metadata(&segment).unwrap().len() > before + 50_000
            });
            world.server.kill9();
            stop.store(true, Ordering::Relaxed);
            writers
                .into_iter()
                .flat_map(|writer| writer.join().unwrap())
                .collect()
        });
        world.server.restart_elsewhere();
        assert!(!answered.is_empty());
        let kept: HashSet<String> = world
            .entries(&["--after", "0", "--action", "PutObject"])
            .iter()
            .map(|entry| entry["request_id"].as_str().unwrap().to_owned())
            .collect();
        assert!(answered.is_subset(&kept), "{:?}", answered.difference(&kept));
        let verified = world.says(&["verify"], 0);
        assert!(
            verified.stdout.contains("all there, in order"),
            "{}",
            verified.stdout
        );
    }
}

#[test]
fn a_changed_line_is_named_by_a_running_server_and_by_a_stopped_ones_directory() {
    let mut world = World::new();
    for key in ["a", "b", "c"] {
        world.put(key);
    }
    let whole = world.says(&["verify"], 0).stdout;
    let head = whole
        .lines()
        .find_map(|line| line.strip_prefix("head: "))
        .unwrap()
        .to_owned();
    assert!(
        world
            .says(&["verify", "--from", &head], 0)
            .stdout
            .contains("all there")
    );
    let path = world.segments().pop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("tfstate/b", "tfstate/x", 1)).unwrap();
    let found = world.says(&["verify"], 1).stdout;
    assert!(
        found.contains("entry 3 was changed after it was written"),
        "{found}"
    );
    world.server.kill9();
    let found = world.says(&["verify", "--offline"], 1).stdout;
    assert!(
        found.contains("entry 3 was changed after it was written"),
        "{found}"
    );
    // What was noted before is what tells, also when what came before it is not looked at.
    let found = world.says(&["verify", "--offline", "--from", &head], 0).stdout;
    assert!(found.contains("all there"), "{found}");
    let lines = world.says(&["--offline", "--address", "tfstate/x"], 0).stdout;
    assert!(lines.contains("tfstate/x"), "{lines}");
}

#[test]
fn what_a_crash_leaves_behind_the_last_line_is_moved_aside_and_noted() {
    let mut world = World::new();
    world.put("a");
    world.server.kill9();
    let path = world.segments().pop().unwrap();
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"seq\":3,\"prev\":\"00");
    fs::write(&path, text).unwrap();
    world.server.restart_elsewhere();
    let mended = world.entries(&["--action", "AuditMended"]);
    assert_eq!(
        (mended.len(), &mended[0]["door"]),
        (1, &serde_json::json!("server"))
    );
    world.says(&["verify"], 0);
}
