//! Buckets: those of another Tidelock, which is an S3 endpoint like any other.

use std::process::Stdio;

use tidelock_testkit::{Output, Request};

use crate::{
    KEYS,
    common::command,
    world,
    world::{World, state, without_deletions},
};

/// Gives `world` a profile that names `other`, as `tidelock profile` writes it.
fn with_profile(world: &World, other: &World) {
    let mut profile = command(&world.hermetic, &["profile", "--name", "other"]);
    profile
        .arg("--data")
        .arg(other.server.data())
        .stdin(Stdio::null());
    let _ = Output::of(profile).succeeded();
}

#[test]
fn a_history_goes_through_a_bucket_with_its_times_numbers_writers_and_deletions() {
    let (world, other, third) = (world(), World::new(), World::new());
    other.aws_mb("copies");
    with_profile(&world, &other);
    with_profile(&third, &other);
    let to = ["export", "--to", "s3://copies", "--to-profile", "other"];
    // The one that goes back is refused by the guard of the Tidelock at the other end, as any client's write is.
    let refused = world.says(&to, 1).stderr;
    assert!(
        refused.contains("PutObject s3://copies/history.json") && refused.contains("serial"),
        "{refused}"
    );
    let keys = KEYS.iter().filter(|key| **key != "history.json");
    for key in keys.clone() {
        let _ = world.says(
            &[
                "export",
                &format!("tfstate/{key}"),
                "--to",
                "s3://copies",
                "--to-profile",
                "other",
            ],
            0,
        );
    }
    let from = [
        "import",
        "s3://copies",
        "--from-profile",
        "other",
        "--into",
        "tfstate",
        "--json",
    ];
    let done = third.json(&from);
    for key in keys.clone() {
        assert_eq!(
            without_deletions(third.history(key)),
            without_deletions(world.history(key)),
            "{key}"
        );
        assert_eq!(third.bodies(key), world.bodies(key), "{key}");
    }
    let again = third.json(&from);
    assert_eq!((&again["copied"], &again["there"]), (&0.into(), &done["copied"]));
    for key in keys {
        assert_eq!(
            without_deletions(third.history(key)),
            without_deletions(world.history(key)),
            "{key}"
        );
    }
}

#[test]
fn an_export_to_a_bucket_goes_on_where_it_ended() {
    let (mut world, other) = (World::new(), World::new());
    other.aws_mb("copies");
    with_profile(&world, &other);
    world.put("a", &state(1, "l"));
    world.put("a/b", &state(1, "l"));
    let to = [
        "export",
        "tfstate",
        "--to",
        "s3://copies/of/",
        "--to-profile",
        "other",
        "--json",
    ];
    assert_eq!(world.json(&to)["copied"], 2);
    world.put("a", &state(2, "l"));
    world.delete("a/b");
    let done = world.json(&to);
    assert_eq!((&done["copied"], &done["there"]), (&1.into(), &2.into()));
    assert_eq!(world.json(&to)["copied"], 0);
    let listing = other
        .server
        .client()
        .send(&Request::new("GET", "/copies?versions", ""))
        .text();
    assert_eq!(
        (
            listing.matches("<Version>").count(),
            listing.matches("<DeleteMarker>").count()
        ),
        (3, 1)
    );
    assert!(listing.contains("<Key>of/a/b</Key>"), "{listing}");
}

#[test]
fn a_bucket_that_keeps_no_versions_is_refused_but_for_the_newest() {
    let (mut world, other) = (World::new(), World::new());
    let mut client = other.server.client();
    assert_eq!(client.send(&Request::new("PUT", "/plain", "")).status, 200);
    with_profile(&world, &other);
    world.put("a", &state(1, "l"));
    let to = ["export", "--to", "s3://plain", "--to-profile", "other"];
    let said = world.says(&to, 1).stderr;
    assert!(
        said.contains("put-bucket-versioning --bucket plain") && said.contains("--current"),
        "{said}"
    );
    let current = [&to[..], &["--current", "--json"]].concat();
    assert_eq!(world.json(&current)["copied"], 1);
    assert_eq!(world.json(&current)["there"], 1);
    world.put("a", &state(2, "l"));
    assert_eq!(world.json(&current)["copied"], 1);
    assert_eq!(
        client
            .send(&Request::new("PUT", "/plain/a", state(9, "l")))
            .status,
        200
    );
    let said = world.says(&current, 7).stderr;
    assert!(said.contains("s3://plain/a holds other versions"), "{said}");
}

#[test]
fn objects_of_the_target_that_are_none_of_the_state_stay_as_they_are() {
    let (mut world, mut other) = (World::new(), World::new());
    with_profile(&world, &other);
    world.put("a", &state(1, "l"));
    other.put("a", b"somebody's own");
    let said = world
        .says(&["export", "--to", "s3://tfstate", "--to-profile", "other"], 7)
        .stderr;
    assert!(said.contains("s3://tfstate/a holds other versions"), "{said}");
}

#[test]
fn objects_of_the_source_that_are_no_states_stay_where_they_are() {
    let (world, mut other) = (World::new(), World::new());
    with_profile(&world, &other);
    let from = ["import", "s3://tfstate", "--from-profile", "other", "--json"];
    let said = world.says(&from, 7).stderr;
    assert!(said.contains("s3://tfstate/ holds no states"), "{said}");
    other.put("notes.txt", b"hello");
    other.put("mixed", b"first no state");
    other.put("mixed", &state(1, "l"));
    other.lock("locked");
    let done = world.json(&from);
    assert_eq!((&done["copied"], &done["states"]), (&1.into(), &1.into()));
    assert_eq!(world.history("mixed").len(), 1);
    assert!(world.history("notes.txt").is_empty());
}

#[test]
fn states_of_several_buckets_are_not_mixed() {
    let (mut world, other) = (World::new(), World::new());
    with_profile(&world, &other);
    world.aws_mb("second");
    world.put("a", &state(1, "l"));
    let put = Request::new("PUT", "/second/a", state(1, "l"));
    assert_eq!(world.server.client().send(&put).status, 200);
    let said = world
        .says(&["export", "--to", "s3://tfstate", "--to-profile", "other"], 2)
        .stderr;
    assert!(said.contains("2 buckets (second, tfstate)"), "{said}");
}

#[test]
fn the_server_itself_is_not_taken_for_the_bucket_of_somebody_else() {
    let mut world = World::new();
    world.put("a", &state(1, "l"));
    for arguments in [
        &["export", "--to", "s3://tfstate"][..],
        &["import", "s3://tfstate"],
    ] {
        let mut command = command(&world.hermetic, arguments);
        let key = world.server.credentials();
        command
            .env("AWS_ENDPOINT_URL", world.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
        let output = Output::of(command).failed();
        assert!(
            output.stderr.contains("is the Tidelock server itself"),
            "{}",
            output.stderr
        );
    }
}
