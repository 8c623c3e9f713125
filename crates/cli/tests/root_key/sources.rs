//! A file, a variable, a command; and what none of them may be.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{World, key, lines, reads, write};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_may_be_elsewhere_and_is_made_at_the_first_start() {
    let world = World::new("root_key = { file = 'keys/root' }");
    fs::create_dir(world.place.join("keys")).unwrap();
    let server = world.start();
    write(&mut world.client(&server), "a", 1);
    server.stop();
    let path = world.place.join("keys/root");
    assert_eq!((lines(&path).len(), mode(&path)), (1, 0o600));
    assert!(!world.data().join("root.key").exists());
    reads(&mut world.client(&world.start()), "a", 1);
}

#[test]
fn a_backup_and_a_look_into_a_stopped_server_find_the_keys_where_they_are() {
    let world = World::new("root_key = { file = 'keys/root' }");
    fs::create_dir(world.place.join("keys")).unwrap();
    let server = world.start();
    write(&mut world.client(&server), "a", 1);
    world.says(&["root-key", "rotate", "--wait"], 0);
    write(&mut world.client(&server), "a", 2);
    let backup = world.place.join("all.tar");
    let backup = backup.to_str().unwrap();
    world.says(&["backup", "--with-keys", backup], 0);
    server.stop();
    let verified = world.says(&["verify", "--offline"], 0).stdout;
    assert!(verified.contains("2 bodies"), "{verified}");
    fs::rename(world.place.join("keys"), world.place.join("elsewhere")).unwrap();
    let unread = world.says(&["verify", "--offline"], 3).stderr;
    assert!(unread.contains("keys/root"), "{unread}");

    // The keys in the backup are those of the restored directory.
    fs::remove_dir_all(world.data()).unwrap();
    world.configure("");
    world.says(&["restore", backup], 0);
    reads(&mut world.client(&world.start()), "a", 2);
}

/// A person puts the new key in front, and takes the old one out when nothing needs it.
fn is_rotated_by_hand(mut world: World, put: impl Fn(&mut World, String)) {
    put(&mut world, key(1));
    let server = world.start();
    write(&mut world.client(&server), "a", 1);
    let refused = world.says(&["root-key", "rotate"], 7).stderr;
    assert!(
        refused.contains("put a new key before the present one"),
        "{refused}"
    );
    server.stop();
    assert!(!world.data().join("root.key").exists());

    put(&mut world, format!("# new\n{}\n\n{}\n", key(2), key(1)));
    let server = world.start();
    reads(&mut world.client(&server), "a", 1);
    write(&mut world.client(&server), "b", 1);
    world.await_rotation();
    let shown = world.says(&["root-key", "rotate", "--wait"], 0).stdout;
    assert!(
        shown.contains("nothing needs") && shown.contains("take its line out of"),
        "{shown}"
    );
    assert!(!shown.contains(&key(1)) && !shown.contains(&key(2)));
    server.stop();

    put(&mut world, key(2));
    let server = world.start();
    reads(&mut world.client(&server), "a", 1);
    reads(&mut world.client(&server), "b", 1);
    assert_eq!(world.says(&["root-key"], 0).stdout.matches("current").count(), 1);
    server.stop();

    put(&mut world, key(1));
    let refused = world.refused();
    assert!(refused.contains("is sealed under root key"), "{refused}");
}

#[test]
fn a_variable_may_hold_it() {
    let world = World::new("root_key = { env = 'TEST_ROOT_KEY' }");
    let unset = world.refused();
    assert!(
        unset.contains("TEST_ROOT_KEY") && unset.contains("not set"),
        "{unset}"
    );
    is_rotated_by_hand(world, |world, text| {
        world.variables = vec![("TEST_ROOT_KEY", text)];
    });
}

#[test]
fn a_command_may_print_it() {
    let world = World::new("root_key = { command = ['cat', '/no/such/file'] }");
    let failed = world.refused();
    assert!(
        failed.contains("the command cat") && failed.contains("exit status: 1"),
        "{failed}"
    );
    // What it says about itself is passed on.
    assert!(failed.contains("No such file"), "{failed}");
    is_rotated_by_hand(world, |world, text| {
        let path = world.place.join("printed");
        fs::write(&path, text).unwrap();
        world.configure(&format!(
            "root_key = {{ command = ['cat', '{}'] }}",
            path.display()
        ));
    });
}

#[test]
fn what_is_no_key_is_refused_with_its_line_and_changes_nothing() {
    let world = World::new("");
    let path = world.data().join("root.key");
    let server = world.start();
    write(&mut world.client(&server), "a", 1);
    server.stop();
    let right = fs::read_to_string(&path).unwrap();
    for (text, expected) in [
        (format!("{}\n{}x\n", key(1), &key(2)[1..]), "line 2 is no key"),
        (String::new(), "there is no key in it"),
        (format!("{0}\n{0}\n", key(1)), "lines 1 and 2 are the same key"),
        (key(1), "is sealed under root key"),
    ] {
        fs::write(&path, &text).unwrap();
        let refused = world.refused();
        assert!(
            refused.contains(expected) && refused.contains("root.key"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, &right).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(world.refused().contains("chmod 600"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(world.refused().contains("backup"));
    // The right key behind another one opens it.
    fs::write(&path, format!("{}\n{right}", key(1))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    reads(&mut world.client(&world.start()), "a", 1);
}

#[test]
fn a_source_that_is_none_is_a_fault_of_the_configuration() {
    let world = World::new("");
    for text in [
        "root_key = 'x'",
        "root_key = { path = 'x' }",
        "root_key = { env = 'A', file = 'b' }",
    ] {
        world.configure(text);
        let refused = world.says(&["serve"], 2).stderr;
        assert!(refused.contains("line 1"), "{refused}");
        assert!(!world.data().exists());
    }
}
