//! `--tls-self-signed`: every client of a first try gets through, and no other server does.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tidelock_testkit::{
    Backend, BackendConfig, Hermetic, Output, Request, Terraform, TestServer, hold_until_released,
};

use crate::{
    common::{BINARY, Serving, command, tidelock},
    server,
    wire::{ask, connect, shown},
};

#[test]
fn terraform_locks_and_saves_over_tls_through_every_backend() {
    let Some(binary) = Terraform::find() else { return };
    let (server, hermetic) = (server(), Hermetic::new());
    for backend in [Backend::LockFile, Backend::Table, Backend::Http] {
        let name = format!("{backend:?}");
        let config = BackendConfig::new(backend, &format!("{name}.tfstate"));
        let terraform = Terraform::new(&binary, &hermetic, &server, &name);
        terraform.write("backend.tf", config.hcl(&server));
        terraform.write("main.tf", hold_until_released());
        let _ = terraform.ok(&["init"]);
        let applying = terraform.start(&["apply", "-auto-approve"]);
        terraform.wait_for("started");
        let data = server.data();
        let locks = tidelock(&hermetic, &["locks", "--data", data.to_str().unwrap()]).succeeded();
        assert!(
            locks.stdout.contains(&format!("tfstate/{name}.tfstate")),
            "{}",
            locks.text()
        );
        terraform.write("release", "");
        let _ = applying.finish().succeeded();
        let again = terraform.ok(&["plan", "-detailed-exitcode"]);
        assert!(again.stdout.contains("No changes"), "{}", again.text());
    }
}

#[test]
fn boto3_and_the_aws_cli_work_over_tls() {
    let Some(python) = tidelock_testkit::python() else {
        return;
    };
    let (server, hermetic) = (server(), Hermetic::new());
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/python/tests");
    let mut pytest = hermetic.command(python, &hermetic.workdir("pytest"));
    pytest
        .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"])
        .args(["test_aws_cli.py", "test_identity.py", "test_dynamodb_items.py"].map(|file| tests.join(file)))
        // No certificate is for every bucket below `localhost`.
        .args(["-k", "not host_name"])
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .env("AWS_CA_BUNDLE", server.ca())
        .env("AWS_DEFAULT_REGION", tidelock_testkit::REGION)
        .env("AWS_ACCESS_KEY_ID", &server.credentials().access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &server.credentials().secret_access_key);
    let output = Output::of(pytest).succeeded();
    assert!(output.stdout.contains(" passed"), "{}", output.text());
}

#[test]
fn env_tells_whom_to_trust_and_without_that_nobody_is_spoken_to() {
    let (server, hermetic) = (server(), Hermetic::new());
    let (data, ca) = (server.data(), server.ca());
    let env = tidelock(&hermetic, &["env", "--data", data.to_str().unwrap()]).succeeded();
    assert!(
        env.stdout
            .contains(&format!("export AWS_CA_BUNDLE={}\n", ca.display())),
        "{}",
        env.stdout
    );
    let key = server.credentials();
    let remote = |bundle: Option<&Path>, endpoint: &str| {
        let mut command = command(&hermetic, &["locks"]);
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
        if let Some(bundle) = bundle {
            command.env("AWS_CA_BUNDLE", bundle);
        }
        Output::of(command)
    };
    let trusting = remote(Some(&ca), server.endpoint()).succeeded();
    assert!(
        trusting.stdout.contains("Nothing is locked"),
        "{}",
        trusting.text()
    );
    let localhost = server.endpoint().replace("127.0.0.1", "localhost");
    let _ = remote(Some(&ca), &localhost).succeeded();
    let other = self::server();
    let wrong = remote(Some(&other.ca()), server.endpoint()).with_status(2);
    for word in ["cannot prove to be that server", "UnknownIssuer", "AWS_CA_BUNDLE"] {
        assert!(wrong.stderr.contains(word), "{}", wrong.stderr);
    }
    let plain = remote(None, &server.endpoint().replace("https", "http")).failed();
    assert!(!plain.stderr.contains(&key.secret_access_key));
}

