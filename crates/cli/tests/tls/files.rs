//! Certificate, key and the clients' authority from files, which change while the server runs.

use std::{fs, time::Instant};

use tidelock_testkit::{Backend, BackendConfig, Hermetic, Output, Request, Terraform, TestServer};

use crate::{
    authority::{Authority, Pair},
    common::{BINARY, command, tidelock},
    wire::{PATIENCE, ask, connect, shown},
};

const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

fn until(what: &str, server: &TestServer, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so: {what}\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn list(server: &TestServer) -> Vec<u8> {
    server.client().signed_bytes(&Request::new("GET", "/", ""))
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let hermetic = Hermetic::new();
    let (old, new) = (
        Authority::new(&hermetic.workdir("tls"), "old"),
        Authority::new(&hermetic.workdir("tls"), "new"),
    );
    let pair = old.sign("server", &HOSTS);
    let server = TestServer::start_with(BINARY, &pair.settings(None));
    let mut open = connect(server.authority(), &old.ca(), None).unwrap();
    assert_eq!(ask(&mut open, &list(&server)).unwrap().status, 200);
    new.sign("server", &HOSTS).replace(&pair);
    until("the new one is shown", &server, || {
        connect(server.authority(), &new.ca(), None).is_ok()
    });
    let refused = connect(server.authority(), &old.ca(), None).unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    assert_eq!(ask(&mut open, &list(&server)).unwrap().status, 200, "it goes on");
}

#[test]
fn a_broken_new_pair_leaves_the_old_one_and_the_log_says_why() {
    let hermetic = Hermetic::new();
    let authority = Authority::new(&hermetic.workdir("tls"), "ca");
    let pair = authority.sign("server", &HOSTS);
    let other = authority.sign("other", &HOSTS);
    let server = TestServer::start_with(BINARY, &pair.settings(None));
    let first = shown(&connect(server.authority(), &authority.ca(), None).unwrap());
    let kept = fs::read(&pair.cert).unwrap();
    for (broken, hint) in [
        (
            fs::read(&other.cert).unwrap(),
            "is not the one of the certificate in",
        ),
        (b"no certificate".to_vec(), "holds no certificate in PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
            "cannot be used",
        ),
    ] {
        fs::write(&pair.cert, broken).unwrap();
        until(hint, &server, || server.log().contains(hint));
        let still = connect(server.authority(), &authority.ca(), None).unwrap();
        assert_eq!(shown(&still), first, "{hint}");
    }
    fs::remove_file(&pair.cert).unwrap();
    until("it is missed", &server, || server.log().contains("No such file"));
    fs::write(&pair.cert, kept).unwrap();
    until("it is read again", &server, || {
        server.log().contains("was read anew")
    });
    let again = connect(server.authority(), &authority.ca(), None).unwrap();
    assert_eq!(shown(&again), first);
    for secret in [&pair.key, &other.key] {
        let key = fs::read_to_string(secret).unwrap();
        assert!(!server.log().contains(key.lines().nth(1).unwrap()));
    }
}

#[test]
fn a_start_without_a_usable_pair_fails_and_says_why() {
    let hermetic = Hermetic::new();
    let authority = Authority::new(&hermetic.workdir("tls"), "ca");
    let (pair, other) = (authority.sign("server", &HOSTS), authority.sign("other", &HOSTS));
    let nowhere = hermetic.workdir("tls").join("nowhere.pem");
    let wrong = |cert: &std::path::Path, key: &std::path::Path, hint: &str| {
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            cert,
            "--tls-key",
            key,
        ];
        let refused = tidelock(&hermetic, &arguments).with_status(2);
        assert!(refused.stderr.contains(hint), "{}", refused.stderr);
    };
    wrong(&nowhere, &pair.key, "nowhere.pem: No such file");
    wrong(&pair.cert, &other.key, "is not the one of the certificate in");
    wrong(&pair.cert, &pair.cert, "holds no private key in PEM");
    wrong(&pair.key, &pair.key, "holds no certificate in PEM");
    let half = tidelock(&hermetic, &["serve", "--tls-cert", "x.pem"]).with_status(2);
    assert!(half.stderr.contains("--tls-key"), "{}", half.stderr);
}

