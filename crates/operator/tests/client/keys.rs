//! Where the key comes from: every source that AWS's clients know, and which comes first.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::stub::{Asked, Stub, answer, client_of};

const OK: &str = "<VersioningConfiguration/>";

/// A home with these shared files.
fn home(config: &str, credentials: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".aws/sso/cache")).unwrap();
    fs::write(home.path().join(".aws/config"), config).unwrap();
    fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    home
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The access key id, and the session, that a request is signed with.
fn signed(asked: &Asked) -> (&str, &str) {
    let authorization = asked.header("authorization");
    let id = authorization
        .split("Credential=")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    (id.unwrap_or_default(), asked.header("x-amz-security-token"))
}

/// What the last request was signed with, of a client in this environment.
async fn last_key(stub: &Stub, variables: &[(&str, &str)], profile: Option<&str>) -> (String, String) {
    client_of(variables, profile)
        .get_bucket_versioning("tfstate")
        .await
        .unwrap();
    let asked = stub.asked().pop().unwrap();
    let (id, token) = signed(&asked);
    (id.to_owned(), token.to_owned())
}

fn assumed(id: &str) -> String {
    let key = format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
    );
    answer(
        200,
        "",
        &format!("<AssumeRoleResponse><AssumeRoleResult>{key}</AssumeRoleResult></AssumeRoleResponse>"),
    )
}

fn pair(id: &str, token: &str) -> (String, String) {
    (id.to_owned(), token.to_owned())
}

#[tokio::test]
async fn the_environment_comes_first_unless_a_profile_is_named() {
    let stub = Stub::start([OK, OK, OK].map(|body| answer(200, "", body)));
    let config = format!(
        "[profile p]\nendpoint_url = {0}\n[default]\nendpoint_url = {0}\n",
        stub.endpoint
    );
    let home = home(
        &config,
        "[p]\naws_access_key_id = PROFILE\naws_secret_access_key = s\naws_session_token = st\n",
    );
    let variables = [
        ("HOME", text(home.path())),
        ("AWS_ACCESS_KEY_ID", "ENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_PROFILE", "p"),
    ];
    assert_eq!(last_key(&stub, &variables, None).await, pair("ENVIRONMENT", ""));
    assert_eq!(
        last_key(&stub, &variables, Some("p")).await,
        pair("PROFILE", "st")
    );
    let elsewhere = [&variables[..], &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]].concat();
    assert_eq!(
        last_key(&stub, &elsewhere, Some("p")).await,
        pair("PROFILE", "st"),
        "the endpoint is the profile's"
    );
}

#[tokio::test]
async fn a_role_is_assumed_with_the_key_of_its_source_profile_and_once() {
    let stub = Stub::start([assumed("ROLE"), answer(200, "", OK), answer(200, "", OK)]);
    let config = format!(
        "[profile base]\n[profile r]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\nexternal_id = e/1\n\
         endpoint_url = {}\n",
        stub.endpoint
    );
    let home = home(
        &config,
        "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n",
    );
    let client = client_of(&[("HOME", text(home.path()))], Some("r"));
    client.get_bucket_versioning("tfstate").await.unwrap();
    client.get_bucket_versioning("tfstate").await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(signed(&asked[0]), ("BASE", ""));
    let form = asked[0].text();
    assert!(
        form.contains("Action=AssumeRole&") && form.contains("ExternalId=e%2F1"),
        "{form}"
    );
    assert_eq!(
        (signed(&asked[1]), signed(&asked[2])),
        (("ROLE", "t"), ("ROLE", "t"))
    );
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_a_role_without_a_signature() {
    let stub = Stub::start([assumed("WEB"), answer(200, "", OK)]);
    let home = home("", "");
    let token = home.path().join("token");
    fs::write(&token, "jwt.of.ci\n").unwrap();
    let variables = [
        ("HOME", text(home.path())),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/ci"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", text(&token)),
        ("AWS_ENDPOINT_URL", &stub.endpoint),
    ];
    assert_eq!(last_key(&stub, &variables, None).await, pair("WEB", "t"));
    let asked = stub.asked();
    assert_eq!(asked[0].header("authorization"), "");
    assert!(
        asked[0].text().ends_with("WebIdentityToken=jwt%2Eof%2Eci"),
        "{}",
        asked[0].text()
    );
}

