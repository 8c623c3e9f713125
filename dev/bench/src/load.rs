//! Applies the work to the servers in interleaved rounds, and keeps what was measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{
    progress,
    servers::{Door, Server, Servers},
    stats::{median, percentile},
    work::{Worker, state},
};

/// Long enough for connections, caches and Python's first calls.
const WARM_UP: Duration = Duration::from_millis(500);

const CLIENTS: [usize; 3] = [1, 16, 64];

/// Size of a state, and how often it is written and read in a round: about equal times.
const STATES: [(&str, usize, usize); 3] = [
    ("10 KB", 10_000, 100),
    ("1 MB", 1_000_000, 20),
    ("20 MB", 20_000_000, 3),
];

/// How much is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// What one server did in one kind of measurement, over all rounds.
pub(crate) struct Measured {
    pub(crate) server: &'static str,
    /// Operations a second, one value a round.
    pub(crate) rates: Vec<f64>,
    /// Milliseconds of each operation, of all rounds.
    latencies: Vec<f64>,
    /// Operations that failed; they count in neither of the above.
    pub(crate) failures: usize,
}

impl Measured {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            server: server.name,
            rates: Vec::new(),
            latencies: Vec::new(),
            failures: 0,
        }
    }

    /// The median of the rounds.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates)
    }

    /// This percentile of the latencies, in milliseconds.
    pub(crate) fn latency(&self, percent: f64) -> f64 {
        percentile(&self.latencies, percent)
    }

    pub(crate) fn add(&mut self, seconds: f64, latencies: Vec<f64>) {
        self.rates.push(latencies.len() as f64 / seconds);
        self.latencies.extend(latencies);
    }
}

/// Lock cycles at one door with so many clients.
pub(crate) struct LockCycles {
    pub(crate) door: Door,
    pub(crate) clients: usize,
    /// Ours first.
    pub(crate) servers: Vec<Measured>,
}

/// Writes or reads of states of one size by one client.
pub(crate) struct States {
    pub(crate) size: &'static str,
    pub(crate) bytes: usize,
    pub(crate) operation: &'static str,
    /// Ours first.
    pub(crate) servers: Vec<Measured>,
}

/// Lock cycles through both doors at every number of clients.
pub(crate) fn lock_cycles(servers: &Servers, plan: &Plan) -> Result<Vec<LockCycles>> {
    let mut table = Vec::new();
    for door in [Door::S3, Door::DynamoDb] {
        for clients in CLIENTS {
            let measured = servers.at(door).into_iter().map(Measured::new).collect();
            table.push(LockCycles {
                door,
                clients,
                servers: measured,
            });
        }
    }
    for round in 0..plan.rounds {
        for row in &mut table {
            progress(&format!(
                "round {}: lock cycles, {:?}, {} clients",
                round + 1,
                row.door,
                row.clients
            ));
            let there = servers.at(row.door);
            for turn in 0..there.len() {
                // Each round begins with another server, so that none is always the first after a pause.
                let index = (round + turn) % there.len();
                let time = Duration::from_secs(plan.seconds);
                cycle(there[index], row.door, row.clients, time, &mut row.servers[index])
                    .with_context(|| format!("{} at {:?}", there[index].name, row.door))?;
            }
        }
    }
    Ok(table)
}

/// Every client takes its own lock again and again until the time is up. Answers how often that was, also outside of the
/// time that counts.
pub(crate) fn cycle(
    server: &Server,
    door: Door,
    clients: usize,
    time: Duration,
    measured: &mut Measured,
) -> Result<usize> {
    let counted_from = Instant::now() + WARM_UP;
    let until = counted_from + time;
    let work = |number: usize| {
        let mut worker = server.worker(door, number as u64);
        let (mut latencies, mut failures, mut last, mut all) = (Vec::new(), 0, None, 0);
        while Instant::now() < until {
            let begun = Instant::now();
            let outcome = worker.lock_cycle();
            // What ends in the window counts, whenever it began: dropping what straddles its start would
            // count a slow server short.
            let ended = Instant::now();
            all += 1;
            if ended < counted_from || ended > until {
                continue;
            }
            match outcome {
                Ok(()) => latencies.push((ended - begun).as_secs_f64() * 1e3),
                Err(error) => {
                    failures += 1;
                    last = Some(error);
                }
            }
        }
        (latencies, failures, last, all)
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a worker returns its errors"))
            .collect()
    });
    let (mut latencies, mut all) = (Vec::new(), 0);
    for (own, failures, last, times) in done {
        latencies.extend(own);
        all += times;
        measured.failures += failures;
        if let Some(error) = last {
            progress(&format!(
                "{} failures of {}, the last: {error:#}",
                failures, server.name
            ));
        }
    }
    ensure!(!latencies.is_empty(), "not one lock cycle in {time:?}");
    measured.add(time.as_secs_f64(), latencies);
    Ok(all)
}

/// States of every size, written and read by one client.
pub(crate) fn states(servers: &Servers, plan: &Plan) -> Result<Vec<States>> {
    let there = servers.at(Door::S3);
    let mut table = Vec::new();
    for (size, bytes, _) in STATES {
        for operation in ["write", "read"] {
            let measured = there.iter().map(|server| Measured::new(server)).collect();
            table.push(States {
                size,
                bytes,
                operation,
                servers: measured,
            });
        }
    }
    let mut serial = 0;
    for round in 0..plan.rounds {
        for (row, (size, bytes, times)) in STATES.into_iter().enumerate() {
            progress(&format!("round {}: states of {size}", round + 1));
            let bodies: Vec<String> = (0..=times as u64)
                .map(|step| state(bytes, serial + step + 1))
                .collect();
            serial += bodies.len() as u64;
            for turn in 0..there.len() {
                let index = (round + turn) % there.len();
                let worker = there[index].worker(Door::S3, 1_000 + row as u64);
                let (writes, reads) = write_and_read(worker, &bodies).with_context(|| there[index].name)?;
                table[row * 2].servers[index].add(writes.iter().sum::<f64>() / 1e3, writes);
                table[row * 2 + 1].servers[index].add(reads.iter().sum::<f64>() / 1e3, reads);
            }
        }
    }
    Ok(table)
}

/// Milliseconds of each write and of each read; the first body is the warm-up.
pub(crate) fn write_and_read(mut worker: Worker, bodies: &[String]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for body in bodies {
        let write = worker.state_write(body);
        let begun = Instant::now();
        worker.expect(&write, 200)?;
        writes.push(begun.elapsed().as_secs_f64() * 1e3);
        let read = worker.state_read();
        let begun = Instant::now();
        let answer = worker.expect(&read, 200)?;
        reads.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(
            answer.body == body.as_bytes(),
            "the state does not read back as it was written"
        );
    }
    Ok((writes.split_off(1), reads.split_off(1)))
}
