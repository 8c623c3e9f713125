//! `tidelock:ForceUnlock`, denied: a runner that locks and unlocks as ever, and ends nobody else's lock.

use serde_json::{Value, json};
use tidelock_testkit::{BUCKET, Backend, BackendConfig, Client, Request, TABLE};

use crate::world::{KEY, THING, World, least};

#[test]
fn a_lock_file_of_another_is_not_ended_where_force_unlock_is_denied() {
    another_keeps_its_lock(Backend::LockFile, "api error AccessDenied");
}

#[test]
fn a_lock_in_the_table_of_another_is_not_ended_where_force_unlock_is_denied() {
    another_keeps_its_lock(Backend::Table, "AccessDeniedException");
}

#[test]
fn a_lock_over_http_of_another_is_not_ended_where_force_unlock_is_denied() {
    another_keeps_its_lock(Backend::Http, "403");
}

fn careful() -> Vec<Value> {
    let mut statements = least();
    statements.push(
        json!({"Sid": "NobodyElses", "Effect": "Deny", "Action": "tidelock:ForceUnlock", "Resource": "*"}),
    );
    statements
}

fn another_keeps_its_lock(backend: Backend, code: &str) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, KEY);
    let (runner, other) = (world.user("runner", &careful()), world.user("other", &least()));
    let project = world.directory("app", &runner, &config, THING);
    project.ok(&["init"]);
    project.ok(&["apply", "-auto-approve"]);
    assert_eq!(world.held(), None, "its own lock is given back");

    let (holder, running) = world.holding("other", &other, &config);
    let id = world.held().unwrap();
    let refused = project.run(&["force-unlock", "-force", &id]).failed();
    assert!(refused.flowing().contains(code), "{}", refused.text());
    assert_eq!(world.held().as_deref(), Some(id.as_str()));
    by_every_door(&id, &mut world.client(&runner));
    assert_eq!(world.held().as_deref(), Some(id.as_str()));

    holder.write("release", "");
    let _ = running.finish().succeeded();
    assert_eq!(world.held(), None);
    project.ok(&["apply", "-auto-approve"]);
    let (_crashes, running) = world.holding("crashes", &runner, &config);
    let id = world.held().unwrap();
    running.kill9();
    project.ok(&["force-unlock", "-force", &id]);
    assert_eq!(world.held(), None, "its own lock, which a crash left behind");
}

/// A lock is one, whichever door took it: none of them ends it.
fn by_every_door(id: &str, client: &mut Client) {
    let (state, lock) = (
        format!("{BUCKET}/{KEY}"),
        json!({"LockID": {"S": format!("{BUCKET}/{KEY}")}}),
    );
    // Who deletes without a look means what it was shown last, its own lock of before.
    let file = format!("/{state}.tflock");
    let look = client.send(&Request::new("GET", &file, ""));
    assert!(look.text().contains(id), "{}", look.text());
    let delete = client.send(&Request::new("DELETE", &file, ""));
    let item = json!({"TableName": TABLE, "Key": lock}).to_string();
    let deleted = client.send(&Request::dynamodb("DeleteItem", item));
    let unlocked = client.send_basic(&Request::new("UNLOCK", &format!("/state/{state}"), ""));
    let asked = json!({ "id": id }).to_string();
    let operated = client.send_basic(&Request::new("POST", &format!("/admin/unlock/{state}"), asked));
    assert_eq!(
        (delete.status, delete.code().as_str()),
        (403, "AccessDenied"),
        "{}",
        delete.text()
    );
    assert_eq!(
        (deleted.status, deleted.code().as_str()),
        (400, "AccessDeniedException"),
        "{}",
        deleted.text()
    );
    assert_eq!(
        (unlocked.status, operated.status),
        (403, 403),
        "{}{}",
        unlocked.text(),
        operated.text()
    );
}
