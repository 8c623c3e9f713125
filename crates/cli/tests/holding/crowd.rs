//! Ten thousand clients that wait at one time: what each costs, and that every one is answered.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidelock_core::limits::{CONNECTIONS_MAX, OTHER_FILES_MAX, WAITER_RETURN_MS_MIN};
use tidelock_testkit::{Client, Request, Rng, TestServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, watch},
    time::sleep,
};

use crate::door::{DOORS, Door};

const CLIENTS: usize = 10_000;
const ADDRESSES: usize = 1_000;

/// Sockets of this process, with room for what it has open besides.
const FILES: u64 = CLIENTS as u64 + 500;

/// What a held request may take: hyper's buffer, the task, its place in the record while that is written.
const BYTES_PER_REQUEST_MAX: u64 = 64 * 1_024;

/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
#[allow(clippy::print_stderr, reason = "measured figures are what the test is for")]
fn ten_thousand_requests_are_held_at_a_time_and_all_are_answered() {
    if !raise_open_files() {
        eprintln!("SKIPPED: this needs {FILES} open files, and the hard limit (ulimit -Hn) is lower");
        return;
    }
    let server = crate::server();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(crowd(&server));
}

#[allow(clippy::print_stderr, reason = "measured figures are what the test is for")]
async fn crowd(server: &TestServer) {
    for place in 0..ADDRESSES {
        assert_eq!(
            ask(
                server,
                |client, door, key| door.acquire(client, key, "holder"),
                place
            )
            .await,
            200
        );
    }
    let (before, threads_before) = (server.memory().resident, threads(server));
    let (go, gone) = watch::channel(false);
    let crowd = Arc::new(Crowd {
        authority: server.authority().to_owned(),
        client: server.client(),
        places: (0..ADDRESSES).map(|_| Semaphore::new(1)).collect(),
        refused: AtomicUsize::new(0),
        asking: AtomicUsize::new(0),
        gone,
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::spawn(Arc::clone(&crowd).take_part(n)))
        .collect();
    until("all are refused once", || {
        crowd.refused.load(Ordering::SeqCst) == CLIENTS
    })
    .await;
    sleep(Duration::from_millis(WAITER_RETURN_MS_MIN.unsigned_abs())).await;
    go.send_replace(true);
    until("all are held", || crowd.asking.load(Ordering::SeqCst) == CLIENTS).await;
    let each = server.memory().resident.saturating_sub(before) / CLIENTS as u64;
    let threads_now = threads(server);
    eprintln!(
        "{CLIENTS} held requests: {} KiB each, {threads_before} threads before and {threads_now} now",
        each / 1_024
    );
    assert!(each <= BYTES_PER_REQUEST_MAX, "{each} bytes each");
    assert!(
        threads_now <= threads_before + EMBEDDED_THREADS,
        "{threads_now} threads"
    );
    // More than a thousand through each door, and none keeps the memory of bodies from who writes a large one.
    large_body_goes_through(server).await;
    let begun = Instant::now();
    for place in 0..ADDRESSES {
        let status = ask(
            server,
            |client, door, key| door.release(client, key, "holder"),
            place,
        )
        .await;
        assert!(matches!(status, 200 | 204), "{status}");
    }
    let mut tries = 0;
    for client in clients {
        tries += client.await.unwrap();
    }
    eprintln!(
        "all had their lock in turn after {:?} and {tries} requests",
        begun.elapsed()
    );
}

/// Threads that read the store start with the first reads at one time; they do not grow with the requests.
const EMBEDDED_THREADS: usize = 8;

struct Crowd {
    authority: String,
    client: Client,
    /// One at a time begins at an address; the server would serve them so too.
    places: Vec<Semaphore>,
    refused: AtomicUsize,
    /// Requests that are repeated and not answered.
    asking: AtomicUsize,
    gone: watch::Receiver<bool>,
}

impl Crowd {
    /// Is refused, comes back until it has the lock, and gives it back. How many requests that took.
    async fn take_part(self: Arc<Self>, n: usize) -> usize {
        let (door, key, id) = (door(n), key(n), format!("client-{n}"));
        let acquire = door.acquire(&self.client, &key, &id);
        let begin = self.places[n % ADDRESSES].acquire().await.unwrap();
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        let status = exchange(&mut stream, &acquire).await.unwrap();
        assert!(door.refuses(status), "{status}");
        drop(begin);
        self.refused.fetch_add(1, Ordering::SeqCst);
        self.gone.clone().wait_for(|gone| *gone).await.unwrap();
        for tries in 2.. {
            self.asking.fetch_add(1, Ordering::SeqCst);
            let status = exchange(&mut stream, &acquire).await.unwrap();
            self.asking.fetch_sub(1, Ordering::SeqCst);
            if status == 200 {
                let release = door.release(&self.client, &key, &id);
                let status = exchange(&mut stream, &release).await.unwrap();
                assert!(matches!(status, 200 | 204), "{status}");
                return tries;
            }
            assert!(door.refuses(status), "{status}");
        }
        unreachable!("it goes on until it has the lock")
    }
}

fn door(n: usize) -> Door {
    DOORS[n % ADDRESSES % DOORS.len()]
}

fn key(n: usize) -> String {
    format!("crowd/{}", n % ADDRESSES)
}

/// A request of the first holder of this place.
async fn ask(server: &TestServer, bytes: impl Fn(&Client, Door, &str) -> Vec<u8>, place: usize) -> u16 {
    let mut stream = TcpStream::connect(server.authority()).await.unwrap();
    let bytes = bytes(&server.client(), door(place), &key(place));
    exchange(&mut stream, &bytes).await.unwrap()
}

/// Sends a request and reads the answer to its end; the status.
async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<u16> {
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Ok(head[9..12].parse().unwrap());
        }
    }
}

async fn large_body_goes_through(server: &TestServer) {
    let mut client = server.client();
    let put = move || {
        let body = Rng::new(1).text(40 << 20);
        client.send(&Request::new("PUT", "/tfstate/large", body)).status
    };
    assert_eq!(tokio::task::spawn_blocking(put).await.unwrap(), 200);
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn threads(server: &TestServer) -> usize {
    fs::read_dir(format!("/proc/{}/task", server.pid()))
        .unwrap()
        .count()
}

/// As far as the hard limit allows; whether that is enough.
fn raise_open_files() -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < FILES) {
        return false;
    }
    let current = limit.current.map(|files| files.max(FILES));
    let raised = Rlimit { current, ..limit };
    setrlimit(Resource::Nofile, raised).is_ok()
}

#[test]
fn the_server_may_open_as_many_files_as_it_has_connections() {
    let server = crate::server();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let files = |field: &str| field.parse::<usize>().unwrap_or(usize::MAX);
    let (soft, hard) = (files(fields[3]), files(fields[4]));
    assert_eq!(
        soft,
        hard.min(soft.max(CONNECTIONS_MAX + OTHER_FILES_MAX)),
        "{line}"
    );
}
