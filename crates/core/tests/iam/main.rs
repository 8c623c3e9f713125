//! The rules of the IAM directory: what is taken, what is refused and in which words, and who is trusted after whom.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod limits;
mod trust;

use tidelock_core::{
    Time,
    iam::{Change, Command, DEFAULT_ACCOUNT, Directory, Holder, IamError, NewTags, Tagged, change},
};

pub(crate) const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// A directory that commands are asked of, one after the other.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) directory: Directory,
    drawn: u8,
}

impl World {
    pub(crate) fn ask_in(&mut self, account: &str, command: &Command) -> Result<Change, IamError> {
        self.drawn += 1;
        let (now, random) = (Time(i64::from(self.drawn)), [self.drawn; 16]);
        let change = change(&self.directory, account, command, now, random)?;
        self.directory = self.directory.changed(&change);
        Ok(change)
    }

    pub(crate) fn ask(&mut self, command: &Command) -> Result<Change, IamError> {
        self.ask_in(DEFAULT_ACCOUNT, command)
    }

    /// The code of the refusal.
    pub(crate) fn refuses(&mut self, command: &Command) -> IamError {
        let before = self.directory.clone();
        let refused = self.ask(command).unwrap_err();
        assert_eq!(self.directory, before);
        refused
    }

    pub(crate) fn with(commands: &[Command]) -> World {
        let mut world = World::default();
        for command in commands {
            world.ask(command).unwrap();
        }
        world
    }
}

pub(crate) fn user(name: &str) -> Command {
    Command::CreateUser {
        path: "/".to_owned(),
        name: name.to_owned(),
        tags: NewTags::new(),
    }
}

pub(crate) fn role(name: &str, trust: &str) -> Command {
    Command::CreateRole {
        path: "/".to_owned(),
        name: name.to_owned(),
        trust: trust.to_owned(),
        description: String::new(),
        max_session_secs: 3_600,
        tags: NewTags::new(),
    }
}

pub(crate) fn policy(name: &str) -> Command {
    Command::CreatePolicy {
        path: "/".to_owned(),
        name: name.to_owned(),
        description: String::new(),
        document: ALLOW.to_owned(),
        tags: NewTags::new(),
    }
}

pub(crate) fn policy_arn(name: &str) -> String {
    format!("arn:aws:iam::{DEFAULT_ACCOUNT}:policy/{name}")
}

pub(crate) fn key(user: &str, id: &str) -> Command {
    Command::CreateAccessKey {
        user: user.to_owned(),
        id: id.to_owned(),
        sealed: "sealed".to_owned(),
        expires: None,
    }
}

pub(crate) fn of_ann() -> Holder {
    Holder::User("ann".to_owned())
}

pub(crate) fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":{principal}}}}}]}}"#
    )
}

pub(crate) fn delete_user(name: &str) -> Command {
    let name = name.to_owned();
    Command::DeleteUser { name }
}

#[test]
fn names_are_one_whatever_their_case_and_keep_the_case_they_were_made_with() {
    let mut world = World::with(&[user("Ann")]);
    let refused = world.refuses(&user("ANN"));
    assert!(matches!(refused, IamError::EntityAlreadyExists(_)), "{refused}");
    assert_eq!(world.directory.user(DEFAULT_ACCOUNT, "aNN").unwrap().name, "Ann");
    assert!(
        world
            .directory
            .user_of("arn:aws:iam::000000000000:user/ann")
            .is_none()
    );
    assert!(
        world
            .directory
            .user_of("arn:aws:iam::000000000000:user/Ann")
            .is_some()
    );
}

#[test]
fn nobody_else_is_called_as_the_operator() {
    let mut world = World::default();
    let refused = world.refuses(&user("Tidelock"));
    assert!(matches!(refused, IamError::EntityAlreadyExists(_)), "{refused}");
    world.ask(&user("ann")).unwrap();
    let rename = Command::UpdateUser {
        name: "ann".to_owned(),
        new_path: None,
        new_name: Some("tidelock".to_owned()),
    };
    assert!(matches!(world.refuses(&rename), IamError::EntityAlreadyExists(_)));
    let account = Command::CreateAccount {
        id: "123456789012".to_owned(),
        name: "other".to_owned(),
    };
    world.ask(&account).unwrap();
    world.ask_in("123456789012", &user("tidelock")).unwrap();
}

