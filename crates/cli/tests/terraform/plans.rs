//! Plans change nothing: several at once are fine, beside an apply they are not.

use tidelock_testkit::{
    BUCKET,
    Backend::{self, Http},
    BackendConfig, LossyProxy, Request, Terraform, hold_until_released, state_document, wait_until,
};

use crate::{THING, World, with_each_backend, with_each_s3_backend};

with_each_backend! {
    two_plans_share_the_lock_and_an_apply_waits_for_both
    plans_exclude_each_other_where_the_operator_says_so
}

with_each_s3_backend! {
    plans_that_cannot_be_told_apart_exclude_each_other
}

fn two_plans_share_the_lock_and_an_apply_waits_for_both(backend: Backend) {
    let Some(world) = World::new() else { return };
    let (config, gate) = (BackendConfig::new(backend, "planned.tfstate"), Gate::shut(&world));
    let plans = ["one", "two"].map(|name| {
        let project = gate.project(&world, &config, name);
        project.as_run(&format!("job/{name}"))
    });
    let planning = [0, 1].map(|place| {
        let running = plans[place].start(&["plan"]);
        wait_until("the plan has its lock and reads", || {
            gate.0.kept_back() == place + 1
        });
        running
    });

    let apply = world
        .project("apply", &config, hold_until_released())
        .as_run("job/apply");
    let applying = apply.start(&["apply", "-auto-approve", "-lock-timeout=60s"]);
    world.wait_for_line(&config, &[true]);
    let late = world.project("late", &config, THING).as_run("job/late");
    let refused = late.run(&["plan"]).failed();
    assert!(
        refused.text().contains("Error acquiring the state lock"),
        "{}",
        refused.text()
    );
    let late_planning = late.start(&["plan", "-lock-timeout=60s"]);
    wait_until("the late plan stands behind the apply", || {
        let line = world.line(&config);
        line.first() == Some(&true) && line.last() == Some(&true) && line.len() > 1
    });
    assert!(!apply.path("started").exists(), "the plans still read");

    gate.0.let_go();
    for plan in planning {
        assert!(plan.finish().succeeded().stdout.contains("1 to add"));
    }
    apply.wait_for("started");
    apply.write("release", "");
    let _ = applying.finish().succeeded();
    let planned = late_planning.finish().succeeded().stdout;
    assert!(
        planned.contains("1 to add, 0 to change, 1 to destroy"),
        "after the apply: {planned}"
    );
    assert!(world.is_unlocked(&config));
}

fn plans_exclude_each_other_where_the_operator_says_so(backend: Backend) {
    let Some(world) = World::with_settings("plans = \"exclusive\"\n") else {
        return;
    };
    second_plan_is_refused(&world, backend, |terraform, run| terraform.as_run(run));
}

fn plans_that_cannot_be_told_apart_exclude_each_other(backend: Backend) {
    let Some(world) = World::new() else { return };
    second_plan_is_refused(&world, backend, |terraform, _| terraform);
}

fn second_plan_is_refused(
    world: &World,
    backend: Backend,
    told_apart: impl for<'a> Fn(Terraform<'a>, &str) -> Terraform<'a>,
) {
    let (config, gate) = (BackendConfig::new(backend, "planned.tfstate"), Gate::shut(world));
    let first = told_apart(gate.project(world, &config, "first"), "job/first");
    let planning = first.start(&["plan"]);
    wait_until("the plan has its lock and reads", || gate.0.kept_back() == 1);

    let second = told_apart(world.project("second", &config, THING), "job/second");
    let refused = second.run(&["plan"]).failed();
    assert!(
        refused.text().contains("Error acquiring the state lock"),
        "{}",
        refused.text()
    );
    gate.0.let_go();
    let _ = planning.finish().succeeded();
    let _ = second.run(&["plan"]).succeeded();
    assert!(world.is_unlocked(&config));
}

/// Something that a plan reads in the midst of its work, and that comes when the test says so.
pub(crate) struct Gate(pub(crate) LossyProxy);

impl Gate {
    pub(crate) fn shut(world: &World) -> Self {
        let state = state_document(1, "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", "");
        let path = BackendConfig::new(Http, "gate.tfstate").http_path();
        let written = world
            .server
            .client()
            .send_basic(&Request::new("POST", &path, state));
        assert_eq!(written.status, 200, "{}", written.text());
        let proxy = LossyProxy::start(world.server.authority(), Vec::new());
        proxy.keep_back("GET /gate.tfstate");
        Self(proxy)
    }

    /// A project whose plan reads the gate.
    pub(crate) fn project<'a>(&self, world: &'a World, config: &BackendConfig, name: &str) -> Terraform<'a> {
        let address = format!("{}/state/{BUCKET}/gate.tfstate", self.0.endpoint());
        let gate = format!(
            "data \"terraform_remote_state\" \"gate\" {{\nbackend = \"http\"\nconfig = {{ address = \"{address}\" }}\n}}\n"
        );
        world.project(name, config, &(gate + THING))
    }
}
