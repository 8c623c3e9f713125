//! AWS's stand-in: moto's S3 and STS, and a bucket as Terraform has left it there.

use std::fs;

use tidelock_testkit::Store;

use crate::world::{World, state, without_deletions};

/// The profiles `keys`, and `role`, which assumes a role with them.
fn profiles(moto: &Store, world: &World) {
    let home = world.hermetic.home().join(".aws");
    fs::create_dir_all(&home).unwrap();
    let endpoint = format!("region = us-east-1\nendpoint_url = {}\n", moto.endpoint);
    let role = "role_arn = arn:aws:iam::123456789012:role/states\nsource_profile = keys\n";
    fs::write(
        home.join("config"),
        format!("[profile keys]\n{endpoint}[profile role]\n{endpoint}{role}"),
    )
    .unwrap();
    let keys = "[keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n";
    fs::write(home.join("credentials"), keys).unwrap();
}

#[test]
fn what_terraform_has_left_in_a_bucket_of_aws_comes_in_with_history_and_goes_back() {
    let Some(moto) = Store::moto() else { return };
    let (world, other) = (World::new(), World::new());
    profiles(&moto, &world);
    profiles(&moto, &other);
    moto.bucket("old-states");
    for serial in 1..=3 {
        moto.put("old-states", "prod/a%20b.tfstate", state(serial, "l"));
    }
    moto.put("old-states", "prod/notes.txt", b"no state".to_vec());
    moto.put("old-states", "test/x.tfstate", state(1, "x"));

    let from = [
        "import",
        "s3://old-states/prod/",
        "--from-profile",
        "role",
        "--into",
        "tfstate",
        "--json",
    ];
    assert_eq!(world.json(&from)["copied"], 3);
    assert_eq!(world.json(&from)["there"], 3);
    let serials: Vec<_> = world
        .history("prod/a b.tfstate")
        .iter()
        .map(|version| version["serial"].clone())
        .collect();
    assert_eq!(serials, [3, 2, 1]);
    let newest_first = (1..=3)
        .rev()
        .map(|serial| String::from_utf8(state(serial, "l")).unwrap());
    assert_eq!(world.bodies("prod/a b.tfstate"), newest_first.collect::<Vec<_>>());
    assert!(world.history("test/x.tfstate").is_empty());

    moto.bucket("new-states");
    let mut world = world;
    world.put("prod/a b.tfstate", &state(4, "l"));
    // moto lists deletions apart from versions, so that only the last one has a certain place.
    world.delete("prod/a b.tfstate");
    let to = [
        "export",
        "tfstate",
        "--to",
        "s3://new-states",
        "--to-profile",
        "keys",
        "--json",
    ];
    assert_eq!(world.json(&to)["copied"], 4);
    assert_eq!(world.json(&to)["there"], 5);
    let back = [
        "import",
        "s3://new-states",
        "--from-profile",
        "keys",
        "--into",
        "tfstate",
    ];
    other.says(&back, 0);
    let lasting = |world: &World| without_deletions(world.history("prod/a b.tfstate"));
    assert_eq!(lasting(&other), lasting(&world));
    assert_eq!(other.history("prod/a b.tfstate")[0]["deleted"], true);
    assert_eq!(other.bodies("prod/a b.tfstate"), world.bodies("prod/a b.tfstate"));
}
