//! The ground that the toolkit stands on: locks in both forms, between us and real Terraform.

use tidelock_operator::layout::{Facet, TakeError, Want};
use tidelock_testkit::{Terraform, hold_until_released};

use crate::world::{wait, worlds};

const KEY: &str = "team/app.tfstate";

fn want(id: &str) -> Want {
    Want {
        id: id.to_owned(),
        operation: "rollback".to_owned(),
        who: "ann@desk".to_owned(),
        info: "told by the test".to_owned(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}

#[test]
fn our_lock_keeps_out_terraform_that_locks_in_either_form_until_it_is_released() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let by_file = world.terraform(&binary, "file", KEY, "use_lockfile = true");
        let table = format!("dynamodb_table = \"{}\"", world.table);
        let by_table = world.terraform(&binary, "table", KEY, &table);
        by_file.ok(&["init", "-input=false"]);
        by_table.ok(&["init", "-input=false"]);
        let layout = world.layout();
        let held = wait(layout.take(KEY, &want("11111111-2222-3333-4444-555555555555"))).unwrap();
        for terraform in [&by_file, &by_table] {
            let refused = terraform.run(&["apply", "-auto-approve", "-input=false"]);
            assert!(!refused.status.success());
            assert!(
                refused.stderr.contains("11111111-2222-3333-4444-555555555555")
                    && refused.stderr.contains("ann@desk"),
                "{:?}: {}",
                world.store.kind,
                refused.stderr
            );
        }
        wait(held.release(&layout)).unwrap();
        by_file.ok(&["apply", "-auto-approve", "-input=false"]);
        by_table.ok(&["apply", "-auto-approve", "-input=false"]);
        assert!(wait(layout.locks_of(KEY)).unwrap().is_empty());
    }
}

#[test]
fn a_lock_of_terraform_is_seen_in_both_forms_and_keeps_us_out() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let lines = format!("use_lockfile = true\n dynamodb_table = \"{}\"", world.table);
        let terraform = world.terraform(&binary, "both", KEY, &lines);
        terraform.write("hold.tf", hold_until_released());
        terraform.ok(&["init", "-input=false"]);
        let running = terraform.start(&["apply", "-auto-approve", "-input=false"]);
        terraform.wait_for("started");
        let layout = world.layout();
        let locks = wait(layout.locks_of(KEY)).unwrap();
        let forms: Vec<_> = locks.iter().map(|lock| lock.facet).collect();
        assert_eq!(forms, [Facet::File, Facet::Table]);
        assert!(locks[0].id().is_some() && locks[0].id() == locks[1].id());
        assert!(locks.iter().all(|lock| lock.since_ms.is_some()));
        let refused = wait(layout.take(KEY, &want("6"))).unwrap_err();
        assert!(matches!(refused, TakeError::Locked(locks) if locks.len() == 2));
        running.kill9();
        for lock in &locks {
            assert!(
                wait(layout.free(lock)).unwrap(),
                "{:?} {lock:?}",
                world.store.kind
            );
        }
        // Tidelock shows the one who broke a lock its other form for a moment, which stock clients look for then.
        let layout = world.layout();
        let left = wait(layout.locks_of(KEY)).unwrap();
        assert!(left.is_empty(), "{:?}: {left:?}", world.store.kind);
        let held = wait(layout.take(KEY, &want("7"))).unwrap();
        wait(held.release(&layout)).unwrap();
    }
}

#[test]
fn digests_are_read_written_and_taken_out() {
    for world in worlds() {
        let layout = world.layout();
        assert_eq!(wait(layout.digest(KEY)).unwrap(), None);
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        // Tidelock computes the digest of a state that lives there, and keeps what is said of any other.
        wait(layout.put_digest(KEY, Some(md5))).unwrap();
        assert_eq!(wait(layout.digest(KEY)).unwrap().as_deref(), Some(md5));
        wait(layout.put_digest(KEY, None)).unwrap();
        assert_eq!(wait(layout.digest(KEY)).unwrap(), None);
    }
}
