//! Whether a command means a server or a bucket and a table: by what is named, else by who answers.

use std::fs;

use serde_json::Value;
use tidelock_testkit::Kind;

use crate::world::{World, wait, worlds};

const KEY: &str = "team/app.tfstate";

impl World {
    /// A directory with a backend block and without anything of `init`.
    fn directory(&self) -> std::path::PathBuf {
        let dir = self.hermetic.workdir("configured");
        let table = format!("dynamodb_table = \"{}\"", self.table);
        fs::write(dir.join("backend.tf"), self.backend(KEY, &table)).unwrap();
        dir
    }

    fn put_lock(&self, id: &str) {
        let info = format!(r#"{{"ID":"{id}","Operation":"OperationTypeApply","Who":"ann@ci"}}"#);
        self.store.put(&self.bucket, &format!("{KEY}.tflock"), info);
    }
}

#[test]
fn one_command_in_one_directory_finds_the_lock_on_a_server_and_in_a_bucket() {
    for world in worlds() {
        let dir = world.directory();
        world.put_lock("lock-1");
        let listed = world.says_in(&dir, &["locks", "--json"], 0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let lock = &listed["locks"][0]["locks"][0];
        assert_eq!(lock["id"], "lock-1", "{listed}");
        let is_server = world.store.kind == Kind::Tidelock;
        assert_eq!(lock["fence"].is_u64(), is_server, "{lock}");
        assert!(listed["locks"][0]["now_ms"].is_i64() && lock["doors"].is_array());

        let address = format!("{}/{KEY}", world.bucket);
        let elsewhere = world.says(&["locks", &address], 0);
        assert!(elsewhere.stdout.contains("lock-1"), "{}", elsewhere.stdout);
        assert_eq!(
            elsewhere.stderr.contains("--table"),
            !is_server,
            "{}",
            elsewhere.stderr
        );
        let in_dir = world.says_in(&dir, &["locks", &address], 0);
        assert!(!in_dir.stderr.contains("--table"), "{}", in_dir.stderr);

        let freed = world.says_in(&dir, &["unlock", "lock-1", "--yes"], 0).stdout;
        let expected = match world.store.kind {
            Kind::Tidelock => "Freed. Its former holder is refused until it takes the lock again.\n",
            Kind::Moto => "Freed.\n",
        };
        assert_eq!(freed, expected);
        let _ = world.says_in(&dir, &["unlock", "lock-1", "--yes"], 7);
    }
}

#[test]
fn what_is_named_comes_before_what_answers_and_nothing_is_named_twice() {
    for world in worlds() {
        world.put_lock("lock-1");
        let stock = world.says(&["locks", "--bucket", &world.bucket, "--json"], 0);
        assert!(!stock.stdout.contains("\"fence\""), "{}", stock.stdout);
        let both = world.says(&["locks", "--data", "data", "--bucket", &world.bucket], 2);
        assert!(both.stderr.contains("leave out"), "{}", both.stderr);
        let twice = world.says(&["locks", "states/key", "--bucket", &world.bucket], 2);
        assert!(twice.stderr.contains("twice"), "{}", twice.stderr);
        let nameless = world.says(&["unlock", "lock-1", "--bucket", &world.bucket, "--yes"], 2);
        assert!(
            nameless.stderr.contains("no state is named"),
            "{}",
            nameless.stderr
        );
    }
}

#[test]
fn a_lock_that_has_changed_hands_is_not_freed_for_the_one_that_was_seen() {
    for world in worlds() {
        let layout = world.layout();
        world.put_lock("lock-1");
        let seen = wait(layout.held(KEY)).unwrap();
        wait(layout.free(&seen[0].forms[0])).unwrap();
        world.put_lock("lock-2");
        for form in &seen[0].forms {
            assert!(!wait(layout.free(form)).unwrap(), "{form:?}");
        }
        let freed = wait(layout.free_id(KEY, "lock-1")).unwrap();
        assert_eq!(freed, tidelock_operator::layout::Freed::Before);
        let now = wait(layout.held(KEY)).unwrap();
        assert_eq!(now[0].id, "lock-2");
    }
}