#[test]
fn a_user_goes_only_without_keys_and_policies() {
    let mut world = World::with(&[user("ann"), key("ann", "AKIA1"), policy("states")]);
    let inline = Command::PutInline {
        of: of_ann(),
        name: "own".to_owned(),
        document: ALLOW.to_owned(),
    };
    let (of, arn) = (of_ann(), policy_arn("states"));
    for command in [inline, Command::Attach { of, arn: arn.clone() }] {
        world.ask(&command).unwrap();
    }
    let in_the_way = |world: &mut World, what: &str| {
        let refused = world.refuses(&delete_user("ann")).to_string();
        assert_eq!(refused, format!("Cannot delete entity, must {what}."));
    };
    in_the_way(&mut world, "delete access keys first");
    let (user, id) = ("ann".to_owned(), "AKIA1".to_owned());
    world.ask(&Command::DeleteAccessKey { user, id }).unwrap();
    in_the_way(&mut world, "detach all policies first");
    let (of, delete) = (of_ann(), Command::DeletePolicy { arn: arn.clone() });
    assert!(matches!(world.refuses(&delete), IamError::DeleteConflict(_)));
    world.ask(&Command::Detach { of, arn }).unwrap();
    in_the_way(&mut world, "delete policies first");
    let (of, name) = (of_ann(), "own".to_owned());
    world.ask(&Command::DeleteInline { of, name }).unwrap();
    world.ask(&delete_user("ann")).unwrap();
    world.ask(&delete).unwrap();
    assert_eq!(world.directory, Directory::default());
}

#[test]
fn versions_of_a_policy_count_up_and_the_one_in_force_stays() {
    let mut world = World::with(&[policy("states")]);
    let arn = policy_arn("states");
    let version = |set_default| Command::CreatePolicyVersion {
        arn: arn.clone(),
        document: ALLOW.replace("s3:*", "dynamodb:*"),
        set_default,
    };
    world.ask(&version(true)).unwrap();
    world.ask(&version(false)).unwrap();
    let states = |world: &World| world.directory.policy_of(&arn).unwrap().clone();
    assert_eq!((states(&world).default, states(&world).last), (2, 3));
    assert!(states(&world).document().contains("dynamodb"));
    let delete = |version| Command::DeletePolicyVersion {
        arn: arn.clone(),
        version,
    };
    assert!(matches!(world.refuses(&delete(2)), IamError::DeleteConflict(_)));
    assert!(matches!(world.refuses(&delete(9)), IamError::NoSuchEntity(_)));
    world.ask(&delete(3)).unwrap();
    world.ask(&version(false)).unwrap();
    assert_eq!(states(&world).last, 4, "a number is not used again");
    let gone = world.refuses(&Command::DeletePolicy { arn: arn.clone() });
    assert!(gone.to_string().contains("more than one version"), "{gone}");
    let set = Command::SetDefaultPolicyVersion {
        arn: arn.clone(),
        version: 1,
    };
    world.ask(&set).unwrap();
    assert!(states(&world).document().contains("s3:*"));
}