#[tokio::test]
async fn a_sign_in_through_sso_gives_a_key() {
    let issued = r#"{"roleCredentials":{"accessKeyId":"SSO","secretAccessKey":"s","sessionToken":"t","expiration":4102444800000}}"#;
    let stub = Stub::start([answer(200, "", issued), answer(200, "", OK)]);
    let config = format!(
        "[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = admin\nendpoint_url = {}\n\
         [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example\n",
        stub.endpoint
    );
    let home = home(&config, "");
    // The file is called after the SHA-1 of `corp`.
    let cache = home
        .path()
        .join(".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json");
    let variables = [
        ("HOME", text(home.path())),
        ("AWS_ENDPOINT_URL_SSO", stub.endpoint.as_str()),
    ];
    let refused = client_of(&variables, Some("s"))
        .get_bucket_versioning("tfstate")
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("aws sso login --profile s"),
        "{refused}"
    );
    fs::write(
        &cache,
        r#"{"accessToken":"secret-token","expiresAt":"2100-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    assert_eq!(last_key(&stub, &variables, Some("s")).await, pair("SSO", "t"));
    let asked = stub.asked();
    assert_eq!(asked[0].header("x-amz-sso_bearer_token"), "secret-token");
    assert_eq!(
        asked[0].line,
        "GET /federation/credentials?role_name=admin&account_id=1 HTTP/1.1"
    );
}

#[tokio::test]
async fn a_process_a_container_and_an_instance_give_keys_too() {
    let issued = |id: &str| {
        answer(
            200,
            "",
            &format!(
                r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}}"#
            ),
        )
    };
    let ok = || answer(200, "", OK);
    let stub = Stub::start([
        ok(),
        issued("CONTAINER"),
        ok(),
        answer(200, "", "imds-token"),
        answer(200, "", "role-name\n"),
        issued("INSTANCE"),
        ok(),
    ]);
    let config = format!(
        "[profile p]\nendpoint_url = {}\ncredential_process = echo '{{\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}}'\n",
        stub.endpoint
    );
    let home = home(&config, "");
    assert_eq!(
        last_key(&stub, &[("HOME", text(home.path()))], Some("p")).await,
        pair("PROCESS", "")
    );

    let agent = format!("{}/creds", stub.endpoint);
    let variables = [
        ("AWS_ENDPOINT_URL", stub.endpoint.as_str()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token"),
    ];
    assert_eq!(last_key(&stub, &variables, None).await, pair("CONTAINER", "t"));
    assert_eq!(stub.asked()[1].header("authorization"), "agent-token");

    let variables = [
        ("AWS_ENDPOINT_URL", stub.endpoint.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &stub.endpoint),
    ];
    assert_eq!(last_key(&stub, &variables, None).await, pair("INSTANCE", "t"));
    assert_eq!(stub.asked()[5].header("x-aws-ec2-metadata-token"), "imds-token");
}

#[tokio::test]
async fn who_has_no_key_is_told_where_one_was_looked_for_and_no_secret_is_shown() {
    let ring = "[profile a]\nrole_arn = x\nsource_profile = b\n[profile b]\nrole_arn = y\nsource_profile = a\n\
                [profile mfa]\nrole_arn = x\nsource_profile = k\nmfa_serial = m\n[profile bad]\ncredential_process = echo hush\n\
                [profile far]\nrole_arn = x\ncredential_source = Moon\n";
    let home = home(ring, "[k]\naws_access_key_id = K\naws_secret_access_key = hush\n");
    let said = async |profile: Option<&str>| {
        let client = client_of(&[("HOME", text(home.path()))], profile);
        let refused = client.get_bucket_versioning("tfstate").await.unwrap_err();
        assert!(!format!("{refused} {refused:?} {client:?}").contains("hush"));
        refused.to_string()
    };
    assert!(said(None).await.contains("AWS_ACCESS_KEY_ID"));
    assert!(said(Some("a")).await.contains("ring of source_profile"));
    assert!(
        said(Some("mfa"))
            .await
            .contains("export-credentials --profile mfa")
    );
    assert!(
        said(Some("bad"))
            .await
            .contains("credential_process did not answer")
    );
    assert!(said(Some("far")).await.contains("credential_source = Moon"));
}

#[tokio::test]
async fn a_container_agent_elsewhere_is_not_asked_without_tls() {
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/creds"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let refused = client_of(&variables, None)
        .get_bucket_versioning("tfstate")
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("over TLS or on this machine"),
        "{refused}"
    );
}
