//! Kills the server with SIGKILL at random moments under 64 clients, and looks for everything it had acknowledged.
//!
//! A request whose answer never came may have happened or not, but wholly: each client remembers what it knows and
//! the one thing it is unsure of, and after the restart the server must show one or the other, byte for byte.
//! `TIDELOCK_CRASH_ROUNDS` says how often; `TIDELOCK_CRASH_SEED` runs a printed seed again.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod actor;
mod contest;
mod packing;
mod upload;

use std::{
    thread,
    time::{Duration, Instant},
};

use tidelock_testkit::{Rng, TestServer};

use actor::Actor;
use contest::Contest;
use upload::Upload;

const CLIENTS: u64 = 64;

/// For a plain `cargo test`; CI asks for more.
const ROUNDS: u64 = 20;

/// From the first request to the kill.
const LIFE_MS_MIN: u64 = 10;
const LIFE_MS_MAX: u64 = 300;

/// About what a start takes: one in four restarts is killed too, most of them in the midst of recovering.
const STARTUP_MS: u64 = 60;

/// A fresh data directory after this many rounds: first starts are killed too, and the disk stays small.
const ROUNDS_PER_DIRECTORY: u64 = 20;

#[test]
#[allow(clippy::print_stderr, reason = "a failure is run again from its seed")]
fn nothing_acknowledged_is_lost_and_nothing_is_half_written() {
    let rounds = number("TIDELOCK_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("TIDELOCK_CRASH_SEED").unwrap_or_else(clock_seed);
    eprintln!("TIDELOCK_CRASH_SEED={seed} TIDELOCK_CRASH_ROUNDS={rounds}");
    let mut rng = Rng::new(seed);
    let begun = Instant::now();
    let (mut left, mut acknowledged, mut unsure) = (rounds, 0, 0);
    while left > 0 {
        let mut world = World::new(&mut rng);
        for _ in 0..left.min(ROUNDS_PER_DIRECTORY) {
            let round = world.round(&mut rng);
            acknowledged += round.0;
            unsure += round.1;
            left -= 1;
        }
    }
    eprintln!(
        "{acknowledged} acknowledged, {unsure} cut off, {rounds} rounds, {:?}",
        begun.elapsed()
    );
    assert!(
        acknowledged > rounds,
        "the clients got something done: {acknowledged}"
    );
    assert!(unsure > 0, "the kills came in the midst of requests");
}

struct World {
    server: TestServer,
    actors: Vec<Actor>,
    contest: Contest,
    upload: Upload,
}

impl World {
    fn new(rng: &mut Rng) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
        let actors = (0..CLIENTS - 1)
            .map(|number| Actor::new(number, rng.bits()))
            .collect();
        let (contest, upload) = (Contest::new(), Upload::new(rng.bits()));
        Self {
            server,
            actors,
            contest,
            upload,
        }
    }

    /// Load, kill, restart, look; how many requests were acknowledged and how many cut off.
    fn round(&mut self, rng: &mut Rng) -> (u64, u64) {
        let life = Duration::from_millis(LIFE_MS_MIN + rng.below(LIFE_MS_MAX - LIFE_MS_MIN));
        let (server, contest, upload) = (&mut self.server, &self.contest, &mut self.upload);
        upload.prepare(server.client());
        let acknowledged = thread::scope(|scope| {
            let uploader = server.client();
            let uploads = scope.spawn(move || upload.work_until_cut_off(uploader, life));
            let load: Vec<_> = self
                .actors
                .iter_mut()
                .map(|actor| {
                    let client = server.client();
                    scope.spawn(move || actor.work_until_cut_off(client, contest))
                })
                .collect();
            thread::sleep(life);
            server.kill9();
            load.into_iter()
                .chain([uploads])
                .map(|client| client.join().unwrap())
                .sum()
        });
        let unsure = self.actors.iter().filter(|actor| actor.is_unsure()).count() as u64;

        if rng.below(4) == 0 {
            self.server
                .start_and_kill(Duration::from_millis(rng.below(STARTUP_MS)));
        }
        self.server.restart_elsewhere();
        let server = &self.server;
        thread::scope(|scope| {
            for actor in &mut self.actors {
                scope.spawn(move || actor.find_everything(server.client()));
            }
        });
        self.contest.find_everything(rng, server.client());
        self.upload.find_everything(server.client());
        (acknowledged, unsure)
    }
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

pub(crate) fn clock_seed() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
}