#[test]
fn only_policies_that_are_there_are_attached_and_those_of_other_accounts_are_not() {
    let mut world = World::with(&[user("ann")]);
    let account = Command::CreateAccount {
        id: "123456789012".to_owned(),
        name: "other".to_owned(),
    };
    world.ask(&account).unwrap();
    world.ask_in("123456789012", &policy("states")).unwrap();
    let attach = |arn: &str| Command::Attach {
        of: of_ann(),
        arn: arn.to_owned(),
    };
    for arn in [
        "arn:aws:iam::123456789012:policy/states",
        "arn:aws:iam::aws:policy/Nonsense",
        "arn:aws:iam::000000000000:policy/states",
        "states",
    ] {
        assert!(
            matches!(world.refuses(&attach(arn)), IamError::NoSuchEntity(_)),
            "{arn}"
        );
    }
    let of_aws = attach("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    world.ask(&of_aws).unwrap();
    assert_eq!(world.ask(&of_aws).unwrap(), Change::default(), "twice is once");
    let change = Command::CreatePolicyVersion {
        arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
        document: ALLOW.to_owned(),
        set_default: true,
    };
    assert!(matches!(world.refuses(&change), IamError::AccessDenied(_)));
}

#[test]
fn a_provider_is_known_by_its_url_and_its_audiences_come_and_go() {
    let provider = |url: &str| Command::CreateProvider {
        url: url.to_owned(),
        client_ids: vec!["sts.amazonaws.com".to_owned()],
        thumbprints: Vec::new(),
        tags: NewTags::new(),
    };
    let mut world = World::with(&[provider("https://gitlab.example/a/")]);
    let arn = "arn:aws:iam::000000000000:oidc-provider/gitlab.example/a".to_owned();
    assert!(world.directory.provider_of(&arn).is_some());
    let again = world.refuses(&provider("https://gitlab.example/a"));
    assert!(matches!(again, IamError::EntityAlreadyExists(_)), "{again}");
    for bad in [
        "http://a.example",
        "https://",
        "a.example",
        "https://a.example?x=y",
    ] {
        let refused = world.refuses(&provider(bad));
        assert!(matches!(refused, IamError::InvalidInput(_)), "{bad}: {refused}");
    }
    let client_id = "other".to_owned();
    let add = Command::AddClientId {
        arn: arn.clone(),
        client_id,
    };
    world.ask(&add).unwrap();
    world.ask(&add).unwrap();
    let known = &world.directory.provider_of(&arn).unwrap().client_ids;
    assert_eq!(known, &["sts.amazonaws.com", "other"]);
    let thumbprints = vec!["not a thumbprint".to_owned()];
    let update = Command::UpdateThumbprints {
        arn: arn.clone(),
        thumbprints,
    };
    assert!(matches!(world.refuses(&update), IamError::Validation(_)));
    world.ask(&Command::DeleteProvider { arn }).unwrap();
    assert_eq!(world.directory, Directory::default());
}

#[test]
fn tags_come_and_go_on_all_that_has_them() {
    let mut world = World::with(&[user("ann"), role("ci", &trust("\"*\"")), policy("states")]);
    let all = [
        Tagged::Holder(of_ann()),
        Tagged::Holder(Holder::Role("ci".to_owned())),
        Tagged::Policy(policy_arn("states")),
    ];
    for of in all.clone() {
        let tags = vec![
            ("team".to_owned(), "a".to_owned()),
            ("stage".to_owned(), String::new()),
        ];
        world.ask(&Command::Tag { of, tags }).unwrap();
    }
    for of in all {
        let keys = vec!["TEAM".to_owned(), "unknown".to_owned()];
        world.ask(&Command::Untag { of, keys }).unwrap();
    }
    let account = world.directory.account(DEFAULT_ACCOUNT).unwrap();
    let tags = [
        &account.users["ann"].tags,
        &account.roles["ci"].tags,
        &account.policies["states"].tags,
    ];
    for tags in tags {
        assert_eq!(tags.keys().collect::<Vec<_>>(), ["stage"]);
    }
}

#[test]
fn commands_come_as_json_save_those_that_carry_a_sealed_secret() {
    let text = serde_json::to_string(&user("ann")).unwrap();
    assert_eq!(text, r#"{"CreateUser":{"path":"/","name":"ann","tags":[]}}"#);
    assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), user("ann"));
    let secret = r#"{"CreateAccessKey":{"user":"ann","id":"AKIA1","sealed":"x","expires":null}}"#;
    assert!(serde_json::from_str::<Command>(secret).is_err());
    assert!(serde_json::to_string(&key("ann", "AKIA1")).is_err());
    let more = r#"{"DeleteUser":{"name":"ann","force":true}}"#;
    assert!(serde_json::from_str::<Command>(more).is_err());
}
