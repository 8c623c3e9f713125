//! What a server with TLS does not answer, and a server without it that would be heard too far.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use tidelock_testkit::{Client, Hermetic, Output, Request};

use crate::{
    common::{Serving, command, tidelock},
    server,
    wire::{PATIENCE, ask, connect},
};

#[test]
fn beyond_loopback_a_server_without_tls_does_not_start_and_makes_nothing() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:9470"] {
        let arguments = ["serve", "--listen", listen, "--data", data.to_str().unwrap()];
        let refused = tidelock(&hermetic, &arguments).with_status(2);
        for word in ["--tls-cert", "--tls-self-signed", "--plain-http"] {
            assert!(refused.stderr.contains(word), "{}", refused.stderr);
        }
        assert!(!data.exists());
    }
}

#[test]
fn who_says_that_plain_http_is_meant_is_believed() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let place = data.to_str().unwrap();
    let plain = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--plain-http",
        "--data",
        place,
    ];
    let serving = Serving::of(command(&hermetic, &plain), place);
    assert!(serving.endpoint.starts_with("http://"));
    assert_eq!(serving.stop().0, 0);
    // An address of nobody's machine: what fails is listening, and no longer the question whether to.
    let mut elsewhere = command(
        &hermetic,
        &["serve", "--listen", "192.0.2.7:9470", "--data", place],
    );
    elsewhere.env("TIDELOCK_PLAIN_HTTP", "1");
    let failed = Output::of(elsewhere).with_status(1);
    assert!(
        failed.stderr.contains("cannot listen on 192.0.2.7:9470"),
        "{}",
        failed.stderr
    );
    let both = tidelock(&hermetic, &["serve", "--plain-http", "--tls-self-signed"]).with_status(2);
    assert!(both.stderr.contains("leave one out"), "{}", both.stderr);
}

#[test]
fn plain_http_to_a_tls_server_is_answered_with_a_readable_400() {
    let server = server();
    let mut client = Client::new(server.authority(), server.credentials().clone());
    let answer = client.send(&Request::new("GET", "/tfstate/a", ""));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    // A large body that nobody reads must not throw the answer away.
    let answer = client.send(&Request::new("PUT", "/tfstate/a", vec![b'x'; 3 << 20]));
    assert_eq!(answer.status, 400);
}

#[test]
fn who_speaks_nonsense_or_nothing_is_hung_up_on_and_others_are_served() {
    let server = server();
    let connected = || {
        let stream = TcpStream::connect(server.authority()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let silent = [connected(), connected()];
    let (mut nonsense, mut cut) = (connected(), connected());
    nonsense.write_all(&[0x16, 3, 1, 0xff, 0xff, 0, 0, 0]).unwrap();
    nonsense.write_all(&[0xff; 2_000]).unwrap();
    cut.write_all(&[0x16, 3, 1]).unwrap();
    let mut stream = connect(server.authority(), &server.ca(), None).unwrap();
    let bytes = server.client().signed_bytes(&Request::new("GET", "/", ""));
    assert_eq!(ask(&mut stream, &bytes).unwrap().status, 200);
    for mut stream in silent.into_iter().chain([nonsense, cut]) {
        let mut rest = Vec::new();
        // An alert, an end or a reset, but an end.
        if let Err(why) = stream.read_to_end(&mut rest) {
            assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset, "{why}");
        }
    }
}

#[test]
fn a_refused_upload_is_told_why_over_tls_too() {
    let server = server();
    let stranger = server.stranger();
    let put = Request::new("PUT", "/tfstate/large", vec![b'x'; 8 << 20]);
    let mut stream = connect(server.authority(), &server.ca(), None).unwrap();
    let bytes = stranger.signed_bytes(&put);
    // The server may hang up before all of it is sent.
    let sent = stream.get_mut().write_all(&bytes);
    let answer = tidelock_testkit::read_response(&mut stream, false)
        .unwrap_or_else(|why| panic!("{why}, after {sent:?}"));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "InvalidAccessKeyId")
    );
}
