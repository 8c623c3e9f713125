//! What a disk has changed is found, named, and never served; its neighbours still read.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use serde_json::Value;
use tidelock_testkit::Request;

use super::{World, path, state, write};

const VERSIONS: u64 = 5;

/// The database of the stopped server, as an operator with `sqlite3` would open it.
fn database(world: &World) -> Connection {
    Connection::open(world.server.data().join("tidelock.db")).unwrap()
}

/// Flips bits in the blob of this ID: one, or two that are so far apart that they cannot be made good.
fn flip(database: &Connection, id: &[u8], places: &[usize]) {
    let select = "SELECT data FROM blob_chunk WHERE id = ?1 AND n = 0";
    let mut data: Vec<u8> = database.query_row(select, [id], |row| row.get(0)).unwrap();
    let length = data.len();
    for place in places {
        data[length * place / 100] ^= 0x10;
    }
    let update = "UPDATE blob_chunk SET data = ?2 WHERE id = ?1 AND n = 0";
    assert_eq!(database.execute(update, params![id, data]).unwrap(), 1);
}

/// The blob of a version, from the row that describes it.
fn blob(database: &Connection, number: u64) -> Vec<u8> {
    let mut rows = database
        .prepare("SELECT CAST(value AS TEXT) FROM record WHERE substr(CAST(key AS TEXT), 1, 1) IN ('v', 'o')")
        .unwrap();
    let values = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut versions = values.map(|value| {
        let value: Value = serde_json::from_str(&value.unwrap()).unwrap();
        match value.get("Record") {
            Some(record) => record["head"].clone(),
            None => value,
        }
    });
    let found = versions.find(|version| version["seq"] == number).unwrap();
    hex::decode(found["body"]["stored"]["blob"].as_str().unwrap()).unwrap()
}

/// A server with some versions of one state; their IDs.
fn written() -> (World, Vec<String>) {
    let mut world = World::new();
    let versions = (1..=VERSIONS).map(|serial| world.write("a", serial)).collect();
    world.server.kill9();
    (world, versions)
}

#[test]
fn a_version_that_cannot_be_read_is_named_and_its_neighbours_are_served() {
    let (mut world, versions) = written();
    // Newer versions do not rest on the oldest.
    let database = database(&world);
    let oldest = blob(&database, 1);
    flip(&database, &oldest, &[10, 60]);
    drop(database);
    let data = world.server.data();
    let offline = world.json(&["verify", "--offline", "--data", data.to_str().unwrap()], 1);
    let named = &offline["damaged"];
    assert_eq!(named.as_array().unwrap().len(), 1, "{offline}");
    assert_eq!(
        (&named[0]["address"], &named[0]["version"], &named[0]["readable"]),
        (&"tfstate/a/terraform.tfstate".into(), &1.into(), &false.into())
    );
    world.server.restart_elsewhere();
    let shown = world.of_server(&["verify"], 1);
    assert!(
        shown
            .stdout
            .contains("damaged: tfstate/a/terraform.tfstate version 1: "),
        "{}",
        shown.text()
    );
    assert!(shown.stdout.ends_with(": 1 damaged.\n"), "{}", shown.text());
    let _ = write(&mut world.server.client(), "b", 1);
    let sound = world.of_server(&["verify", "tfstate/b"], 0).stdout;
    assert!(sound.starts_with("1 body, "), "{sound}");
    let typo = world.of_server(&["verify", "tfstate/nothing"], 7).stderr;
    assert_eq!(
        typo,
        "tidelock: nothing is stored whose address begins with tfstate/nothing\n"
    );
    let mut client = world.server.client();
    for (serial, version) in (1..).zip(&versions) {
        let read = client.send(&Request::new(
            "GET",
            &format!("{}?versionId={version}", path("a")),
            "",
        ));
        match serial {
            1 => assert_eq!(read.status, 500, "{}", read.text()),
            _ => assert_eq!((read.status, read.text()), (200, state("a", serial))),
        }
    }
    world.backup("damaged.tar");
    let refused = world.says(&["restore", "damaged.tar", "--data", "r"], 1);
    assert!(
        refused.stderr.contains("version 1") && refused.stderr.contains("--no-verify"),
        "{}",
        refused.text()
    );
    assert_eq!(world.names(), ["damaged.tar"]);
    let _ = world.says(&["restore", "damaged.tar", "--data", "r", "--no-verify"], 0);
}

