//! Held requests at real sockets: whoever hangs up never gets the lock, whoever is told has it, and many can wait.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod door;

use std::{
    fs,
    io::{BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use common::Serving;
use door::{DOORS, Door};
use tidelock_core::limits::WAITER_RETURN_MS_MIN;
use tidelock_testkit::{BUCKET, Client, Hermetic, Request, Response, TestServer, read_response};

/// A debug build on a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn server() -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_tidelock"))
}

/// Waits until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One state, and clients that want its lock.
struct Line<'a> {
    door: Door,
    key: String,
    client: Client,
    authority: &'a str,
}

impl<'a> Line<'a> {
    fn new(door: Door, key: &str, client: Client, authority: &'a str) -> Self {
        let key = format!("{door:?}-{key}");
        Self {
            door,
            key,
            client,
            authority,
        }
    }

    fn of(server: &'a TestServer, door: Door, key: &str) -> Self {
        Self::new(door, key, server.client(), server.authority())
    }

    fn try_take(&mut self, id: &str) -> Response {
        let bytes = self.door.acquire(&self.client, &self.key, id);
        self.client.send_bytes(&bytes).unwrap()
    }

    fn take(&mut self, id: &str) {
        let answer = self.try_take(id);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn refuse(&mut self, id: &str) {
        let answer = self.try_take(id);
        assert!(
            self.door.refuses(answer.status),
            "{id} is answered {}",
            answer.text()
        );
    }

    fn release(&mut self, id: &str) {
        let bytes = self.door.release(&self.client, &self.key, id);
        let answer = self.client.send_bytes(&bytes).unwrap();
        assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
    }

    /// The ID of the lock, as the s3 door shows it to a caller of its own: who was just refused still sees the last one.
    fn holder(&self) -> Option<String> {
        let request = Request::new("GET", &format!("/{BUCKET}/{}.tflock", self.key), "")
            .header("user-agent", "aws-cli/2.0 job/watcher");
        let bytes = self.client.signed_bytes(&request);
        let mut stream = BufReader::new(TcpStream::connect(self.authority).unwrap());
        stream.get_mut().write_all(&bytes).unwrap();
        let answer = read_response(&mut stream, false).unwrap();
        (answer.status == 200).then(|| answer.json()["ID"].as_str().unwrap().to_owned())
    }

    /// `first` holds, and the request of `second`, who was refused before, is held.
    fn hold(&mut self, first: &str, second: &str) -> TcpStream {
        self.take(first);
        self.hold_another(second)
    }

    fn hold_another(&mut self, id: &str) -> TcpStream {
        self.refuse(id);
        // Who repeats a request sooner has not been told to wait.
        thread::sleep(Duration::from_millis(WAITER_RETURN_MS_MIN.unsigned_abs() + 100));
        let bytes = self.door.acquire(&self.client, &self.key, id);
        let mut stream = TcpStream::connect(self.authority).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        until("the server reads the request", || read_by_server(&stream));
        // A turn of another caller behind its own.
        self.refuse(&format!("behind-{id}"));
        stream
    }
}

/// The server's end of this connection, as the kernel sees it: its state and the bytes that it has not read.
fn far_end(port: u16) -> Option<(u8, u64)> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let far = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let unread = fields[4].split_once(':')?.1;
        fields[2].ends_with(&far).then(|| {
            (
                u8::from_str_radix(fields[3], 16).unwrap(),
                u64::from_str_radix(unread, 16).unwrap(),
            )
        })
    })
}

fn read_by_server(stream: &TcpStream) -> bool {
    let port = stream.local_addr().unwrap().port();
    far_end(port).is_some_and(|(_, unread)| unread == 0)
}

/// Waits until the server has noticed that this connection is gone.
fn gone(port: u16) {
    const ESTABLISHED: u8 = 1;
    const CLOSE_WAIT: u8 = 8;
    until("the server closes its end", || {
        far_end(port).is_none_or(|(state, _)| state != ESTABLISHED && state != CLOSE_WAIT)
    });
}

/// Closes with a reset instead of an end, as a kernel does for a process that left something unread.
fn reset(stream: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        stream.set_zero_linger().unwrap();
    });
}

#[test]
fn a_held_client_that_hangs_up_never_gets_the_lock() {
    let server = server();
    for (door, how) in DOORS
        .into_iter()
        .flat_map(|door| [(door, "end"), (door, "reset")])
    {
        let mut line = Line::of(&server, door, how);
        let held = line.hold("holder", "gone");
        let port = held.local_addr().unwrap().port();
        if how == "reset" {
            reset(held)
        } else {
            drop(held)
        }
        gone(port);
        let next = line.hold_another("next");
        line.release("holder");
        let answer = read_response(&mut BufReader::new(next), false).unwrap();
        assert_eq!(answer.status, 200, "{door:?}, {how}: {}", answer.text());
        assert_eq!(line.holder().as_deref(), Some("next"));
        line.release("next");
        assert_eq!(line.holder(), None, "{door:?}, {how}");
    }
}

