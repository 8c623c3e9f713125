//! Connections that are slow, silent, many, or not HTTP: the others are served all the same.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tidelock_testkit::{Request, Rng};

use crate::World;

/// What an ordinary request may take beside the strange ones, in a debug build on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

impl World {
    fn is_served_at_once(&mut self) {
        let begun = Instant::now();
        assert_eq!(
            self.server
                .client()
                .send(&Request::new("GET", "/tfstate?list-type=2", ""))
                .status,
            200
        );
        assert!(begun.elapsed() < ANSWER_LIMIT, "it took {:?}", begun.elapsed());
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.authority()).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream
    }
}

#[test]
fn garbage_is_answered_with_400_or_nothing() {
    let mut world = World::new();
    let mut rng = Rng::new(5);
    let garbage = |rng: &mut Rng, len| (0..len).map(|_| rng.bits() as u8).collect::<Vec<u8>>();
    for len in [1, 10, 100, 1_000, 100_000] {
        for _ in 0..20 {
            let mut stream = world.connect();
            let _ = stream.write_all(&garbage(&mut rng, len));
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }
    // A TLS hello, and HTTP/2 with prior knowledge.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = world.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    world.is_served_at_once();
    world.nothing_happened();
}

#[test]
fn silent_and_slow_connections_keep_nobody_waiting() {
    let mut world = World::new();
    let head = String::from_utf8(
        world
            .client
            .signed_bytes(&Request::new("PUT", "/tfstate/slow", "body")),
    )
    .unwrap();
    let held: Vec<TcpStream> = (0..300)
        .map(|n| {
            let mut stream = world.connect();
            // Nothing at all, half a line, half a head, all but the last byte of the body.
            let sent = [0, 10, head.len() / 2, head.len() - 1][n % 4];
            stream.write_all(&head.as_bytes()[..sent]).unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        world.is_served_at_once();
    }
    drop(held);
    world.nothing_happened();
}

#[test]
fn large_bodies_that_never_come_take_no_memory() {
    let mut world = World::new();
    let unsigned =
        Request::new("PUT", "/tfstate/promised", "x").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let text = String::from_utf8(world.client.signed_bytes(&unsigned)).unwrap();
    let promising = text.replacen("content-length: 1\r\n", "content-length: 41943040\r\n", 1);
    let held: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = world.connect();
            stream.write_all(promising.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    world.is_served_at_once();
    world.still_small();
    drop(held);
    world.nothing_happened();
}

#[test]
fn requests_that_end_without_waiting_for_the_answer_do_no_harm() {
    let mut world = World::new();
    let list = world
        .client
        .signed_bytes(&Request::new("GET", "/tfstate?list-type=2", ""));
    for _ in 0..300 {
        let mut stream = world.connect();
        stream.write_all(&list).unwrap();
    }
    world.is_served_at_once();
    world.nothing_happened();
}

#[test]
fn requests_one_after_another_on_one_connection_are_answered_in_order() {
    let world = World::new();
    let mut stream = world.connect();
    let keys = ["/tfstate/one", "/tfstate/two", "/tfstate/three"];
    let pipelined: Vec<u8> = keys
        .iter()
        .flat_map(|key| world.client.signed_bytes(&Request::new("GET", key, "")))
        .collect();
    stream.write_all(&pipelined).unwrap();
    let mut reader = std::io::BufReader::new(stream);
    for key in ["one", "two", "three"] {
        let response = tidelock_testkit::read_response(&mut reader, false).unwrap();
        assert!(
            response.status == 404 && response.text().contains(&format!("<Key>{key}</Key>")),
            "{}",
            response.text()
        );
    }
    world.nothing_happened();
}
