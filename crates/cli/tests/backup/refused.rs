//! What is not restored: half a backup, a changed one, one for another key, one over what is there.

use std::{fs, os::unix::fs::symlink};

use super::World;

/// A server with a state, and a backup of it with the keys.
fn backed_up() -> (World, Vec<u8>) {
    let mut world = World::new();
    world.write("a", 1);
    let backup = fs::read(world.backup("whole.tar")).unwrap();
    (world, backup)
}

fn refuse(world: &World, bytes: &[u8], what: &str) {
    fs::write(world.path("bad.tar"), bytes).unwrap();
    let refused = world.says(&["restore", "bad.tar", "--data", "r"], 1);
    assert!(refused.stderr.contains("bad.tar"), "{what}: {}", refused.text());
    assert_eq!(
        world.names(),
        ["bad.tar", "whole.tar"],
        "{what}: nothing is left behind"
    );
}

#[test]
fn a_backup_that_was_cut_short_anywhere_is_refused() {
    let (world, backup) = backed_up();
    for sixteenth in 0..16 {
        let length = backup.len() * sixteenth / 16;
        refuse(&world, &backup[..length], &format!("{length} bytes"));
    }
    refuse(&world, &backup[..backup.len() - 1], "all but the last byte");
    refuse(&world, &[&backup[..], &[0]].concat(), "one byte more");
}

#[test]
fn a_backup_with_a_flipped_bit_is_refused() {
    let (world, backup) = backed_up();
    for sixteenth in 0..16 {
        let at = backup.len() * sixteenth / 16 + 57;
        let mut flipped = backup.clone();
        flipped[at] ^= 1 << (sixteenth % 8);
        refuse(&world, &flipped, &format!("byte {at}"));
    }
}

#[test]
fn another_root_key_is_refused_and_none_is_asked_for() {
    let mut world = World::new();
    world.write("a", 1);
    let made = world.of_server(&["backup", "plain.tar"], 0).stdout;
    assert!(made.ends_with("plain.tar --root-key FILE\n"), "{made}");
    let nowhere = world.says(&["backup", "--with-keys", "keys.tar"], 4).stderr;
    assert!(nowhere.contains("with --data: --with-keys"), "{nowhere}");
    let missing = world.says(&["restore", "plain.tar", "--data", "r"], 2);
    assert!(
        missing.stderr.contains("--root-key") && missing.stderr.contains("--no-verify"),
        "{}",
        missing.text()
    );
    let missing = world.says(&["verify", "--backup", "plain.tar"], 2);
    assert!(
        missing.stderr.contains("--root-key") && !missing.stderr.contains("--no-verify"),
        "verify has no such flag: {}",
        missing.text()
    );
    fs::write(world.path("other.key"), "00".repeat(32)).unwrap();
    let other = world.says(
        &["restore", "plain.tar", "--data", "r", "--root-key", "other.key"],
        2,
    );
    assert!(other.stderr.contains("the backup needs"), "{}", other.text());
    fs::write(world.path("no.key"), "not a key").unwrap();
    let none = world.says(&["verify", "--backup", "plain.tar", "--root-key", "no.key"], 2);
    assert!(
        none.stderr.contains("no.key") && !none.stderr.contains("not a key"),
        "{}",
        none.text()
    );
    assert_eq!(world.names(), ["no.key", "other.key", "plain.tar"]);
    let unread = world.says(&["restore", "plain.tar", "--data", "r", "--no-verify"], 0);
    assert!(
        unread.stdout.contains("root key") && unread.stdout.contains("is missing"),
        "{}",
        unread.text()
    );
    let started = world.says(&["serve", "--data", "r", "--listen", "127.0.0.1:0"], 3);
    assert!(started.stderr.contains("root key"), "{}", started.text());
}

#[test]
fn the_root_key_may_be_where_the_configuration_says() {
    let mut world = World::new();
    world.write("a", 1);
    let _ = world.of_server(&["backup", "plain.tar"], 0);
    fs::copy(world.server.data().join("root.key"), world.path("own.key")).unwrap();
    fs::write(
        world.path("t.toml"),
        "data = 'r'\nroot_key = { file = 'own.key' }\n",
    )
    .unwrap();
    let _ = world.says(&["verify", "--backup", "plain.tar", "--config", "t.toml"], 0);
    let _ = world.of_server(&["verify", "--backup", "plain.tar"], 0);
    let restored = world.says(&["restore", "plain.tar", "--config", "t.toml"], 0);
    assert!(!restored.stdout.contains("missing"), "{}", restored.text());
    assert!(
        !world.path("r/root.key").exists(),
        "it is kept where it is, and nowhere else"
    );
    let _ = world.says(&["verify", "--offline", "--config", "t.toml"], 0);
    fs::write(world.path("own.key"), "00".repeat(32)).unwrap();
    let other = world.says(&["verify", "--offline", "--config", "t.toml"], 1);
    assert!(other.stdout.contains("sealed under root key"), "{}", other.text());
}

#[test]
fn what_is_there_is_not_replaced() {
    let (world, _) = backed_up();
    let taken = world.path("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("thesis.doc"), "x").unwrap();
    let refused = world.says(&["restore", "whole.tar", "--data", "taken"], 3);
    assert!(refused.stderr.contains("is not empty"), "{}", refused.text());
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
    let file = world.says(&["restore", "whole.tar", "--data", "whole.tar"], 3);
    assert!(file.stderr.contains("cannot use"), "{}", file.text());
    let mounted = world.says(&["restore", "whole.tar", "--data", "/proc"], 3);
    assert!(
        mounted.stderr.contains("such as --data /proc/data"),
        "{}",
        mounted.text()
    );
    let running = world.of_server(&["restore", "whole.tar"], 3);
    assert!(running.stderr.contains("is not empty"), "{}", running.text());
}

#[test]
fn an_empty_directory_and_one_below_others_that_are_missing_will_do() {
    let (world, _) = backed_up();
    fs::create_dir(world.path("empty")).unwrap();
    symlink(world.path("empty"), world.path("link")).unwrap();
    for data in ["link", "not/there/yet"] {
        let _ = world.says(&["restore", "whole.tar", "--data", data], 0);
        assert!(world.path(data).join("tidelock.db").exists(), "{data}");
    }
    assert_eq!(world.names(), ["empty", "link", "not", "whole.tar"]);
}

#[test]
fn a_file_that_is_no_backup_is_refused() {
    let (world, _) = backed_up();
    for bytes in [Vec::new(), vec![0; 100_000], b"SQLite format 3\0".repeat(1_000)] {
        refuse(&world, &bytes, "no backup");
    }
    let missing = world.says(&["restore", "nowhere.tar", "--data", "r"], 2);
    assert!(missing.stderr.contains("nowhere.tar"), "{}", missing.text());
}
