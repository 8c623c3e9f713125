//! Directories that no export has written: refused in a sentence, before anything of them is put in.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::world::{World, state};

struct Export {
    world: World,
    out: String,
}

/// An export of one state with two versions, that a test then spoils.
fn export() -> Export {
    let mut world = World::new();
    for serial in 1..=2 {
        world.put("a", &state(serial, "l"));
    }
    let out = world.path("out");
    world.says(&["export", "--to", &out], 0);
    Export { world, out }
}

impl Export {
    fn place(&self, name: &str) -> String {
        format!("{}/tfstate/a/{name}", self.out)
    }

    fn rewrite(&self, change: impl FnOnce(&mut Value)) {
        let path = self.place("history.json");
        let mut history = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut history);
        fs::write(path, history.to_string()).unwrap();
    }

    /// A server without any states refuses it, and is still without.
    #[track_caller]
    fn is_refused(&self, sentence: &str) {
        let other = World::new();
        let said = other.says(&["import", &self.out], 1);
        assert!(said.stderr.contains(sentence), "{}", said.stderr);
        assert!(other.history("a").is_empty(), "nothing of it is put in");
    }
}

#[test]
fn links_are_not_followed() {
    let export = export();
    let version = export.place("000001.tfstate");
    fs::rename(&version, export.place("elsewhere")).unwrap();
    symlink("elsewhere", &version).unwrap();
    export.is_refused("is a symbolic link");
    let said = export.world.says(&["export", "--to", &export.out], 1);
    assert!(said.stderr.contains("is a symbolic link"), "{}", said.stderr);

    let directory = format!("{}/tfstate/b", export.out);
    fs::remove_file(&version).unwrap();
    fs::rename(export.place("elsewhere"), &version).unwrap();
    symlink("/", &directory).unwrap();
    export.is_refused("is a symbolic link");
    let mut export = export;
    export.world.put("b/etc", &state(1, "b"));
    let said = export.world.says(&["export", "--to", &export.out], 1);
    assert!(said.stderr.contains("is a symbolic link"), "{}", said.stderr);
}

#[test]
fn bytes_that_are_not_those_of_the_list_are_refused() {
    let spoilt = export();
    fs::write(spoilt.place("000002.tfstate"), state(7, "l")).unwrap();
    spoilt.is_refused("its MD5 is not the one that history.json states");

    let gone = export();
    fs::remove_file(gone.place("000001.tfstate")).unwrap();
    gone.is_refused("the file is missing; export again");
}

#[test]
fn a_list_that_is_none_is_refused() {
    for (text, sentence) in [
        ("", "it is not what `tidelock export` writes"),
        ("[]", "it is not what `tidelock export` writes"),
        (
            r#"{"tidelock_export":2,"address":"tfstate/a","versions":[]}"#,
            "its form is 2",
        ),
        (
            r#"{"tidelock_export":1,"address":"a","versions":[]}"#,
            "its address is no good",
        ),
        (
            r#"{"tidelock_export":1,"address":"tfstate/a","versions":[],"x":1}"#,
            "unknown field `x`",
        ),
    ] {
        let export = export();
        fs::write(export.place("history.json"), text).unwrap();
        export.is_refused(sentence);
    }
}

#[test]
fn a_huge_list_is_not_read() {
    let export = export();
    let file = fs::File::create(export.place("history.json")).unwrap();
    // A hole: it takes no room on the disk.
    file.set_len(1 << 40).unwrap();
    export.is_refused("it is larger than");
}

#[test]
fn versions_out_of_order_without_digest_or_with_names_that_lead_away_are_refused() {
    let order = export();
    order.rewrite(|history| history["versions"][0]["version"] = json!(9));
    order.is_refused("is not in its place");

    let digest = export();
    digest.rewrite(|history| history["versions"][0]["md5"] = json!("../../x"));
    digest.is_refused("has no MD5");

    let name = export();
    name.rewrite(|history| history["versions"][0]["version"] = json!("../../../etc/passwd"));
    name.is_refused("it is not what `tidelock export` writes");

    let key = export();
    key.rewrite(|history| history["address"] = json!("tfstate/../../etc/passwd"));
    let other = World::new();
    other.says(&["import", &key.out], 0);
    assert_eq!(
        other.history("../../etc/passwd").len(),
        2,
        "a key is a name, and leads nowhere"
    );
}

#[test]
fn a_time_to_come_is_refused() {
    let export = export();
    export.rewrite(|history| history["versions"][0]["written_ms"] = json!(9_000_000_000_000_i64));
    let other = World::new();
    let said = other.says(&["import", &export.out], 7);
    assert!(
        said.stderr.contains("one of the clocks is wrong"),
        "{}",
        said.stderr
    );
}

#[test]
fn the_directory_of_another_state_is_not_written_into() {
    let export = export();
    export.rewrite(|history| history["address"] = json!("tfstate/A"));
    let said = export.world.says(&["export", "--to", &export.out], 1);
    assert!(
        said.stderr.contains("holds the export of tfstate/A"),
        "{}",
        said.stderr
    );
}
