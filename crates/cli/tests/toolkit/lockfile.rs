//! From the lock table to lock files and back: real Terraform on every stretch of the way, and clients that race with it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tidelock_operator::{
    aws::Environment,
    dynamodb::{self, Condition, Item},
    layout::{Layout, TakeError, Want},
    migrate::{self, Stand, Step, StepError, Steps},
};
use tidelock_testkit::{Kind, Terraform, hold_until_released, state_document, wait_until};

use crate::world::{World, wait, worlds};

const KEY: &str = "team/app.tfstate";

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-input=false"];

/// A resource whose state changes with `version`.
fn resource(version: u32) -> String {
    format!("resource \"terraform_data\" \"app\" {{\n  input = {version}\n}}\n")
}

/// The command on a directory, and what it said.
fn migrate(world: &World, dir: &Path, arguments: &[&str], status: i32) -> String {
    let dir = dir.to_str().unwrap();
    let mut all = vec!["migrate", "dynamodb-to-lockfile", dir, "--yes"];
    all.extend_from_slice(arguments);
    let output = world.says(&all, status);
    format!("{}{}", output.stdout, output.stderr)
}

fn json(world: &World, dir: &Path, arguments: &[&str], status: i32) -> Value {
    let dir = dir.to_str().unwrap();
    let mut all = vec!["migrate", "dynamodb-to-lockfile", dir, "--yes", "--json"];
    all.extend_from_slice(arguments);
    serde_json::from_str(&world.says(&all, status).stdout).unwrap()
}

/// While `holder` applies, `other` is refused.
#[track_caller]
fn keeps_out(holder: &Terraform<'_>, other: &Terraform<'_>) {
    holder.write("hold.tf", hold_until_released());
    let running = holder.start(&[
        "apply",
        "-auto-approve",
        "-input=false",
        "-replace=terraform_data.hold",
    ]);
    holder.wait_for("started");
    let refused = other.run(&APPLY);
    assert!(
        !refused.status.success() && refused.stderr.contains("Error acquiring the state lock"),
        "{}",
        refused.stderr
    );
    holder.write("release", "");
    let _ = running.finish().succeeded();
    for file in ["started", "release", "hold.tf"] {
        fs::remove_file(holder.path(file)).unwrap();
    }
}

#[test]
fn terraform_is_protected_on_every_stretch_of_the_way_and_back() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let table = format!("    dynamodb_table = \"{}\" # locks", world.table);
        let both = format!("{table}\n    use_lockfile   = true");
        let app = world.terraform(&binary, "app", KEY, &table);
        app.write("main.tf", resource(1));
        let old = world.terraform(&binary, "old", KEY, &table);
        let dir = app.path("");
        for terraform in [&app, &old] {
            terraform.ok(&["init", "-input=false"]);
        }
        app.ok(&APPLY);

        assert!(migrate(&world, &dir, &[], 0).contains("--phase 1"));
        assert!(migrate(&world, &dir, &["--phase", "3"], 1).contains("phase 1 first"));
        assert!(migrate(&world, &dir, &["--phase", "1"], 0).contains("+ use_lockfile = true"));
        assert_eq!(
            fs::read_to_string(app.path("backend.tf")).unwrap(),
            world.backend(KEY, &both)
        );
        assert!(migrate(&world, &dir, &[], 0).contains("terraform init -reconfigure"));
        app.ok(&["init", "-input=false", "-reconfigure"]);
        // A checkout without the change is kept out, and keeps out.
        keeps_out(&app, &old);
        old.write("main.tf", resource(1));
        keeps_out(&old, &app);
        next_second();
        old.write("main.tf", resource(2));
        old.ok(&APPLY);

        // It was written last in the table alone; Tidelock has one lock for both all the same.
        let unproven = i32::from(world.store.kind == Kind::Moto);
        let checked = json(&world, &dir, &["--phase", "2"], unproven);
        assert_eq!(checked["directories"][0]["states"][0]["by_lock_file"], false);
        json(&world, &dir, &["--phase", "3"], unproven);
        if world.store.kind == Kind::Moto {
            app.write("main.tf", resource(3));
            app.ok(&APPLY);
            let checked = json(&world, &dir, &["--phase", "2"], 0);
            assert_eq!(checked["directories"][0]["states"][0]["by_lock_file"], true);
            assert_eq!(checked["directories"][0]["states"][0]["by_table"], true);
            forth(&world, &app);
        }
        app.ok(&["init", "-input=false", "-reconfigure"]);
        let text = fs::read_to_string(app.path("backend.tf")).unwrap();
        assert_eq!(text, world.backend(KEY, "    use_lockfile   = true"));
        // A checkout that has not made the last step yet is kept out, and keeps out.
        old.write("backend.tf", world.backend(KEY, &both));
        old.ok(&["init", "-input=false", "-reconfigure"]);
        keeps_out(&app, &old);
        keeps_out(&old, &app);
        back(&world, &app, &old);
    }
}