/// A server that lets nobody in without a certificate of `clients`.
fn strict(authority: &Authority, clients: &Authority) -> (TestServer, Pair) {
    let pair = authority.sign("server", &HOSTS);
    let settings = pair.settings(Some(&clients.ca()));
    (TestServer::start_with(BINARY, &settings), clients.sign("ci", &[]))
}

#[test]
fn only_clients_with_a_certificate_of_the_authority_are_let_in() {
    let hermetic = Hermetic::new();
    let dir = hermetic.workdir("tls");
    let (authority, clients) = (Authority::new(&dir, "ca"), Authority::new(&dir, "clients"));
    let (server, known) = strict(&authority, &clients);
    let stranger = authority.sign("stranger", &[]);
    let asked = |own: Option<&Pair>| {
        let mut stream = connect(server.authority(), &authority.ca(), own)?;
        ask(&mut stream, &list(&server))
    };
    assert_eq!(asked(Some(&known)).unwrap().status, 200);
    for (own, alert) in [(None, "CertificateRequired"), (Some(&stranger), "alert")] {
        let refused = asked(own).unwrap_err();
        assert!(refused.to_string().contains(alert), "{refused}");
    }
}

#[test]
fn terraform_and_tidelock_show_their_certificates() {
    let Some(binary) = Terraform::find() else { return };
    let hermetic = Hermetic::new();
    let dir = hermetic.workdir("tls");
    let (authority, clients) = (Authority::new(&dir, "ca"), Authority::new(&dir, "clients"));
    let (server, known) = strict(&authority, &clients);
    let config = BackendConfig::new(Backend::Http, "mutual.tfstate");
    let work = hermetic.workdir("mutual");
    fs::write(
        work.join("main.tf"),
        config.hcl(&server) + "output \"x\" { value = 1 }\n",
    )
    .unwrap();
    let pem = |path: &std::path::Path| fs::read_to_string(path).unwrap();
    let terraform = |arguments: &[&str], own: bool| {
        let mut command = hermetic.command(&binary, &work);
        command
            .args(arguments)
            .env("TF_HTTP_USERNAME", &server.credentials().access_key_id)
            .env("TF_HTTP_PASSWORD", &server.credentials().secret_access_key)
            .env("TF_HTTP_RETRY_MAX", "0")
            .env("TF_HTTP_CLIENT_CA_CERTIFICATE_PEM", pem(&authority.ca()));
        if own {
            command
                .env("TF_HTTP_CLIENT_CERTIFICATE_PEM", pem(&known.cert))
                .env("TF_HTTP_CLIENT_PRIVATE_KEY_PEM", pem(&known.key));
        }
        Output::of(command)
    };
    let _ = terraform(&["init"], true).succeeded();
    let _ = terraform(&["apply", "-auto-approve"], true).succeeded();
    let refused = terraform(&["apply", "-auto-approve"], false).failed();
    assert!(
        refused.flowing().contains("certificate required"),
        "{}",
        refused.text()
    );

    let locks = |own: bool| {
        let data = server.data();
        let mut command = command(&hermetic, &["locks", "--data", data.to_str().unwrap()]);
        command.env("AWS_CA_BUNDLE", authority.ca());
        if own {
            command
                .env("TIDELOCK_CLIENT_CERT", &known.cert)
                .env("TIDELOCK_CLIENT_KEY", &known.key);
        }
        Output::of(command)
    };
    let _ = locks(true).succeeded();
    let refused = locks(false).failed();
    assert!(
        refused.stderr.contains("TIDELOCK_CLIENT_CERT"),
        "{}",
        refused.stderr
    );
}

#[test]
fn commands_beside_a_server_find_it_by_the_name_in_its_certificate() {
    let hermetic = Hermetic::new();
    let authority = Authority::new(&hermetic.workdir("tls"), "ca");
    let pair = authority.sign("server", &["*.example.com", "state.tidelock.invalid"]);
    let (cert, key) = (pair.cert.to_str().unwrap(), pair.key.to_str().unwrap());
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        cert,
        "--tls-key",
        key,
        "--data",
        place,
    ];
    let serving = crate::common::Serving::of(command(&hermetic, &arguments), place);
    assert!(
        serving.endpoint.starts_with("https://state.tidelock.invalid:"),
        "{}",
        serving.endpoint
    );
    let mut locks = command(&hermetic, &["locks", "--data", place]);
    locks.env("AWS_CA_BUNDLE", authority.ca());
    let _ = Output::of(locks).succeeded();
}
