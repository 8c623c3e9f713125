//! Whom a role trusts: somebody who exists, and nobody who takes the name later.

use tidelock_core::iam::{Command, DEFAULT_ACCOUNT, IamError, Renamed, rename_principal, resolve_principals};

use crate::{World, delete_user, role, trust, user};

const ANN: &str = "arn:aws:iam::000000000000:user/ann";

fn trusted(world: &World, name: &str) -> String {
    world.directory.role(DEFAULT_ACCOUNT, name).unwrap().trust.clone()
}

#[test]
fn a_trust_policy_names_only_who_exists() {
    let mut world = World::with(&[user("ann"), role("base", &trust("\"*\""))]);
    for good in [
        "\"*\"",
        "\"000000000000\"",
        "\"arn:aws:iam::000000000000:root\"",
        "\"arn:aws:iam::000000000000:user/tidelock\"",
        "\"arn:aws:iam::000000000000:user/ann\"",
        "[\"arn:aws:iam::000000000000:role/base\", \"arn:aws:sts::000000000000:assumed-role/base/job\"]",
    ] {
        let (name, trust) = ("base".to_owned(), trust(good));
        world.ask(&Command::UpdateTrust { name, trust }).unwrap();
    }
    for bad in [
        "\"123456789012\"",
        "\"arn:aws:iam::123456789012:root\"",
        "\"arn:aws:iam::000000000000:user/Ann\"",
        "\"arn:aws:iam::000000000000:user/path/ann\"",
        "\"arn:aws:iam::000000000000:role/ann\"",
        "\"arn:aws:sts::000000000000:assumed-role/ann/job\"",
        "\"arn:aws:sts::000000000000:federated-user/ann\"",
        "\"AIDAAAAAAAAAAAAAAAAAA\"",
        "[\"*\", \"arn:aws:iam::000000000000:user/nobody\"]",
    ] {
        let refused = world.refuses(&role("other", &trust(bad)));
        assert!(matches!(refused, IamError::MalformedPolicyDocument(_)), "{bad}");
        assert!(
            refused.to_string().contains("Invalid principal in policy"),
            "{refused}"
        );
    }
}

#[test]
fn who_takes_the_name_of_somebody_deleted_does_not_inherit_the_trust() {
    let mut world = World::with(&[user("ann"), role("ci", &trust(&format!("[\"{ANN}\"]")))]);
    let id = world.directory.user(DEFAULT_ACCOUNT, "ann").unwrap().id.clone();
    let change = world.ask(&delete_user("ann")).unwrap();
    assert_eq!(change.renamed.unwrap().to, id);
    world.ask(&user("ann")).unwrap();
    assert_ne!(world.directory.user(DEFAULT_ACCOUNT, "ann").unwrap().id, id);
    assert!(trusted(&world, "ci").contains(&id) && !trusted(&world, "ci").contains(ANN));
    let (name, again) = ("ci".to_owned(), trusted(&world, "ci"));
    let refused = world.refuses(&Command::UpdateTrust { name, trust: again });
    assert!(
        matches!(refused, IamError::MalformedPolicyDocument(_)),
        "{refused}"
    );
}

#[test]
fn a_deleted_roles_sessions_are_nobodys_either() {
    let session = "\"arn:aws:sts::000000000000:assumed-role/base/job\"";
    let mut world = World::with(&[role("base", &trust("\"*\"")), role("ci", &trust(session))]);
    let id = world.directory.role(DEFAULT_ACCOUNT, "base").unwrap().id.clone();
    let name = "base".to_owned();
    world.ask(&Command::DeleteRole { name }).unwrap();
    assert!(
        trusted(&world, "ci").contains(&format!("\"{id}\"")),
        "{}",
        trusted(&world, "ci")
    );
}

#[test]
fn who_is_renamed_is_trusted_on_under_the_new_name() {
    let mut world = World::with(&[user("ann"), role("ci", &trust(&format!("\"{ANN}\"")))]);
    let rename = Command::UpdateUser {
        name: "ann".to_owned(),
        new_path: Some("/people/".to_owned()),
        new_name: Some("eve".to_owned()),
    };
    world.ask(&rename).unwrap();
    assert!(trusted(&world, "ci").contains("arn:aws:iam::000000000000:user/people/eve"));
    world.ask(&user("ann")).unwrap();
    assert!(!trusted(&world, "ci").contains(ANN));
}

#[test]
fn the_id_of_somebody_who_is_there_becomes_the_arn() {
    let world = World::with(&[user("ann")]);
    let id = &world.directory.user(DEFAULT_ACCOUNT, "ann").unwrap().id;
    let resolved = resolve_principals(&trust(&format!("\"{id}\"")), &world.directory);
    assert!(resolved.unwrap().unwrap().contains(ANN));
}

#[test]
fn an_escape_does_not_hide_a_name_and_only_principals_are_renamed() {
    let renamed = Renamed {
        from: ANN.to_owned(),
        to: "AIDAAAAAAAAAAAAAAAAAA".to_owned(),
        sessions: None,
    };
    let hidden = trust("\"arn:aws:iam::000000000000:user\\/ann\"");
    assert!(rename_principal(&hidden, &renamed).unwrap().contains("AIDA"));
    let elsewhere = trust("\"*\"").replace("\"Action\"", &format!("\"Sid\":\"{ANN}\",\"Action\""));
    assert_eq!(rename_principal(&elsewhere, &renamed), None);
    let not = trust(&format!("[\"{ANN}\"]")).replace("\"Principal\"", "\"NotPrincipal\"");
    assert!(rename_principal(&not, &renamed).unwrap().contains("AIDA"));
}
