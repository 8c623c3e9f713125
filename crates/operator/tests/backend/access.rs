//! Which server and which key, by block, variable and profile.

use tidelock_operator::{backend::Kind, keys::Keys};

use super::{Project, S3, s3};

/// A home in which two profiles say something.
fn at_home(project: Project) -> Project {
    project.write(
        "home/.aws/config",
        "[default]\nregion = default-1\nendpoint_url = http://default:1\n[profile p]\nservices = p\nregion = p-1\n\
         [services p]\ns3 =\n  endpoint_url = http://p:1\n",
    );
    project.write(
        "home/.aws/credentials",
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = hush\n\
         [p]\naws_access_key_id = P\naws_secret_access_key = hush\naws_session_token = hush\n",
    );
    project
}

fn in_environment(project: Project) -> Project {
    project
        .set("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
        .set("AWS_SECRET_ACCESS_KEY", "hush")
}

fn key(project: &Project) -> Option<String> {
    project.find().keys.map(|keys: Keys| keys.access_key_id)
}

fn endpoint(project: &Project) -> Option<String> {
    project.find().endpoint
}

#[test]
fn nothing_but_a_block_means_aws_itself() {
    let found = Project::block(S3).find();
    assert_eq!(found.kind, Kind::S3);
    assert_eq!(
        (found.endpoint, found.region, found.profile, found.keys),
        (None, None, None, None)
    );
    assert!(!found.lock_file && found.table.is_none());
    assert!(found.wanted.endpoints.is_empty() && found.wanted.roles.is_empty());
    assert!(found.wanted.config_files[0].ends_with("home/.aws/config"));
    assert!(found.wanted.credentials_files[0].ends_with("home/.aws/credentials"));
}

#[test]
fn the_endpoint_is_the_blocks_then_the_variables_then_the_profiles() {
    let mut project = at_home(Project::block(S3));
    assert_eq!(endpoint(&project).unwrap(), "http://default:1");
    for (name, value) in [
        ("AWS_PROFILE", "http://p:1"),
        ("AWS_ENDPOINT_URL", "http://all:1"),
        ("AWS_S3_ENDPOINT", "http://old:1"),
        ("AWS_ENDPOINT_URL_S3", "http://s3:1"),
    ] {
        project = project.set(name, if name == "AWS_PROFILE" { "p" } else { value });
        assert_eq!(endpoint(&project).unwrap(), value);
    }
    let project = project.config("endpoint=http://block:1");
    assert_eq!(endpoint(&project).unwrap(), "http://block:1");
    let project = project.config("endpoints={s3=\"http://nested:1\"}");
    assert_eq!(endpoint(&project).unwrap(), "http://nested:1");
}

#[test]
fn the_key_is_the_blocks_then_that_of_its_profile_then_the_variables_then_the_default_profiles() {
    let mine = "access_key = \"BLOCK\"\nsecret_key = \"hush\"";
    let everywhere = |block: &str| in_environment(at_home(Project::block(block)));
    assert_eq!(key(&everywhere(&s3(mine))).unwrap(), "BLOCK");
    assert_eq!(key(&everywhere(&s3("profile = \"p\""))).unwrap(), "P");
    assert_eq!(
        key(&everywhere(S3).set("AWS_PROFILE", "p")).unwrap(),
        "ENVIRONMENT"
    );
    assert_eq!(
        key(&at_home(Project::block(S3)).set("AWS_PROFILE", "p")).unwrap(),
        "P"
    );
    assert_eq!(key(&at_home(Project::block(S3))).unwrap(), "DEFAULT");
    // Terraform does not fall back on other keys when the profile that the block names has none.
    assert_eq!(key(&everywhere(&s3("profile = \"none\""))), None);
}

#[test]
fn a_key_from_elsewhere_is_not_meant_for_the_endpoint_of_a_block() {
    let block = |more: &str| Project::block(&s3(&format!("endpoint = \"http://states:1\"\n{more}")));
    let is_meant = |project: Project| project.find().keys_are_meant;
    assert!(!is_meant(in_environment(block(""))));
    assert!(!is_meant(at_home(block(""))));
    assert!(!is_meant(at_home(block("profile = \"p\""))));
    let of_block = "access_key = \"BLOCK\"\nsecret_key = \"hush\"";
    assert!(is_meant(in_environment(block(of_block))));
    assert!(is_meant(
        in_environment(block("")).set("AWS_ENDPOINT_URL", "http://states:1")
    ));
    assert!(is_meant(at_home(Project::block(S3))));
}

#[test]
fn half_a_key_is_refused_as_terraform_refuses_it() {
    for half in ["access_key = \"HALF\"", "secret_key = \"hush\""] {
        let fault = in_environment(Project::block(&s3(half))).fault();
        assert!(fault.starts_with("main.tf:6: a key has two halves"), "{fault}");
    }
}

#[test]
fn a_session_belongs_to_the_key_of_its_own_source() {
    let project = at_home(Project::block(&s3("profile = \"p\"")));
    assert_eq!(
        project.find().keys.unwrap().session_token.as_deref(),
        Some("hush")
    );
    let project = in_environment(Project::block(S3)).set("AWS_SESSION_TOKEN", "token");
    assert_eq!(
        project.find().keys.unwrap().session_token.as_deref(),
        Some("token")
    );
}

#[test]
fn no_secret_is_in_what_is_printed_of_a_backend() {
    let block = s3("access_key = \"BLOCK\"\nsecret_key = \"hush\"\ntoken = \"hush\"");
    let shown = format!("{:?}", Project::block(&block).find());
    assert!(shown.contains("BLOCK") && !shown.contains("hush"), "{shown}");
}

#[test]
fn the_files_of_aws_are_the_blocks_then_the_variables() {
    let block = s3(
        "profile = \"x\"\nshared_config_files = [\"aws/first\", \"~/second\"]\nshared_credentials_file = \"aws/keys\"",
    );
    let project = Project::block(&block);
    project.write(
        "aws/first",
        "[profile x]\nregion = first\nendpoint_url = http://first:1\n",
    );
    project.write("home/second", "[profile x]\nregion = second\n");
    project.write(
        "aws/keys",
        "[x]\naws_access_key_id = X\naws_secret_access_key = hush\n",
    );
    let found = project.find();
    assert_eq!(
        (found.endpoint.as_deref(), found.region.as_deref()),
        (Some("http://first:1"), Some("second"))
    );
    assert_eq!(found.keys.unwrap().access_key_id, "X");
    let elsewhere = Project::block(&s3("profile = \"x\""))
        .set(
            "AWS_CONFIG_FILE",
            &project.path().join("aws/first").display().to_string(),
        )
        .set(
            "AWS_SHARED_CREDENTIALS_FILE",
            &project.path().join("aws/keys").display().to_string(),
        );
    assert_eq!(endpoint(&elsewhere).unwrap(), "http://first:1");
    assert_eq!(key(&elsewhere).unwrap(), "X");
}

#[test]
fn regions_and_tables_are_told() {
    let block = s3("dynamodb_table = \"locks\"\ndynamodb_endpoint = \"http://d:1\"\nuse_lockfile = true");
    let found = Project::block(&block).set("AWS_DEFAULT_REGION", "d-1").find();
    assert_eq!(found.table.as_deref(), Some("locks"));
    assert_eq!(found.wanted.endpoints["dynamodb"], "http://d:1");
    assert_eq!(found.region.as_deref(), Some("d-1"));
    assert!(found.lock_file);
}

fn http(url: &str) -> Project {
    Project::block(&format!("backend \"http\" {{\n address = \"{url}\"\n}}"))
}

#[test]
fn over_http_the_address_is_the_path_of_the_url() {
    for (url, endpoint, address) in [
        (
            "http://127.0.0.1:9470/state/states/a.tfstate",
            "http://127.0.0.1:9470",
            "states/a.tfstate",
        ),
        (
            "https://h/state/states/a%20b/%C3%BC//c?x=y#z",
            "https://h",
            "states/a b/ü//c",
        ),
        (
            "http://[::1]:80/state/states/env:/x/y",
            "http://[::1]:80",
            "states/env:/x/y",
        ),
    ] {
        let found = http(url).find();
        assert_eq!(found.kind, Kind::Http);
        assert_eq!(
            (found.endpoint.as_deref(), found.address.to_string().as_str()),
            (Some(endpoint), address)
        );
        assert_eq!(found.keys, None);
    }
}

#[test]
fn over_http_the_key_is_user_and_password() {
    let from_url = http("http://ME:hu%2Fsh@h:1/state/states/k").find();
    assert_eq!(from_url.endpoint.as_deref(), Some("http://h:1"));
    let keys = from_url.keys.unwrap();
    assert_eq!(
        (keys.access_key_id.as_str(), keys.secret_access_key.as_str()),
        ("ME", "hu/sh")
    );
    let project = http("http://ME:hush@h:1/state/states/k")
        .set("TF_HTTP_USERNAME", "VARIABLE")
        .set("TF_HTTP_PASSWORD", "hush");
    assert_eq!(key(&project).unwrap(), "VARIABLE");
    assert_eq!(
        key(&project.config("username=BLOCK").config("password=hush")).unwrap(),
        "BLOCK"
    );
}

#[test]
fn over_http_the_variable_names_the_address_where_the_block_does_not() {
    let project = Project::block("backend \"http\" {}").set("TF_HTTP_ADDRESS", "http://h:1/state/states/k");
    assert_eq!(project.address(), "states/k");
    let recorded = project.recorded(
        "http",
        r#"{"address": null, "username": "ME", "password": "hush"}"#,
    );
    assert_eq!(
        (recorded.address().as_str(), key(&recorded).unwrap().as_str()),
        ("states/k", "ME")
    );
    assert!(
        Project::block("backend \"http\" {}")
            .fault()
            .contains("has no address")
    );
}

#[test]
fn a_url_that_is_no_states_is_refused_without_its_password() {
    for url in [
        "http://me:hush@h:1/other/states/k",
        "http://me:hush@h:1",
        "http://me:hush@h:1/state",
        "https://me:hush@gitlab.example/api/v4/projects/1/terraform/state/x",
        "h:1/state/states/k",
    ] {
        let fault = http(url).fault();
        assert!(
            fault.starts_with("main.tf:3: ") && fault.contains("/state/BUCKET/KEY"),
            "{fault}"
        );
        assert!(!fault.contains("hush"), "{fault}");
    }
    let fault = http("http://h:1/state/states").fault();
    assert!(
        fault.starts_with("main.tf:3: an address is written BUCKET/KEY"),
        "{fault}"
    );
    let fault = Project::block("backend \"http\" {}")
        .set("TF_HTTP_ADDRESS", "http://h:1/x")
        .fault();
    assert!(fault.starts_with("TF_HTTP_ADDRESS: "), "{fault}");
}

#[test]
fn over_http_there_are_no_workspaces() {
    let fault = http("http://h:1/state/states/k").set("TF_WORKSPACE", "w").fault();
    assert!(
        fault.contains("has no workspaces, but 'w' is selected"),
        "{fault}"
    );
}
