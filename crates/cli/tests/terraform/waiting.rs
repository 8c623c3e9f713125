//! Those who wait for a lock: served in line, across a restart; those who are gone never get it.

use tidelock_testkit::{
    Backend::{self, Http, LockFile, Table},
    BackendConfig, LossyProxy, Running, Terraform, wait_until,
};

use crate::{
    ALL, THING, World, at_once,
    world::{hold, line},
};

/// What somebody does who wants to wait.
const WAIT: [&str; 3] = ["apply", "-auto-approve", "-lock-timeout=120s"];

#[test]
fn waiters_get_the_lock_in_the_order_of_their_arrival() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let config = BackendConfig::new(backend, "in-line.tfstate");
        let (holder, holding) = world.holding("holder", &config);
        let projects = ["one", "two", "three"].map(|name| world.project(name, &config, &hold(name)));
        let mut waiting = Vec::new();
        for (place, project) in projects.iter().enumerate() {
            waiting.push(project.start(&WAIT));
            wait_until("it stands in line", || world.line(&config).len() == place + 1);
        }

        let mut before = (&holder, holding);
        for (place, (project, running)) in projects.iter().zip(waiting).enumerate() {
            // The first in line is held from its return on; those behind it come and go.
            wait_until("the first and the last in line are held", || {
                let line = world.line(&config);
                line.len() == projects.len() - place && line[0] && line[line.len() - 1]
            });
            before.0.write("release", "");
            let _ = before.1.finish().succeeded();
            project.wait_for("started");
            for later in &projects[place + 1..] {
                assert!(
                    !later.path("started").exists(),
                    "{backend:?}: one at a time, in line"
                );
            }
            before = (project, running);
        }
        before.0.write("release", "");
        let _ = before.1.finish().succeeded();
        assert!(world.is_unlocked(&config));
    });
}

#[test]
fn a_waiter_that_is_killed_never_gets_the_lock_and_the_next_one_does() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let (killed, running) = waiter(&world, &config, "killed", &[true]);
        let next = world.project("next", &config, THING);
        let next_running = next.start(&WAIT);
        world.wait_for_line(&config, &[true, true]);

        running.kill9();
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let waited = next_running.finish().succeeded();
        assert!(waited.stdout.contains("1 added"), "{}", waited.text());
        assert!(world.is_unlocked(&config), "{backend:?}: nothing is orphaned");
        assert!(!killed.path("started").exists());
    });
}

#[test]
fn a_lock_that_is_freed_while_only_the_dead_wait_is_free() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let (_, running) = waiter(&world, &config, "killed", &[true]);
        running.kill9();
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let after = world.project("after", &config, THING);
        let applied = after.run(&["apply", "-auto-approve"]).succeeded();
        assert!(
            applied.stdout.contains("1 added"),
            "{backend:?}: {}",
            applied.text()
        );
        assert!(world.is_unlocked(&config));
    });
}

/// Terraform hears Ctrl-C, but its held request goes on until it is answered; then it gives the lock back.
#[test]
fn a_waiter_that_is_interrupted_leaves_no_lock_behind() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let (interrupted, running) = waiter(&world, &config, "interrupted", &[true]);
        running.signal("INT");
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let _ = running.finish().failed();
        assert!(world.is_unlocked(&config), "{backend:?}");
        assert!(
            !interrupted.path("started").exists(),
            "{backend:?}: it did nothing any more"
        );
    });
}

/// A second Ctrl-C ends Terraform at once, whatever its request does.
#[test]
fn a_waiter_that_is_interrupted_twice_ends_while_the_lock_is_held() {
    at_once(&ALL, |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let (_, mut running) = waiter(&world, &config, "interrupted", &[true]);
        wait_until("it has ended", || {
            running.signal("INT");
            std::thread::sleep(std::time::Duration::from_millis(200));
            !running.is_running()
        });
        let _ = running.finish().failed();
        let next = world.project("next", &config, THING).start(&WAIT);
        wait_until("the next one is held", || {
            world.line(&config).last() == Some(&true)
        });
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let _ = next.finish().succeeded();
        assert!(world.is_unlocked(&config), "{backend:?}");
    });
}