#[test]
fn a_client_that_hangs_up_in_the_moment_of_the_release_does_not_keep_the_lock() {
    let server = server();
    for (n, door) in DOORS.into_iter().cycle().take(12).enumerate() {
        let mut line = Line::of(&server, door, &format!("race-{n}"));
        let held = line.hold("holder", "gone");
        let bytes = line.door.release(&line.client, &line.key, "holder");
        let mut releasing = TcpStream::connect(server.authority()).unwrap();
        releasing.write_all(&bytes).unwrap();
        thread::sleep(Duration::from_micros(500 * n as u64));
        // With an answer in it or without.
        reset(held);
        let released = read_response(&mut BufReader::new(releasing), false).unwrap();
        assert!(matches!(released.status, 200 | 204), "{}", released.text());
        until("the lock is free", || line.holder().is_none());
    }
}

#[test]
fn a_lock_whose_answer_was_not_read_is_taken_back_and_the_next_one_has_it() {
    let server = server();
    for (door, last) in [
        (Door::File, false),
        (Door::Table, false),
        (Door::Http, false),
        (Door::Http, true),
    ] {
        let mut line = Line::of(&server, door, if last { "last" } else { "unread" });
        // A connection that the answer ends, or one that would go on.
        line.door = if last { Door::HttpClose } else { door };
        let killed = line.hold("holder", "killed");
        let next = line.hold_another("next");
        line.release("holder");
        assert_eq!(killed.peek(&mut [0]).unwrap(), 1, "the answer has come");
        assert_eq!(line.holder().as_deref(), Some("killed"));
        // With bytes unread, this is a reset.
        drop(killed);
        let answer = read_response(&mut BufReader::new(next), false).unwrap();
        assert_eq!(answer.status, 200, "{door:?}: {}", answer.text());
        assert_eq!(line.holder().as_deref(), Some("next"));
    }
}

#[test]
fn a_holder_that_read_its_answer_keeps_the_lock_when_it_hangs_up() {
    let server = server();
    for door in DOORS {
        let mut line = Line::of(&server, door, "told");
        let mut told = line.hold("holder", "told");
        line.release("holder");
        let answer = read_response(&mut BufReader::new(&mut told), false).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let port = told.local_addr().unwrap().port();
        drop(told);
        gone(port);
        line.refuse("other");
        assert_eq!(line.holder().as_deref(), Some("told"));
    }
}

#[test]
fn a_holder_that_went_on_keeps_the_lock_when_its_connection_breaks() {
    let server = server();
    let mut line = Line::of(&server, Door::Http, "went-on");
    let mut told = line.hold("holder", "told");
    line.release("holder");
    let mut answers = BufReader::new(told.try_clone().unwrap());
    assert_eq!(read_response(&mut answers, false).unwrap().status, 200);
    let next = line
        .client
        .signed_bytes(&Request::new("GET", &format!("/{BUCKET}/{}", line.key), ""));
    told.write_all(&next).unwrap();
    assert_eq!(told.peek(&mut [0]).unwrap(), 1);
    let port = told.local_addr().unwrap().port();
    drop(answers);
    drop(told);
    gone(port);
    line.refuse("other");
    assert_eq!(line.holder().as_deref(), Some("told"));
}

#[test]
fn a_stop_answers_every_held_request_with_the_refusal() {
    let hermetic = Hermetic::new();
    let data = hermetic.workdir("place").join("data");
    let server = Serving::start(&hermetic, &data);
    let client = || Client::new(server.authority(), common::credentials(&data));
    let held: Vec<_> = DOORS
        .into_iter()
        .map(|door| {
            let mut line = Line::new(door, "stop", client(), server.authority());
            (door, line.hold("holder", "first"), line.hold_another("second"))
        })
        .collect();
    server.signal("TERM");
    for (door, first, second) in held {
        for mut stream in [first, second] {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
            assert!(door.refuses(status), "{door:?}: {answer}");
            // DynamoDB's own sentence names nobody.
            assert!(answer.contains("holder") || door == Door::Table, "{answer}");
        }
    }
    let (status, _, log) = server.finish();
    assert_eq!(status, 0, "{log}");
    assert!(!log.contains("were cut off"), "{log}");
}
