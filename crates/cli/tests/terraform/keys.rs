//! Keys that somebody has: an address is what the user wrote, never a tidied form of it.

use tidelock_testkit::{
    Backend::{self, Http},
    BackendConfig, Request,
};

use crate::{THING, World, with_each_backend, with_each_s3_backend};

with_each_backend! {
    a_key_with_spaces_is_a_key_of_its_own
    a_key_with_letters_of_many_alphabets_is_a_key_of_its_own
    a_key_with_marks_that_urls_give_a_meaning_is_a_key_of_its_own
}

with_each_s3_backend! {
    a_workspace_lives_under_the_env_prefix_and_under_no_other_spelling
    a_workspace_key_prefix_of_the_users_own_is_kept
}

fn a_key_with_spaces_is_a_key_of_its_own(backend: Backend) {
    is_a_key_of_its_own(backend, "team one/my  state.tfstate", "team one/my state.tfstate");
}

fn a_key_with_letters_of_many_alphabets_is_a_key_of_its_own(backend: Backend) {
    is_a_key_of_its_own(backend, "żółw/状態/état-😀.tfstate", "żółw/状態/etat-😀.tfstate");
}

fn a_key_with_marks_that_urls_give_a_meaning_is_a_key_of_its_own(backend: Backend) {
    is_a_key_of_its_own(
        backend,
        "a+b&c=d/e%20f/@g,h;i.tfstate",
        "a b&c=d/e f/@g,h;i.tfstate",
    );
}

/// Only http: the `s3` backend of Terraform refuses a key with `//` itself.
#[test]
fn a_key_with_a_doubled_slash_is_a_key_of_its_own() {
    is_a_key_of_its_own(Http, "team//network.tfstate", "team/network.tfstate");
}

/// Two states whose keys only a careless server takes for one.
fn is_a_key_of_its_own(backend: Backend, key: &str, neighbour: &str) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, key);
    let other = BackendConfig::new(backend, neighbour);
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["apply", "-auto-approve"]);
    let elsewhere = world.project("b", &other, &THING.replace("first", "neighbour"));
    assert!(
        elsewhere.run(&["state", "list"]).stdout.is_empty(),
        "the neighbour starts empty"
    );
    elsewhere.ok(&["apply", "-auto-approve"]);

    assert_eq!(terraform.ok(&["output", "-raw", "thing"]).stdout, "first");
    assert_eq!(elsewhere.ok(&["output", "-raw", "thing"]).stdout, "neighbour");
    assert!(world.is_unlocked(&config) && world.is_unlocked(&other));
    if backend != Http {
        let listed = world
            .server
            .client()
            .send(&Request::new("GET", "/tfstate?list-type=2", ""))
            .text();
        let escaped = key.replace('&', "&amp;");
        assert!(
            listed.contains(&format!("<Key>{escaped}</Key>")),
            "{escaped} is not in {listed}"
        );
    }
}

fn a_workspace_lives_under_the_env_prefix_and_under_no_other_spelling(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "network.tfstate");
    let terraform = world.project("a", &config, THING);
    terraform.ok(&["workspace", "new", "blue"]);
    terraform.ok(&["apply", "-auto-approve"]);

    let mut client = world.server.client();
    let mut status = |path: &str| client.send(&Request::new("GET", path, "")).status;
    assert_eq!(status("/tfstate/env%3A/blue/network.tfstate"), 200);
    assert_eq!(status("/tfstate/env%253A/blue/network.tfstate"), 404);
    assert_eq!(status("/tfstate/env%3A/blue//network.tfstate"), 404);
    assert_eq!(status("/tfstate/env%3A/red/../blue/network.tfstate"), 404);
}

fn a_workspace_key_prefix_of_the_users_own_is_kept(backend: Backend) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "network.tfstate");
    let own = "backend \"s3\" {\nworkspace_key_prefix = \"teams/of mine\"";
    let terraform = world.directory("a");
    terraform.write(
        "main.tf",
        config.hcl(&world.server).replace("backend \"s3\" {", own) + THING,
    );
    terraform.ok(&["init"]);
    terraform.ok(&["workspace", "new", "blue"]);
    terraform.ok(&["apply", "-auto-approve"]);

    let listed = terraform.ok(&["workspace", "list"]).stdout;
    assert_eq!(
        listed.split_whitespace().collect::<Vec<_>>(),
        ["default", "*", "blue"]
    );
    let moved = BackendConfig::new(backend, "teams/of mine/blue/network.tfstate");
    assert!(!world.stored(&moved).is_empty());
}