#[test]
fn waiting_goes_on_across_a_restart_of_the_server() {
    at_once(&ALL, |backend| {
        let Some(World {
            mut server,
            hermetic,
            terraform,
        }) = World::new()
        else {
            return;
        };
        let config = BackendConfig::new(backend, "restarted.tfstate");
        let project = |name, resources: &str| {
            let project = Terraform::new(&terraform, &hermetic, &server, name);
            project.write("main.tf", config.hcl(&server) + resources);
            project.ok(&["init"]);
            project
        };
        let (holder, waiter) = (project("holder", &hold("holder")), project("waiter", THING));
        let holding = holder.start(&["apply", "-auto-approve"]);
        holder.wait_for("started");
        let waiting = waiter.start(&WAIT);
        wait_until("it is held", || line(&server, &config) == [true]);

        server.kill9();
        server.restart();
        wait_until("it is held again", || line(&server, &config) == [true]);
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let waited = waiting.finish().succeeded();
        assert!(
            waited.stdout.contains("1 added, 0 changed, 1 destroyed"),
            "{}",
            waited.text()
        );
        assert_eq!(line(&server, &config), Vec::<bool>::new());
    });
}

/// The answer that says "it is yours now" gets lost; the client asks again, and it is.
#[test]
fn a_grant_that_is_lost_on_its_way_is_had_by_asking_again() {
    at_once(&[LockFile, Table, Http], |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let proxy = LossyProxy::start(world.server.authority(), Vec::new());
        let waiter = world.project_through(&proxy, "waiter", &config, THING);
        let waiting = waiter.start(&WAIT);
        world.wait_for_line(&config, &[true]);
        proxy.lose(match backend {
            Http => "LOCK /state/",
            Table => "POST .PutItem",
            _ => "PUT .tflock",
        });
        holder.write("release", "");
        let _ = holding.finish().succeeded();
        let waited = waiting.finish().succeeded();
        assert_eq!(
            proxy.not_lost_yet(),
            Vec::<&str>::new(),
            "{backend:?}: it had to ask again"
        );
        assert!(waited.stdout.contains("1 added"), "{}", waited.text());
        assert!(world.is_unlocked(&config), "{backend:?}");
    });
}

/// Between the refusal and the look at who holds it, the lock is given back (hashicorp/terraform#32690).
#[test]
fn a_waiter_that_looks_after_the_lock_has_gone_gets_it_in_the_end() {
    at_once(&[LockFile, Table, Backend::Both], |backend| {
        let Some(world) = World::new() else { return };
        let (config, holder, holding) = held(&world, backend);
        let proxy = LossyProxy::start(world.server.authority(), Vec::new());
        let waiter = world.project_through(&proxy, "waiter", &config, THING);
        proxy.keep_back(if backend == Table {
            "POST .GetItem"
        } else {
            "GET .tflock"
        });
        let waiting = waiter.start(&WAIT);
        wait_until("it has been refused and looks", || proxy.kept_back() == 1);

        holder.write("release", "");
        let _ = holding.finish().succeeded();
        proxy.let_go();
        let waited = waiting.finish().succeeded();
        assert!(waited.stdout.contains("1 added"), "{}", waited.text());
        assert!(world.is_unlocked(&config), "{backend:?}");
    });
}

/// A state whose lock an apply holds.
fn held(world: &World, backend: Backend) -> (BackendConfig, Terraform<'_>, Running) {
    let config = BackendConfig::new(backend, "waited-for.tfstate");
    let (holder, holding) = world.holding("holder", &config);
    (config, holder, holding)
}

/// An apply that waits, once the line is as expected.
fn waiter<'a>(
    world: &'a World,
    config: &BackendConfig,
    name: &str,
    line: &[bool],
) -> (Terraform<'a>, Running) {
    let terraform = world.project(name, config, &hold(name));
    let running = terraform.start(&WAIT);
    world.wait_for_line(config, line);
    (terraform, running)
}
