//! What comes is not believed: a backup that breaks off, stands still or is none leaves no file.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use tidelock_testkit::{Hermetic, Output, wait_until};

use crate::common;

/// Something that answers one request like this, and closes the connection when `then` returns.
fn server(answer: Vec<u8>, then: impl FnOnce() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        // The client may hang up in the middle.
        let _ = stream.write_all(&answer);
        then();
    });
    endpoint
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        head.push(byte[0]);
    }
}

fn answer(length: usize, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/x-tar\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn backup(hermetic: &Hermetic, endpoint: &str) -> Command {
    let mut command = common::command(hermetic, &["backup", "b.tar"]);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

fn names(hermetic: &Hermetic) -> Vec<String> {
    let entries = std::fs::read_dir(hermetic.workdir("work")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_download_that_breaks_off_leaves_nothing() {
    let hermetic = Hermetic::new();
    let endpoint = server(answer(1_000_000, &[0; 5_000]), || {});
    let output = Output::of(backup(&hermetic, &endpoint));
    assert_eq!(output.status.code(), Some(4), "{}", output.text());
    assert!(names(&hermetic).is_empty(), "{:?}", names(&hermetic));
}

#[test]
fn what_is_no_backup_is_not_kept() {
    let hermetic = Hermetic::new();
    let endpoint = server(answer(5_000, &[0; 5_000]), || {});
    let output = Output::of(backup(&hermetic, &endpoint));
    assert_eq!(output.status.code(), Some(1), "{}", output.text());
    assert!(
        output.stderr.contains("no backup, and was not kept"),
        "{}",
        output.text()
    );
    assert!(names(&hermetic).is_empty(), "{:?}", names(&hermetic));
}

#[test]
fn an_interrupted_backup_leaves_nothing() {
    let hermetic = Hermetic::new();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let endpoint = server(answer(1_000_000, &[0; 5_000]), move || {
        // Until the test is over.
        let _ = wait.recv();
    });
    let mut command = backup(&hermetic, &endpoint);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_until("some of it has come", || {
        let entries = std::fs::read_dir(hermetic.workdir("work")).unwrap();
        entries
            .into_iter()
            .any(|entry| entry.unwrap().metadata().unwrap().len() >= 5_000)
    });
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("stopped"),
        "{output:?}"
    );
    assert!(names(&hermetic).is_empty(), "{:?}", names(&hermetic));
    drop(done);
}
