//! The AWS files after `inspect` and `apply`: ours is there, and everything else is what it was.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tidelock_operator::{
    ini::{self, Change},
    profile::{self, ProfileError, Wanted},
};

struct Home {
    _dir: tempfile::TempDir,
    config: PathBuf,
    credentials: PathBuf,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (config, credentials) = (
            dir.path().join(".aws/config"),
            dir.path().join(".aws/credentials"),
        );
        Self {
            _dir: dir,
            config,
            credentials,
        }
    }

    fn with(config: &str, credentials: &str) -> Self {
        let home = Self::new();
        fs::create_dir(home.config.parent().unwrap()).unwrap();
        fs::write(&home.config, config).unwrap();
        fs::write(&home.credentials, credentials).unwrap();
        home
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            name: "tidelock",
            endpoint: "http://127.0.0.1:9470",
            ca_bundle: None,
            access_key_id: "AKIAEXAMPLE",
            secret_access_key: "very-secret",
            config: &self.config,
            credentials: &self.credentials,
            force: false,
        }
    }

    fn find(&self, name: &str) -> profile::Profile {
        let files = [self.config.clone(), self.credentials.clone()];
        profile::find(name, &files[..1], &files[1..]).unwrap()
    }

    fn config(&self) -> String {
        fs::read_to_string(&self.config).unwrap()
    }

    fn credentials(&self) -> String {
        fs::read_to_string(&self.credentials).unwrap()
    }
}

fn changes(plan: &profile::Plan) -> Vec<Change> {
    plan.files
        .iter()
        .flat_map(|file| file.sections.iter().map(|(_, change)| *change))
        .collect()
}

const CONFIG: &str = "\
[profile tidelock]
# written by `tidelock profile`: run it again to update, or delete this section
region = us-east-1
services = tidelock

[services tidelock]
# written by `tidelock profile`: run it again to update, or delete this section
s3 =
  endpoint_url = http://127.0.0.1:9470
dynamodb =
  endpoint_url = http://127.0.0.1:9470
sts =
  endpoint_url = http://127.0.0.1:9470
";

const CREDENTIALS: &str = "\
[tidelock]
# written by `tidelock profile`: run it again to update, or delete this section
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = very-secret
";

#[test]
fn files_that_were_not_there_are_made_for_their_owner_only() {
    let home = Home::new();
    let plan = profile::inspect(&home.wanted()).unwrap();
    assert!(!home.config.exists() && plan.files.iter().all(|file| file.creates && file.is_needed()));
    profile::apply(&plan).unwrap();
    assert_eq!(
        (home.config(), home.credentials()),
        (CONFIG.to_owned(), CREDENTIALS.to_owned())
    );
    for path in [&home.config, &home.credentials] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let home = Home::new();
    profile::apply(&profile::inspect(&home.wanted()).unwrap()).unwrap();
    let again = profile::inspect(&home.wanted()).unwrap();
    assert_eq!(changes(&again), [Change::None; 3]);
    assert!(again.files.iter().all(|file| !file.is_needed()));
}

#[test]
fn what_stands_around_our_sections_stays_byte_for_byte() {
    let before =
        "# my accounts\n[default]\nregion=eu-central-1\n\n\n; work\n[profile work]\nrole_arn = arn:x";
    let home = Home::with(before, "[default]\naws_access_key_id = AKIAOTHER\n");
    profile::apply(&profile::inspect(&home.wanted()).unwrap()).unwrap();
    assert_eq!(home.config(), format!("{before}\n\n{CONFIG}"));
    assert_eq!(
        home.credentials(),
        format!("[default]\naws_access_key_id = AKIAOTHER\n\n{CREDENTIALS}")
    );
}

#[test]
fn a_new_endpoint_is_put_in_place_and_the_users_additions_stay() {
    let mine = CONFIG.replace("region = us-east-1\n", "output = json\nregion = us-east-1\n");
    let home = Home::with(
        &format!("{mine}\n# the next one\n[profile work]\nregion = x\n"),
        CREDENTIALS,
    );
    let wanted = Wanted {
        endpoint: "http://127.0.0.1:9999",
        ca_bundle: None,
        ..home.wanted()
    };
    let plan = profile::inspect(&wanted).unwrap();
    assert_eq!(changes(&plan), [Change::None, Change::None, Change::Update]);
    profile::apply(&plan).unwrap();
    let expected = mine.replace(":9470", ":9999");
    assert_eq!(
        home.config(),
        format!("{expected}\n# the next one\n[profile work]\nregion = x\n")
    );
}

