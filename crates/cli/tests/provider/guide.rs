//! The usual guide, as a platform team follows it: a bucket, a key, a lock table and a role for a team, which then keeps its
//! state there, with all of it enforced.

use tidelock_testkit::Terraform;

use crate::World;

/// The policy of the bucket speaks of encrypted connections.
const TLS: &str = "tls = { self_signed = true }\n";

const PLATFORM: &str = include_str!("fixtures/platform.tf");
const TEAM: &str = include_str!("fixtures/team.tf");

#[test]
fn a_platform_is_declared_used_planned_without_changes_and_destroyed() {
    let Some(world) = World::with_settings(TLS) else {
        return;
    };
    let project = world.project("platform", PLATFORM);
    project.apply();
    let (id, secret) = (project.output("runner_id"), project.output("runner_secret"));
    let team = world.terraform("team").with_key(&id, &secret);
    team.write("main.tf", TEAM);
    team.ok(&["init", "-no-color"]);
    team.ok(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(team.ok(&["output", "-raw", "subnet"]).stdout, "10.0.0.0/24");
    let plan = team.run(&["plan", "-detailed-exitcode", "-no-color"]);
    assert_eq!(plan.status.code(), Some(0), "{}", plan.text());
    the_team_reaches_nothing_else(&team);
    project.plan_is_empty();
    team.ok(&["destroy", "-auto-approve", "-no-color"]);
    project.destroy();
}

/// Another key of the same bucket is another team's.
fn the_team_reaches_nothing_else(team: &Terraform<'_>) {
    let elsewhere = "-backend-config=key=storage/terraform.tfstate";
    let refused = team
        .run(&["init", "-reconfigure", "-no-color", elsewhere])
        .failed();
    assert!(
        refused.flowing().contains("api error Forbidden"),
        "{}",
        refused.text()
    );
    team.ok(&["init", "-reconfigure", "-no-color"]);
}