#[test]
fn a_profile_carries_the_authority_to_terraform_and_to_tidelock() {
    let Some(binary) = Terraform::find() else { return };
    let (server, hermetic) = (server(), Hermetic::new());
    let data = server.data();
    let _ = tidelock(&hermetic, &["profile", "--data", data.to_str().unwrap()]).succeeded();
    let config = fs::read_to_string(hermetic.home().join(".aws/config")).unwrap();
    assert!(
        config.contains(&format!("ca_bundle = {}\n", server.ca().display())),
        "{config}"
    );
    let _ = tidelock(&hermetic, &["locks", "--profile", "tidelock"]).succeeded();

    let dir = hermetic.workdir("by-profile");
    fs::write(
        dir.join("main.tf"),
        "terraform {\n backend \"s3\" {\n bucket = \"tfstate\"\n key = \"p.tfstate\"\n region = \"us-east-1\"\n \
         use_lockfile = true\n profile = \"tidelock\"\n }\n}\noutput \"x\" { value = 1 }\n",
    )
    .unwrap();
    for arguments in [&["init"][..], &["apply", "-auto-approve"]] {
        let mut terraform = hermetic.command(&binary, &dir);
        terraform.args(arguments);
        let _ = Output::of(terraform).succeeded();
    }
    let mut history = hermetic.command(BINARY, &dir);
    history.arg("history");
    let history = Output::of(history).succeeded();
    assert!(history.stdout.contains("apply"), "{}", history.text());
}

#[test]
fn a_restart_shows_the_same_certificate_and_nobody_else_can_read_the_keys() {
    let mut server = server();
    let before = shown(&connect(server.authority(), &server.ca(), None).unwrap());
    for (file, mode) in [("", 0o700), ("ca.key", 0o600), ("server.key", 0o600)] {
        let path = server.data().join("tls").join(file);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode,
            "{file}"
        );
    }
    server.kill9();
    server.restart();
    let after = connect(server.authority(), &server.ca(), None).unwrap();
    assert_eq!(shown(&after), before);
}

#[test]
fn a_damaged_certificate_is_made_anew_by_the_same_authority() {
    let mut server = server();
    let authority = fs::read(server.ca()).unwrap();
    for damage in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        server.kill9();
        fs::write(server.data().join("tls/server.pem"), damage).unwrap();
        server.restart_elsewhere();
        connect(server.authority(), &server.ca(), None).unwrap();
        assert_eq!(fs::read(server.ca()).unwrap(), authority);
    }
}

#[test]
fn the_greeting_tells_strangers_whom_to_trust_at_each_start() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    for _ in 0..2 {
        let place = data.to_str().unwrap();
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-self-signed",
            "--data",
            place,
        ];
        let serving = Serving::of(command(&hermetic, &arguments), place);
        assert!(
            serving.endpoint.starts_with("https://127.0.0.1:"),
            "{}",
            serving.first_line
        );
        let (status, told, log) = serving.stop();
        assert_eq!(status, 0, "{log}");
        let ca = data.join("tls/ca.pem");
        for line in [
            format!("export AWS_CA_BUNDLE={}", ca.display()),
            format!(
                "export TF_HTTP_CLIENT_CA_CERTIFICATE_PEM=\"$(cat {})\"",
                ca.display()
            ),
        ] {
            assert!(told.contains(&line), "{told}");
        }
    }
}

#[test]
fn an_idle_server_with_tls_is_small() {
    const IDLE_BYTES_MAX: u64 = 40 << 20;
    let server: TestServer = server();
    let mut stream = connect(server.authority(), &server.ca(), None).unwrap();
    let bytes = server.client().signed_bytes(&Request::new("GET", "/", ""));
    assert_eq!(ask(&mut stream, &bytes).unwrap().status, 200);
    let resident = server.memory().resident;
    assert!(resident <= IDLE_BYTES_MAX, "{resident} bytes");
}