#[test]
fn lines_of_a_file_with_carriage_returns_end_alike() {
    let home = Home::with("[default]\r\nregion = x\r\n", "");
    profile::apply(&profile::inspect(&home.wanted()).unwrap()).unwrap();
    assert_eq!(
        home.config(),
        format!("[default]\r\nregion = x\r\n\r\n{}", CONFIG.replace('\n', "\r\n"))
    );
    assert_eq!(
        changes(&profile::inspect(&home.wanted()).unwrap()),
        [Change::None; 3]
    );
}

#[test]
fn a_profile_that_is_not_ours_is_refused_with_its_line_and_nothing_is_written() {
    let theirs = "[default]\nregion = x\n[ profile   \"tidelock\" ] # mine\nrole_arn = arn:x\n";
    let home = Home::with(theirs, "");
    let refused = profile::inspect(&home.wanted()).unwrap_err();
    assert!(
        matches!(&refused, ProfileError::NotOurs { line: 3, header, .. } if header == "profile tidelock")
    );
    assert!(refused.to_string().contains("--force"));
    assert_eq!(
        (home.config(), home.credentials()),
        (theirs.to_owned(), String::new())
    );
}

#[test]
fn force_replaces_the_whole_section_and_only_that() {
    let home = Home::with(
        "[profile tidelock]\nrole_arn = arn:x\n\n[profile work]\nregion = x\n",
        CREDENTIALS,
    );
    let plan = profile::inspect(&Wanted {
        force: true,
        ..home.wanted()
    })
    .unwrap();
    assert_eq!(changes(&plan), [Change::None, Change::Replace, Change::Add]);
    profile::apply(&plan).unwrap();
    let (profile, services) = CONFIG.split_once("\n\n").unwrap();
    assert_eq!(
        home.config(),
        format!("{profile}\n\n[profile work]\nregion = x\n\n{services}")
    );
}

#[test]
fn a_section_that_is_there_twice_is_refused_even_with_force() {
    let home = Home::with("[services tidelock]\n[services tidelock]\n", "");
    let refused = profile::inspect(&Wanted {
        force: true,
        ..home.wanted()
    })
    .unwrap_err();
    assert!(matches!(
        refused,
        ProfileError::Twice {
            first: 1,
            second: 2,
            ..
        }
    ));
}

#[test]
fn a_credentials_file_that_others_can_read_is_tightened_and_a_config_file_keeps_its_mode() {
    let home = Home::with("", CREDENTIALS);
    for path in [&home.config, &home.credentials] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let plan = profile::inspect(&home.wanted()).unwrap();
    assert_eq!(
        plan.files.iter().map(|file| file.tightens).collect::<Vec<_>>(),
        [true, false]
    );
    profile::apply(&plan).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&home.credentials), mode(&home.config)), (0o600, 0o644));
}

#[test]
fn a_file_changed_after_the_inspection_is_not_overwritten() {
    let home = Home::with("", CREDENTIALS);
    let plan = profile::inspect(&home.wanted()).unwrap();
    fs::write(&home.config, "[profile new]\n").unwrap();
    assert!(matches!(profile::apply(&plan), Err(ProfileError::Changed { .. })));
    assert_eq!(home.config(), "[profile new]\n");
}

#[test]
fn the_plan_does_not_show_secrets() {
    let home = Home::new();
    let shown = format!("{:?}", profile::inspect(&home.wanted()).unwrap());
    assert!(shown.contains("profile tidelock") && !shown.contains("very-secret"));
}

#[test]
fn names_that_would_need_quoting_are_refused() {
    let home = Home::new();
    for name in ["", "two words", "a]b", "a\nb", "é"] {
        let refused = profile::inspect(&Wanted {
            name,
            ..home.wanted()
        })
        .unwrap_err();
        assert!(matches!(refused, ProfileError::Name(_)), "{name:?}");
    }
}