/// S3 tells times to the second: what is written in the next one was not written under a lock file that is gone.
fn next_second() {
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let then = now();
    wait_until("the clock goes on", || now() > then);
}

/// Phase 3, first in the middle of a run.
fn forth(world: &World, app: &Terraform<'_>) {
    let dir = app.path("");
    let before = fs::read_to_string(app.path("backend.tf")).unwrap();
    app.write("hold.tf", hold_until_released());
    let running = app.start(&APPLY);
    app.wait_for("started");
    let refused = migrate(world, &dir, &["--phase", "3"], 7);
    assert!(
        refused.contains("is locked by") && refused.contains("run the command again"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(app.path("backend.tf")).unwrap(), before);
    app.write("release", "");
    let _ = running.finish().succeeded();
    for file in ["started", "release", "hold.tf"] {
        fs::remove_file(app.path(file)).unwrap();
    }
    app.ok(&APPLY);
    let done = json(world, &dir, &["--phase", "3"], 0);
    assert_eq!(done["directories"][0]["outcome"], "changed");
    assert_eq!(done["tables"][0]["items"], 0);
    assert!(wait(world.layout().locks_of(KEY)).unwrap().is_empty());
}

/// All the way back to the table.
fn back(world: &World, app: &Terraform<'_>, old: &Terraform<'_>) {
    let dir = app.path("");
    migrate(world, &dir, &["--reverse", "--phase", "3"], 2);
    migrate(
        world,
        &dir,
        &["--reverse", "--phase", "3", "--table", &world.table],
        0,
    );
    app.ok(&["init", "-input=false", "-reconfigure"]);
    app.write("main.tf", resource(4));
    app.ok(&APPLY);
    migrate(world, &dir, &["--reverse", "--phase", "2"], 0);
    migrate(world, &dir, &["--reverse", "--phase", "1"], 0);
    app.ok(&["init", "-input=false", "-reconfigure"]);
    keeps_out(app, old);
    let text = fs::read_to_string(app.path("backend.tf")).unwrap();
    let table = format!("    dynamodb_table = \"{}\"", world.table);
    assert_eq!(text, world.backend(KEY, &table));
}

#[test]
fn all_workspaces_are_looked_at_and_one_that_was_written_by_an_old_checkout_holds_up_the_last_phase() {
    for world in worlds()
        .into_iter()
        .filter(|world| world.store.kind == Kind::Moto)
    {
        let dir = world.workdir().join("app");
        fs::create_dir_all(&dir).unwrap();
        let lines = format!(
            "    dynamodb_table = \"{}\"\n    use_lockfile = true",
            world.table
        );
        fs::write(dir.join("main.tf"), world.backend(KEY, &lines)).unwrap();
        let layout = world.layout();
        let staging = format!("env:/staging/{KEY}");
        for (serial, key) in [(1, KEY), (2, staging.as_str())] {
            let held = wait(layout.take(key, &want("a"))).unwrap();
            write(&layout, key, serial, true);
            wait(held.release(&layout)).unwrap();
        }
        let checked = json(&world, &dir, &["--phase", "2"], 0);
        let states = checked["directories"][0]["states"].as_array().unwrap();
        assert_eq!(states.len(), 2, "{checked}");
        next_second();
        write(&layout, &staging, 3, true);
        let held_up = json(&world, &dir, &["--phase", "3"], 1);
        assert_eq!(held_up["directories"][0]["states"][1]["by_lock_file"], false);
        assert!(
            fs::read_to_string(dir.join("main.tf"))
                .unwrap()
                .contains("dynamodb_table")
        );
        // And who writes without the table is seen too.
        let held = wait(layout.take(&staging, &want("b"))).unwrap();
        write(&layout, &staging, 4, false);
        wait(held.release(&layout)).unwrap();
        let held_up = json(&world, &dir, &["--phase", "3"], 1);
        assert_eq!(held_up["directories"][0]["states"][1]["by_table"], false);
        assert_eq!(held_up["directories"][0]["states"][1]["by_lock_file"], true);

        // Two directories of the same states go together: the first one's end of the digests does not hold up the second.
        let copy = world.workdir().join("copy");
        fs::create_dir_all(&copy).unwrap();
        fs::copy(dir.join("main.tf"), copy.join("main.tf")).unwrap();
        let held = wait(layout.take(&staging, &want("c"))).unwrap();
        write(&layout, &staging, 5, true);
        wait(held.release(&layout)).unwrap();
        let done = json(&world, &world.workdir(), &["--phase", "3"], 0);
        for at in 0..2 {
            assert_eq!(done["directories"][at]["outcome"], "changed");
        }
        for key in [KEY, &staging] {
            assert_eq!(wait(layout.digest(key)).unwrap(), None);
            assert!(wait(layout.locks_of(key)).unwrap().is_empty());
        }
    }
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    let world = worlds().remove(0);
    let dir = world.workdir().join("app");
    fs::create_dir_all(&dir).unwrap();
    let text = world.backend(KEY, "dynamodb_table = \"t\"");
    fs::write(dir.join("main.tf"), &text).unwrap();
    let arguments = [
        "migrate",
        "dynamodb-to-lockfile",
        dir.to_str().unwrap(),
        "--phase",
        "1",
    ];
    let refused = world.says(&arguments, 2);
    assert!(
        refused.stderr.contains("main.tf:7  + use_lockfile = true"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(dir.join("main.tf")).unwrap(), text);
}

#[test]
fn a_state_that_was_written_under_one_lock_after_the_look_keeps_its_table() {
    let moto = worlds().into_iter().find(|world| world.store.kind == Kind::Moto);
    let Some(world) = moto else { return };
    let dir = world.workdir().join("app");
    fs::create_dir_all(&dir).unwrap();
    let lines = format!("use_lockfile = true\ndynamodb_table = \"{}\"", world.table);
    let text = world.backend(KEY, &lines);
    fs::write(dir.join("main.tf"), &text).unwrap();
    let survey = migrate::survey(&dir, &[], &|_| None).unwrap();
    let plan = migrate::plan(&survey, Step::DropTable).unwrap();
    let layout = world.layout();
    write(&layout, KEY, 1, false);
    let mut steps = Steps::new(Step::DropTable, environment(&world), want("migrate"), None);
    let stopped = wait(steps.take(&plan.directories[0])).unwrap_err();
    assert!(matches!(stopped, StepError::NotBoth(_)), "{stopped}");
    assert_eq!(fs::read_to_string(dir.join("main.tf")).unwrap(), text);
    assert!(wait(layout.locks_of(KEY)).unwrap().is_empty());
}

fn want(id: &str) -> Want {
    Want {
        id: id.to_owned(),
        operation: "OperationTypeApply".to_owned(),
        who: "racer".to_owned(),
        info: String::new(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}

/// Writes a state as who has the lock does, with its digest where it locks in the table.
fn write(layout: &Layout, key: &str, serial: u64, digest: bool) {
    let body = state_document(serial, "3e2bd4f8-6f7e-4b0e-9d8f-0b6a3c8e5d11", "x");
    let put = wait(layout.s3.put_object(&layout.bucket, key, body.into(), &[])).unwrap();
    if digest {
        wait(layout.put_digest(key, Some(&put.etag))).unwrap();
    }
}

/// A directory whose backend block goes forth and back while others work with it.
struct Race<'a> {
    world: &'a World,
    dir: PathBuf,
    /// Whether somebody works on the state.
    busy: AtomicBool,
    over: AtomicBool,
    serial: AtomicU64,
    /// Runs that have come to their end, by how they locked.
    runs: [AtomicU64; 3],
    /// moto looks and then writes, in two steps; taking locks one after the other makes it the store it stands for.
    one_by_one: Mutex<()>,
}

/// A lock as a run holds it.
enum Taken {
    Table(String),
    Other(tidelock_operator::layout::Held),
}

/// Ends the race, also when a test fails in the middle of it.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Race<'_> {
    fn stand(&self) -> Stand {
        let survey = migrate::survey(&self.dir, &[], &|_| None).unwrap();
        survey.directories[0].stands()[0]
    }

    fn ordered<T>(&self, work: impl FnOnce() -> T) -> T {
        let _guard = (self.world.store.kind == Kind::Moto).then(|| self.one_by_one.lock().unwrap());
        work()
    }

    /// What Terraform does, again and again, each time with the configuration that it finds.
    fn run(&self, name: &str) {
        let mut layout = self.world.layout();
        let mut number = 0;
        while !self.over.load(Ordering::SeqCst) {
            number += 1;
            let stand = self.stand();
            layout.table = (stand != Stand::LockFile).then(|| self.world.table.clone());
            let id = format!("{name}-{number}");
            if let Some(taken) = self.ordered(|| take(&layout, stand, &id)) {
                // Who has slept over two steps is an old checkout, of which the second phase has to be free.
                if stand as i8 - self.stand() as i8 <= 1 && self.stand() as i8 - stand as i8 <= 1 {
                    self.work(&layout, stand);
                }
                release(&layout, taken);
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn work(&self, layout: &Layout, stand: Stand) {
        assert!(
            !self.busy.swap(true, Ordering::SeqCst),
            "two at a time, one of them by {stand:?}"
        );
        let serial = self.serial.fetch_add(1, Ordering::SeqCst);
        write(layout, KEY, serial, layout.table.is_some());
        thread::sleep(Duration::from_millis(2));
        self.busy.store(false, Ordering::SeqCst);
        self.runs[stand as usize - 1].fetch_add(1, Ordering::SeqCst);
    }

    /// Takes a step as often as somebody is in the way, after some runs on the stretch before.
    fn step(&self, step: &Step) {
        let runs = &self.runs[self.stand() as usize - 1];
        let before = runs.load(Ordering::SeqCst);
        wait_until("both have worked", || runs.load(Ordering::SeqCst) > before + 3);
        wait_until(&format!("{step:?} is taken"), || {
            let survey = migrate::survey(&self.dir, &[], &|_| None).unwrap();
            let plan = migrate::plan(&survey, step.clone()).unwrap();
            let mut steps = Steps::new(step.clone(), environment(self.world), want("migrate"), None);
            self.ordered(|| match wait(steps.take(&plan.directories[0])) {
                Ok(()) => true,
                Err(StepError::Locked { .. } | StepError::NotBoth(_)) => false,
                Err(error) => panic!("{error}"),
            })
        });
    }
}

fn environment(world: &World) -> Environment {
    let store = &world.store;
    let variables = [
        ("AWS_ENDPOINT_URL", store.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", store.credentials.access_key_id.as_str()),
        (
            "AWS_SECRET_ACCESS_KEY",
            store.credentials.secret_access_key.as_str(),
        ),
        ("HOME", "/nonexistent"),
    ];
    Environment::new(variables.map(|(name, value)| (name.into(), value.into())))
}

fn take(layout: &Layout, stand: Stand, id: &str) -> Option<Taken> {
    if stand != Stand::Table {
        return match wait(layout.take(KEY, &want(id))) {
            Ok(held) => Some(Taken::Other(held)),
            Err(TakeError::Locked(_)) => None,
            Err(error) => panic!("{error}"),
        };
    }
    let info = format!("{{\"ID\":\"{id}\",\"Operation\":\"OperationTypeApply\",\"Who\":\"racer\"}}");
    let mut item = Item::new();
    item.insert("LockID".to_owned(), dynamodb::string(&layout.item_name(KEY)));
    item.insert("Info".to_owned(), dynamodb::string(&info));
    let absent = Condition {
        expression: "attribute_not_exists(LockID)",
        values: Default::default(),
    };
    let table = layout.table.as_deref().unwrap();
    match wait(layout.dynamodb.put_item(table, &item, Some(&absent))) {
        Ok(()) => Some(Taken::Table(info)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => None,
        Err(error) => panic!("{error}"),
    }
}

fn release(layout: &Layout, taken: Taken) {
    match taken {
        Taken::Other(held) => wait(held.release(layout)).unwrap(),
        Taken::Table(info) => {
            let ours = Condition {
                expression: "Info = :info",
                values: [(":info", info)].into(),
            };
            let table = layout.table.as_deref().unwrap();
            wait(
                layout
                    .dynamodb
                    .delete_item(table, &layout.item_name(KEY), Some(&ours)),
            )
            .unwrap();
        }
    }
}

#[test]
fn two_clients_that_race_with_every_phase_never_work_at_the_same_time() {
    for world in worlds() {
        let dir = world.workdir().join("race");
        fs::create_dir_all(&dir).unwrap();
        let lines = format!("    dynamodb_table = \"{}\"", world.table);
        fs::write(dir.join("main.tf"), world.backend(KEY, &lines)).unwrap();
        let table = world.table.clone();
        let race = Race {
            world: &world,
            dir,
            busy: AtomicBool::new(false),
            over: AtomicBool::new(false),
            serial: AtomicU64::new(1),
            runs: Default::default(),
            one_by_one: Mutex::new(()),
        };
        thread::scope(|scope| {
            let _end = End(&race.over);
            for name in ["ann", "ben"] {
                let race = &race;
                scope.spawn(move || race.run(name));
            }
            for step in [
                Step::AddLockFile,
                Step::DropTable,
                Step::AddTable(table),
                Step::DropLockFile,
                Step::AddLockFile,
            ] {
                race.step(&step);
            }
        });
        assert!(race.runs.iter().all(|runs| runs.load(Ordering::SeqCst) > 3));
    }
}
