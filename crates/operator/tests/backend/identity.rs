//! As whom: roles, tokens, encryption, and the endpoints of all services.

use tidelock_operator::{
    aws::{Role, Token},
    backend::Backend,
};

use super::{Project, s3};

const ARN: &str = "arn:aws:iam::123456789012:role/states";

fn role(found: &Backend) -> &Role {
    assert_eq!(found.wanted.roles.len(), 1);
    &found.wanted.roles[0]
}

#[test]
fn a_role_is_assumed_with_all_that_the_block_says_of_it() {
    let block = s3(&format!(
        "assume_role = {{\n role_arn = \"{ARN}\"\n session_name = \"ci\"\n external_id = \"x\"\n duration = \"1h30m\"\n \
         policy = \" {{}} \"\n policy_arns = [\"p1\", \"p2\"]\n source_identity = \"me\"\n tags = {{ b = \"2\", \"a c\" = \"1\" }}\n \
         transitive_tag_keys = [\"b\"]\n}}"
    ));
    let text = |text: &str| Some(text.to_owned());
    let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
    let expected = Role {
        arn: ARN.to_owned(),
        session_name: text("ci"),
        external_id: text("x"),
        duration_seconds: text("5400"),
        policy: text("{}"),
        policy_arns: list(&["p1", "p2"]),
        tags: vec![
            ("a c".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ],
        transitive_tag_keys: list(&["b"]),
        source_identity: text("me"),
    };
    let project = Project::block(&block);
    assert_eq!(role(&project.find()), &expected);
    let older = s3(&format!(
        "role_arn = \"{ARN}\"\n session_name = \"ci\"\n external_id = \"x\"\n assume_role_duration_seconds = 5400\n \
         assume_role_policy = \"{{}}\"\n assume_role_policy_arns = [\"p1\", \"p2\"]\n \
         assume_role_tags = {{ b = \"2\", \"a c\" = \"1\" }}\n assume_role_transitive_tag_keys = [\"b\"]"
    ));
    let expected = Role {
        source_identity: None,
        ..expected
    };
    assert_eq!(role(&Project::block(&older).find()), &expected);
}

#[test]
fn a_role_that_init_recorded_is_assumed_and_one_that_was_changed_is_refused() {
    let config = format!(
        r#"{{"bucket": "states", "key": "net/a.tfstate", "assume_role": {{"role_arn": "{ARN}", "duration": "15m", "tags": null}}}}"#
    );
    let recorded = |block: &str| Project::block(block).recorded("s3", &config);
    let found = recorded("backend \"s3\" {}").find();
    assert_eq!(
        (
            role(&found).arn.as_str(),
            role(&found).duration_seconds.as_deref()
        ),
        (ARN, Some("900"))
    );
    let fault = recorded(&s3("assume_role = { role_arn = \"other\" }")).fault();
    assert!(
        fault.starts_with(&format!(
            "main.tf:6 sets assume_role.role_arn to \"other\", but init recorded \"{ARN}\" in"
        )),
        "{fault}"
    );
}

#[test]
fn durations_are_as_go_writes_them() {
    let with = |duration: &str| {
        Project::block(&s3(&format!(
            "assume_role = {{ role_arn = \"{ARN}\", duration = \"{duration}\" }}"
        )))
    };
    for (duration, seconds) in [
        ("1h", "3600"),
        ("900s", "900"),
        ("0.5h", "1800"),
        ("20m1500ms", "1201"),
    ] {
        let found = with(duration).find();
        assert_eq!(
            role(&found).duration_seconds.as_deref(),
            Some(seconds),
            "{duration}"
        );
    }
    for duration in ["1", "h", "1 h", "1d", "-1h", "1h1", "9999999999h"] {
        let fault = with(duration).fault();
        assert!(fault.starts_with("main.tf:6: duration is "), "{fault}");
    }
}

#[test]
fn a_token_takes_the_place_of_a_key() {
    let web = |more: &str| {
        let block = s3(&format!(
            "assume_role_with_web_identity = {{ role_arn = \"{ARN}\", {more} }}"
        ));
        Project::block(&block).set("WHERE", "tokens")
    };
    let project = web("web_identity_token_file = \"$WHERE/ci\"");
    let found = project.find().wanted.web_identity.unwrap();
    assert_eq!(found.role.arn, ARN);
    let Token::File(file) = found.token else {
        panic!("a file was named")
    };
    assert_eq!(file, project.path().join("tokens/ci").display().to_string());
    let found = web("web_identity_token = \"hush\"").find();
    assert!(!format!("{found:?}").contains("hush"), "{found:?}");
    assert!(matches!(found.wanted.web_identity.unwrap().token, Token::Text(token) if *token == "hush"));
    let fault = web("session_name = \"x\"").fault();
    assert!(
        fault.starts_with("main.tf:6: it has neither web_identity_token nor"),
        "{fault}"
    );
}

#[test]
fn every_service_is_where_the_nearest_word_puts_it() {
    let project = Project::block(&s3(
        "endpoints = { dynamodb = \"http://block-d:1\" }\nsts_endpoint = \"http://block-sts:1\"",
    ))
    .set("AWS_ENDPOINT_URL_STS", "http://variable-sts:1")
    .set("AWS_IAM_ENDPOINT", "http://variable-iam:1")
    .set("AWS_PROFILE", "p");
    project.write(
        "home/.aws/config",
        "[profile p]\nendpoint_url = http://profile:1\nservices = s\n[services s]\nkms =\n  endpoint_url = http://profile-kms:1\n\
         iam =\n  endpoint_url = http://profile-iam:1\n",
    );
    let found = project.find();
    let endpoints: Vec<_> = found
        .wanted
        .endpoints
        .iter()
        .map(|(service, url)| format!("{service} {url}"))
        .collect();
    assert_eq!(
        endpoints,
        [
            "dynamodb http://block-d:1",
            "iam http://variable-iam:1",
            "kms http://profile-kms:1",
            "s3 http://profile:1",
            "sts http://block-sts:1"
        ]
    );
    let ignored = project.set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE").find();
    let services: Vec<_> = ignored.wanted.endpoints.into_keys().collect();
    assert_eq!(services, ["dynamodb", "iam", "sts"]);
}

#[test]
fn a_named_profile_does_not_hide_the_variables_of_endpoints() {
    let project = Project::block(&s3("profile = \"p\"")).set("AWS_ENDPOINT_URL", "http://all:1");
    project.write("home/.aws/config", "[profile p]\nregion = p-1\n");
    let wanted = project.find().wanted;
    assert_eq!(wanted.profile.as_deref(), Some("p"));
    assert_eq!(wanted.region.as_deref(), Some("p-1"));
    assert_eq!(
        (wanted.endpoints["s3"].as_str(), wanted.endpoints["sts"].as_str()),
        ("http://all:1", "http://all:1")
    );
    // A profile that is merely selected is no reason to pass over the keys of the environment.
    let selected = Project::block(&s3("")).set("AWS_PROFILE", "p").find();
    assert_eq!(
        (selected.wanted.profile, selected.profile.as_deref()),
        (None, Some("p"))
    );
}

#[test]
fn certificates_and_the_place_of_the_bucket_are_as_the_block_says() {
    let project = Project::block(&s3(
        "custom_ca_bundle = \"~/$${WHO}.pem\"\nforce_path_style = true",
    ))
    .set("WHO", "ca")
    .set("AWS_CA_BUNDLE", "other.pem");
    let wanted = project.find().wanted;
    assert_eq!(wanted.ca_bundle.unwrap(), project.path().join("home/ca.pem"));
    assert_eq!(wanted.path_style, Some(true));
    let project = Project::block(&s3("use_path_style = false"))
        .set("WHO", "ca")
        .set("AWS_CA_BUNDLE", "$WHO/$/other.pem");
    let wanted = project.find().wanted;
    assert_eq!(wanted.ca_bundle.unwrap(), project.path().join("ca/$/other.pem"));
    assert_eq!(wanted.path_style, Some(false));
    assert_eq!(Project::block(&s3("")).find().wanted.path_style, None);
}

#[test]
fn what_is_written_is_encrypted_as_terraform_asks_for_it() {
    let put = |more: &str| Project::block(&s3(more)).find().encryption.headers_of_put();
    let named = |headers: &[(&'static str, String)]| {
        headers
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}: {value}",
                    name.trim_start_matches("x-amz-server-side-encryption")
                )
            })
            .collect::<Vec<_>>()
    };
    assert!(put("").is_empty());
    assert!(put("kms_key_id = \"k\"").is_empty());
    assert_eq!(named(&put("encrypt = true")), [": AES256"]);
    assert_eq!(
        named(&put("encrypt = true\nkms_key_id = \"k\"\nacl = \"private\"")),
        [": aws:kms", "-aws-kms-key-id: k", "x-amz-acl: private"]
    );
    let customer = format!("encrypt = true\nsse_customer_key = \"{}=\"", "A".repeat(43));
    let found = Project::block(&s3(&customer)).find().encryption;
    assert!(found.is_by_customer() && !format!("{found:?}").contains("AAAA"));
    assert_eq!(found.headers_of_get(), found.headers_of_put());
    // The MD5 of 32 zero bytes.
    assert_eq!(found.headers_of_get()[2].1, "cLyPS3KoaSFGi/joRB3OUQ==");
}

#[test]
fn arguments_are_told_with_their_places_and_what_is_not_followed_is_said() {
    let found = Project::block(&s3(
        "versioning = true\nhttp_proxy = \"http://p:1\"\ninsecure = false",
    ))
    .config("region=eu-1")
    .find();
    let arguments: Vec<_> = found
        .arguments
        .iter()
        .map(|argument| argument.name.as_str())
        .collect();
    assert_eq!(
        arguments,
        ["bucket", "http_proxy", "insecure", "key", "region", "versioning"]
    );
    assert!(found.arguments[5].at.to_string().ends_with("main.tf:6"));
    assert!(found.arguments.iter().all(|argument| !argument.computed));
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].ends_with(
        "main.tf:7: http_proxy is not followed here; Terraform may take another way than this command"
    ));
    assert_eq!(
        (found.key.as_str(), found.workspace_prefix.as_str()),
        ("net/a.tfstate", "env:")
    );
}
