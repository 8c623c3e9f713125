//! How a TLS connection ends, and what that says about the last answer on it: whoever was told keeps the lock.

use std::{
    io::{BufReader, Write},
    time::Instant,
};

use tidelock_testkit::{BUCKET, Request, TestServer, read_response};

use crate::{
    server,
    wire::{PATIENCE, Stream, ask, connect},
};

fn lock(server: &TestServer, key: &str, id: &str, closes: bool) -> Vec<u8> {
    let info = format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Info":"","Who":"alice@one","Version":"1.11.4","Created":"2026-11-21T09:00:00.123456789Z","Path":"{BUCKET}/{key}"}}"#
    );
    let request = Request::new("LOCK", &format!("/state/{BUCKET}/{key}"), info);
    let request = match closes {
        true => request.header("connection", "close"),
        false => request,
    };
    server.client().basic_bytes(&request)
}

fn open(server: &TestServer) -> BufReader<Stream> {
    connect(server.authority(), &server.ca(), None).unwrap()
}

/// The ID of the lock, as the s3 door shows it to a caller of its own.
fn holder(server: &TestServer, key: &str) -> Option<String> {
    let request = Request::new("GET", &format!("/{BUCKET}/{key}.tflock"), "")
        .header("user-agent", "aws-cli/2.0 job/watcher");
    let answer = ask(&mut open(server), &server.client().signed_bytes(&request)).unwrap();
    (answer.status == 200).then(|| answer.json()["ID"].as_str().unwrap().to_owned())
}

fn until_free(server: &TestServer, key: &str) {
    let begun = Instant::now();
    while let Some(id) = holder(server, key) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{id} still holds {key}\n{}",
            server.log()
        );
    }
}

/// Waits until the server's log says that it has dropped the connection from this port, or has nothing of it any more.
fn gone(port: u16) {
    let begun = Instant::now();
    let is_open = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().skip(1).any(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            // ESTABLISHED and CLOSE_WAIT.
            fields[2].ends_with(&format!(":{port:04X}")) && ["01", "08"].contains(&fields[3])
        })
    };
    while is_open() {
        assert!(begun.elapsed() < PATIENCE, "the server keeps its end");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_lock_whose_answer_was_not_read_is_taken_back() {
    let server = server();
    let mut stream = open(&server);
    stream
        .get_mut()
        .write_all(&lock(&server, "unread", "killed", false))
        .unwrap();
    let mut byte = [0];
    while holder(&server, "unread").is_none() {}
    assert_eq!(
        stream.get_ref().sock.peek(&mut byte).unwrap(),
        1,
        "the answer has come"
    );
    // As the kernel ends the connections of a process that was killed: with bytes unread, by a reset.
    drop(stream);
    until_free(&server, "unread");
}

#[test]
fn whoever_read_its_answer_keeps_the_lock_however_it_hangs_up() {
    let server = server();
    for (n, how) in [
        "as one killed",
        "in good order",
        "goodbye, then at once",
        "the server ends it",
    ]
    .into_iter()
    .cycle()
    .take(40)
    .enumerate()
    {
        let key = format!("read-{n}");
        let mut stream = open(&server);
        let closes = how == "the server ends it";
        let answer = ask(&mut stream, &lock(&server, &key, "told", closes)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let port = stream.get_ref().sock.local_addr().unwrap().port();
        let mut stream = stream.into_inner();
        match how {
            "in good order" => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = std::io::Read::read(&mut stream.sock, &mut [0; 64]);
            }
            // What the server still says is left unread, so that the kernel resets.
            "goodbye, then at once" => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
            _ => {}
        }
        drop(stream);
        gone(port);
        assert_eq!(
            holder(&server, &key).as_deref(),
            Some("told"),
            "{how}\n{}",
            server.log()
        );
    }
}

#[test]
fn a_client_that_hangs_up_while_it_waits_never_gets_the_lock() {
    let server = server();
    for how in ["goodbye", "none"] {
        let key = format!("waits-{how}");
        let taken = ask(&mut open(&server), &lock(&server, &key, "holder", false)).unwrap();
        assert_eq!(taken.status, 200);
        let refused = ask(&mut open(&server), &lock(&server, &key, "gone", false)).unwrap();
        assert_eq!(refused.status, 423);
        // Who repeats a request sooner has not been told to wait.
        std::thread::sleep(std::time::Duration::from_millis(
            tidelock_core::limits::WAITER_RETURN_MS_MIN.unsigned_abs() + 100,
        ));
        let mut held = open(&server);
        held.get_mut()
            .write_all(&lock(&server, &key, "gone", false))
            .unwrap();
        let behind = ask(&mut open(&server), &lock(&server, &key, "behind", false)).unwrap();
        assert_eq!(behind.status, 423);
        let port = held.get_ref().sock.local_addr().unwrap().port();
        let mut stream = held.into_inner();
        if how == "goodbye" {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
        drop(stream);
        gone(port);
        let info = String::from_utf8(lock(&server, &key, "holder", false)).unwrap();
        let unlock = info.replacen("LOCK ", "UNLOCK ", 1).into_bytes();
        let freed = ask(&mut open(&server), &unlock).unwrap();
        assert_eq!(freed.status, 200, "{}", freed.text());
        until_free(&server, &key);
    }
}

#[test]
fn answers_follow_one_another_on_one_connection() {
    let server = server();
    let mut stream = open(&server);
    for n in 0..20 {
        let body = vec![b'x'; n * 10_000];
        let put = Request::new("PUT", &format!("/{BUCKET}/object-{n}"), body.clone());
        assert_eq!(
            ask(&mut stream, &server.client().signed_bytes(&put))
                .unwrap()
                .status,
            200
        );
        let get = Request::new("GET", &format!("/{BUCKET}/object-{n}"), "");
        stream
            .get_mut()
            .write_all(&server.client().signed_bytes(&get))
            .unwrap();
        assert!(read_response(&mut stream, false).unwrap().body == body);
    }
}
