//! How long, how many: the limits of IAM, one below and one above each.

use tidelock_core::{
    Time,
    iam::{Command, DEFAULT_ACCOUNT, Holder, IamError},
    limits::{
        IAM_ATTACHED_MAX, IAM_INLINE_USER_CHARS_MAX, IAM_KEYS_PER_USER_MAX, IAM_POLICY_CHARS_MAX,
        IAM_POLICY_VERSIONS_MAX,
    },
};

use crate::{ALLOW, World, key, of_ann, policy, policy_arn, role, trust, user};

/// A policy of this many characters that count.
fn document_of(chars: usize) -> String {
    let rest = chars - ALLOW.len() - "\"Id\":\"\",".len();
    ALLOW.replacen('{', &format!("{{\"Id\":\"{}\",", "x".repeat(rest)), 1)
}

fn is_limit(refused: &IamError) -> bool {
    matches!(refused, IamError::LimitExceeded(_))
}

#[test]
fn white_space_does_not_count_towards_the_size_of_a_policy() {
    let mut world = World::default();
    let of = |name: &str, document: String| match policy(name) {
        Command::CreatePolicy {
            path,
            name,
            description,
            tags,
            ..
        } => Command::CreatePolicy {
            path,
            name,
            description,
            document,
            tags,
        },
        other => other,
    };
    let longest = document_of(IAM_POLICY_CHARS_MAX);
    let spaced = longest.replacen(',', &format!(",{}", " ".repeat(5_000)), 1);
    world.ask(&of("a", longest)).unwrap();
    world.ask(&of("b", spaced)).unwrap();
    let refused = world.refuses(&of("c", document_of(IAM_POLICY_CHARS_MAX + 1)));
    assert_eq!(refused.to_string(), "Cannot exceed quota for PolicySize: 6144");
}

#[test]
fn a_user_has_two_keys_ten_policies_and_so_much_of_its_own() {
    let mut world = World::with(&[user("ann")]);
    for number in 0..IAM_KEYS_PER_USER_MAX {
        world.ask(&key("ann", &format!("AKIA{number}"))).unwrap();
    }
    assert!(is_limit(&world.refuses(&key("ann", "AKIA9"))));
    for number in 0..=IAM_ATTACHED_MAX {
        world.ask(&policy(&format!("p{number}"))).unwrap();
    }
    let attach = |number| Command::Attach {
        of: of_ann(),
        arn: policy_arn(&format!("p{number}")),
    };
    for number in 0..IAM_ATTACHED_MAX {
        world.ask(&attach(number)).unwrap();
    }
    assert!(is_limit(&world.refuses(&attach(IAM_ATTACHED_MAX))));
    let inline = |name: &str, chars| Command::PutInline {
        of: of_ann(),
        name: name.to_owned(),
        document: document_of(chars),
    };
    world.ask(&inline("a", IAM_INLINE_USER_CHARS_MAX / 2)).unwrap();
    world.ask(&inline("b", IAM_INLINE_USER_CHARS_MAX / 2)).unwrap();
    assert!(is_limit(&world.refuses(&inline("c", 200))));
    assert!(is_limit(
        &world.refuses(&inline("a", IAM_INLINE_USER_CHARS_MAX / 2 + 1))
    ));
}

#[test]
fn a_policy_has_five_versions() {
    let mut world = World::with(&[policy("states")]);
    let version = Command::CreatePolicyVersion {
        arn: policy_arn("states"),
        document: ALLOW.to_owned(),
        set_default: false,
    };
    for _ in 1..IAM_POLICY_VERSIONS_MAX {
        world.ask(&version).unwrap();
    }
    assert!(is_limit(&world.refuses(&version)));
}

#[test]
fn what_is_no_name_path_or_policy_is_refused_before_anything_is_made() {
    let mut world = World::default();
    for name in ["", "a b", "a/b", "ä", "a\0", &"a".repeat(65)] {
        assert!(
            matches!(world.refuses(&user(name)), IamError::Validation(_)),
            "{name}"
        );
    }
    for path in ["", "ci", "/ci", "ci/", "/c i/"] {
        let command = Command::CreateUser {
            path: path.to_owned(),
            name: "ann".to_owned(),
            tags: Vec::new(),
        };
        assert!(
            matches!(world.refuses(&command), IamError::Validation(_)),
            "{path}"
        );
    }
    world.ask(&user("ann")).unwrap();
    for document in [
        "",
        "{}",
        "no JSON",
        &trust("\"*\""),
        &ALLOW.replace("Allow", "Perhaps"),
    ] {
        let command = Command::PutInline {
            of: of_ann(),
            name: "p".to_owned(),
            document: document.to_owned(),
        };
        let refused = world.refuses(&command);
        assert!(
            matches!(refused, IamError::MalformedPolicyDocument(_)),
            "{document}: {refused}"
        );
    }
    assert!(matches!(
        world.refuses(&role("ci", ALLOW)),
        IamError::MalformedPolicyDocument(_)
    ));
}

#[test]
fn what_is_not_there_is_named() {
    let mut world = World::with(&[user("ann")]);
    let (nobody, name) = (Holder::Role("nobody".to_owned()), "nobody".to_owned());
    let gone = "p".to_owned();
    for (command, words) in [
        (
            Command::DeleteUser { name: name.clone() },
            "The user with name nobody cannot be found.",
        ),
        (
            Command::DeleteRole { name: name.clone() },
            "The role with name nobody cannot be found.",
        ),
        (
            Command::DeleteInline {
                of: nobody,
                name: gone.clone(),
            },
            "The role with name nobody cannot be found.",
        ),
        (
            Command::DeleteInline {
                of: of_ann(),
                name: gone,
            },
            "The user policy with name p cannot be found.",
        ),
        (
            Command::Detach {
                of: of_ann(),
                arn: policy_arn("p"),
            },
            "Policy arn:aws:iam::000000000000:policy/p was not found.",
        ),
        (
            Command::DeleteAccessKey {
                user: "ann".to_owned(),
                id: "AKIA".to_owned(),
            },
            "The Access Key with id AKIA cannot be found.",
        ),
    ] {
        assert_eq!(world.refuses(&command), IamError::NoSuchEntity(words.to_owned()));
    }
}

#[test]
fn a_key_that_has_ended_before_it_begins_and_a_session_out_of_bounds_are_refused() {
    let mut world = World::with(&[user("ann"), role("ci", &trust("\"*\""))]);
    let ended = Command::CreateAccessKey {
        user: "ann".to_owned(),
        id: "AKIA1".to_owned(),
        sealed: "sealed".to_owned(),
        expires: Some(Time(1)),
    };
    assert!(matches!(world.refuses(&ended), IamError::InvalidInput(_)));
    for seconds in [3_599, 43_201] {
        let command = Command::UpdateRole {
            name: "ci".to_owned(),
            description: None,
            max_session_secs: Some(seconds),
        };
        assert!(
            matches!(world.refuses(&command), IamError::Validation(_)),
            "{seconds}"
        );
    }
    let account = |id: &str| Command::CreateAccount {
        id: id.to_owned(),
        name: "x".to_owned(),
    };
    for id in ["", "12345678901", "12345678901x", "1234567890123"] {
        assert!(
            matches!(world.refuses(&account(id)), IamError::Validation(_)),
            "{id}"
        );
    }
    let again = world.refuses(&account(DEFAULT_ACCOUNT));
    assert!(matches!(again, IamError::EntityAlreadyExists(_)));
}