#[test]
fn a_single_flipped_bit_in_any_stored_body_is_found_named_and_made_good() {
    let (mut world, _) = written();
    world.server.restart_elsewhere();
    world.client = world.server.client();
    refuse_a_write(&mut world);
    begin_an_upload(&mut world);
    world.server.kill9();
    let data = world.server.data();
    let database = database(&world);
    let mut statement = database.prepare("SELECT DISTINCT id FROM blob_chunk").unwrap();
    let ids: Vec<Vec<u8>> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    drop(statement);
    assert_eq!(ids.len() as u64, VERSIONS + 2);
    let mut named = BTreeSet::new();
    for id in &ids {
        flip(&database, id, &[30]);
        let found = world.json(&["verify", "--offline", "--data", data.to_str().unwrap()], 1);
        let damaged = found["damaged"].as_array().unwrap();
        assert_eq!(
            (damaged.len(), &found["checked"]),
            (1, &(VERSIONS + 2).into()),
            "{found}"
        );
        assert_eq!(damaged[0]["readable"], true, "{found}");
        let what = damaged[0]["what"]
            .as_str()
            .unwrap()
            .split(':')
            .next()
            .unwrap()
            .to_owned();
        named.insert(
            damaged[0]["version"]
                .as_u64()
                .map_or(what, |number| number.to_string()),
        );
        flip(&database, id, &[30]);
    }
    let expected = ["1", "2", "3", "4", "5", "part 1 of an upload", "refused write 6"];
    assert_eq!(named, expected.map(str::to_owned).into());
    let _ = world.says(&["verify", "--offline", "--data", data.to_str().unwrap()], 0);
}

/// A state write that goes back is refused and kept.
fn refuse_a_write(world: &mut World) {
    let refused = world.client.send(&Request::new("PUT", &path("a"), state("a", 2)));
    assert_eq!(refused.status, 409, "{}", refused.text());
}

fn begin_an_upload(world: &mut World) {
    let begun = world
        .client
        .send(&Request::new("POST", "/tfstate/large?uploads", ""));
    let text = begun.text();
    let id = text
        .split("<UploadId>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap();
    let part = Request::new(
        "PUT",
        &format!("/tfstate/large?partNumber=1&uploadId={id}"),
        state("part", 1),
    );
    assert_eq!(world.client.send(&part).status, 200);
}

#[test]
fn a_body_that_is_gone_is_named() {
    let (world, _) = written();
    let database = database(&world);
    let id = blob(&database, 1);
    assert_eq!(
        database
            .execute("DELETE FROM blob_chunk WHERE id = ?1", [&id])
            .unwrap(),
        1
    );
    let data = world.server.data();
    let found = world.json(&["verify", "--offline", "--data", data.to_str().unwrap()], 1);
    assert_eq!(found["damaged"][0]["version"], 1, "{found}");
    assert!(
        found["damaged"][0]["what"].as_str().unwrap().contains("gone"),
        "{found}"
    );
}

#[test]
fn a_directory_without_data_is_not_made_by_verifying_it() {
    let world = World::new();
    let nothing = world.says(&["verify", "--offline", "--data", "nowhere"], 2);
    assert!(
        nothing.stderr.contains("holds no Tidelock data"),
        "{}",
        nothing.text()
    );
    assert!(world.names().is_empty());
    let running = world.of_server(&["verify", "--offline"], 3);
    assert!(running.stderr.contains("in use by process"), "{}", running.text());
}