#[test]
fn a_value_is_read_from_its_own_section() {
    let text = "[a]\nkey = 1\n[b]\n# key = 2\nkey=3\nnested =\n  key = 4\n";
    assert_eq!(ini::value(text, "a", "key"), Some("1"));
    assert_eq!(ini::value(text, "b", "key"), Some("3"));
    assert_eq!(
        (ini::value(text, "b", "nested"), ini::value(text, "c", "key")),
        (None, None)
    );
}

#[test]
fn what_was_written_is_found_again() {
    let home = Home::new();
    profile::apply(&profile::inspect(&home.wanted()).unwrap()).unwrap();
    let found = home.find("tidelock");
    let keys = found.keys.unwrap();
    assert_eq!(found.endpoint.as_deref(), Some("http://127.0.0.1:9470"));
    assert_eq!(
        [keys.access_key_id, keys.secret_access_key],
        ["AKIAEXAMPLE", "very-secret"]
    );
}

#[test]
fn a_profile_is_found_in_each_of_the_forms_that_awss_tools_read() {
    let keys = "aws_access_key_id = A\naws_secret_access_key = B\n";
    let other = "[services other]\ns3 =\n  endpoint_url = http://other:1\n";
    for (config, credentials) in [
        ("[profile x]\nendpoint_url = http://h:1\n", format!("[x]\n{keys}")),
        (
            &format!("[profile x]\nendpoint_url = http://h:1\n{keys}"),
            String::new(),
        ),
        (
            "[profile x]\nservices = s\nendpoint_url = http://all:1\n[services s]\nsts =\n  endpoint_url = http://sts:1\n\
             s3 =\n  max_attempts = 3\n  endpoint_url = http://h:1\n",
            format!("[x]\n{keys}"),
        ),
    ] {
        let home = Home::with(&format!("{other}{config}{other}"), &credentials);
        let found = home.find("x");
        assert_eq!(found.endpoint.as_deref(), Some("http://h:1"), "{config}");
        assert_eq!(found.keys.unwrap().access_key_id, "A", "{config}");
    }
}

#[test]
fn a_profile_without_endpoint_or_key_has_none() {
    let key = "[x]\naws_access_key_id = A\naws_secret_access_key = B\n";
    let endpoint = "[profile x]\nendpoint_url = http://h:1\n";
    for (config, credentials, has_endpoint, has_key) in [
        ("", "", false, false),
        ("[profile x]\nregion = r\n", key, false, true),
        ("[profile y]\nendpoint_url = http://h:1\n", key, false, true),
        (
            "[profile x]\nservices = s\n[services s]\nsts =\n  endpoint_url = http://h:1\n",
            key,
            false,
            true,
        ),
        (endpoint, "[x]\naws_access_key_id = A\n", true, false),
        (
            endpoint,
            "[y]\naws_access_key_id = A\naws_secret_access_key = B\n",
            true,
            false,
        ),
        (
            endpoint,
            "[x]\naws_access_key_id = A\naws_secret_access_key =\n",
            true,
            false,
        ),
    ] {
        let found = Home::with(config, credentials).find("x");
        let has = (found.endpoint.is_some(), found.keys.is_some());
        assert_eq!(has, (has_endpoint, has_key), "{config}{credentials}");
    }
    let found = Home::new().find("x");
    assert!(found.endpoint.is_none() && found.keys.is_none());
}

#[test]
fn of_several_files_the_last_that_says_something_counts() {
    let home = Home::with("[profile x]\nregion = first\nendpoint_url = http://first:1\n", "");
    let (second, third) = (
        home.config.with_file_name("second"),
        home.config.with_file_name("third"),
    );
    fs::write(&second, "[profile x]\nendpoint_url = http://second:1\n").unwrap();
    fs::write(&third, "[profile y]\nendpoint_url = http://third:1\n").unwrap();
    let configs = [home.config.clone(), second, third];
    let found = profile::find("x", &configs, &[]).unwrap();
    assert_eq!(found.endpoint.as_deref(), Some("http://second:1"));
    assert_eq!(found.region.as_deref(), Some("first"));
}

#[test]
fn a_file_of_aws_that_has_no_end_is_not_read_to_it() {
    let fault = profile::find("x", &["/dev/zero".into()], &[]).unwrap_err();
    assert!(fault.to_string().contains("/dev/zero"), "{fault}");
}
