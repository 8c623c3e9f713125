//! 64 clients over three doors fight for a few states while they and the server are killed; every call is written down, and
//! what was written down must be explicable by the rules, one call after the other (linearizability).
//!
//! The clients live in processes of their own, so that SIGKILL means what it means in the field. `TIDELOCK_TORTURE_SECONDS`
//! says how long; `TIDELOCK_TORTURE_SEED` makes the same choices again, though the machine will time them otherwise.
//! A violation is printed with the calls around it.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod actor;
mod history;
mod janitor;
mod model;
mod planted;
mod search;
mod seat;
mod wire;

use std::{
    fs,
    path::Path,
    process::Child,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use tidelock_testkit::{Hermetic, Rng, TestServer};

use history::{History, Nanos};
use janitor::Janitor;
use seat::{Endpoint, Seat, now};

/// Few, so that most acquires meet a holder.
pub(crate) const ADDRESSES: usize = 8;

const PROCESSES: u64 = 64 / actor::CLIENTS;

/// For a plain `cargo test`; CI asks for more.
const SECONDS: u64 = 10;

/// Rounds of the janitor between two kills, each about a tenth of a second, or more on a loaded machine: clients
/// that are killed before they get anything done show nothing.
const PEACE_ROUNDS_MAX: u64 = 4;

/// One kill in so many is the server's.
const SERVER_KILLS_ONE_IN: u64 = 6;

/// After so many of clients it is the server's turn: what has no answer may happen until then, and so burdens the search.
const CLIENT_KILLS_IN_A_ROW_MAX: u64 = 8;

/// The janitor's number and its token's; actors count from one.
const JANITOR: u64 = 1;

const TEST: &str = "what_64_clients_saw_while_they_and_the_server_were_killed_is_linearizable";

#[test]
#[allow(clippy::print_stderr, reason = "a failure is run again from its seed")]
fn what_64_clients_saw_while_they_and_the_server_were_killed_is_linearizable() {
    if actor::play() {
        return;
    }
    let seconds = number("TIDELOCK_TORTURE_SECONDS").unwrap_or(SECONDS);
    let seed = number("TIDELOCK_TORTURE_SEED").unwrap_or_else(now);
    eprintln!("TIDELOCK_TORTURE_SEED={seed} TIDELOCK_TORTURE_SECONDS={seconds}");
    let hermetic = Hermetic::new();
    let dir = hermetic.workdir("torture");
    let mut torture = Torture::new(&dir, seed);
    let (done, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let kept = thread::scope(|scope| {
        let janitor = scope.spawn(|| {
            let mut janitor = Janitor::new(Seat::new(&dir, JANITOR, JANITOR, seed));
            while !done.load(Ordering::Relaxed) {
                janitor.look_around();
                rounds.fetch_add(1, Ordering::Relaxed);
            }
            janitor
        });
        let over = Over(&done);
        torture.run(Duration::from_secs(seconds), &rounds);
        drop(over);
        janitor.join().unwrap().inspect()
    });
    torture.server.kill9();
    torture.ends.push(now());
    let mut history = History::read(&dir, ADDRESSES, &torture.ends);
    history.look_for_refused_states(&kept);
    eprintln!(
        "{} calls at {ADDRESSES} addresses in {seconds} s, {} without an answer, {} actors of {} clients and {} servers killed",
        history.len(),
        history.unsure(),
        torture.actors,
        actor::CLIENTS,
        torture.ends.len(),
    );
    eprintln!("{}", history.tally());
    judge(&history);
}

#[allow(
    clippy::print_stderr,
    reason = "how much was looked at says what the verdict is worth"
)]
fn judge(history: &History) {
    let begun = Instant::now();
    let verdicts = history.addresses.iter().map(|ops| (ops, search::check(ops)));
    let (mut states, mut widest, mut faults) = (0, 0, history.wrong.clone());
    for (address, (ops, verdict)) in verdicts.enumerate() {
        match verdict {
            Ok(effort) => {
                states += effort.states;
                widest = widest.max(effort.widest);
            }
            Err(violation) => {
                let whole = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{address}.txt"));
                fs::write(&whole, search::written_down(ops)).unwrap();
                let story = violation.tell(ops);
                faults.push(format!(
                    "address {address} (all of it: {}):\n{story}",
                    whole.display()
                ));
            }
        }
    }
    eprintln!(
        "{states} states searched in {:?}, up to {widest} calls at a time",
        begun.elapsed()
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    let answered = history.len() - history.unsure();
    assert!(answered > 1_000, "the clients got something done: {answered}");
    assert!(history.unsure() > 0, "the kills came in the midst of calls");
}

/// Sends the janitor home, also when the test fails before its time.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The server, the processes of clients, and when each server was gone.
struct Torture<'a> {
    dir: &'a Path,
    rng: Rng,
    seed: u64,
    server: TestServer,
    processes: Vec<Child>,
    actors: u64,
    ends: Vec<Nanos>,
}

impl<'a> Torture<'a> {
    fn new(dir: &'a Path, seed: u64) -> Self {
        let mut torture = Self {
            dir,
            rng: Rng::new(seed),
            seed,
            server: TestServer::start(env!("CARGO_BIN_EXE_tidelock")),
            processes: Vec::new(),
            actors: 0,
            ends: Vec::new(),
        };
        torture.publish();
        torture
    }

    fn run(&mut self, time: Duration, rounds: &AtomicU64) {
        let begun = Instant::now();
        for _ in 0..PROCESSES {
            let actor = self.actor();
            self.processes.push(actor);
        }
        let mut in_a_row = 0;
        while begun.elapsed() < time {
            let peace = 1 + self.rng.below(PEACE_ROUNDS_MAX);
            let until = rounds.load(Ordering::Relaxed) + peace;
            while rounds.load(Ordering::Relaxed) < until && begun.elapsed() < time {
                thread::sleep(Duration::from_millis(10));
            }
            if self.rng.below(SERVER_KILLS_ONE_IN) == 0 || in_a_row == CLIENT_KILLS_IN_A_ROW_MAX {
                self.kill_server();
                in_a_row = 0;
            } else {
                let place = self.rng.below(PROCESSES) as usize;
                kill(&mut self.processes[place]);
                self.processes[place] = self.actor();
                in_a_row += 1;
            }
        }
        for actor in &mut self.processes {
            kill(actor);
        }
    }

    fn kill_server(&mut self) {
        Endpoint::withdraw(self.dir);
        self.server.kill9();
        self.ends.push(now());
        thread::sleep(Duration::from_millis(self.rng.below(200)));
        self.server.restart_elsewhere();
        self.publish();
    }

    fn publish(&mut self) {
        let credentials = self.server.credentials();
        let endpoint = Endpoint {
            life: self.ends.len(),
            authority: self.server.authority().to_owned(),
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone(),
        };
        endpoint.publish(self.dir);
    }

    fn actor(&mut self) -> Child {
        self.actors += 1;
        actor::spawn(TEST, self.dir, self.actors, self.seed)
    }
}

impl Drop for Torture<'_> {
    fn drop(&mut self) {
        for actor in &mut self.processes {
            kill(actor);
        }
    }
}

fn kill(actor: &mut Child) {
    actor.kill().unwrap();
    actor.wait().unwrap();
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}
