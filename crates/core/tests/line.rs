//! How stock clients fare in line: they sleep 1, 2, 4, 8, 16, 16… s between two tries, and all else is ours.
#![allow(clippy::unwrap_used, missing_docs)]

use tidelock_core::{
    Caller, Facet, LockId, Record, Ticket, Time, decide,
    decide::{Acquire, Acquired, Release},
};

/// Terraform's longest pause between two tries.
const SLEEP_MS_MAX: i64 = 16_000;

#[derive(Clone, Copy, Debug)]
enum Doing {
    /// It tries again then; the pause after that try is this long.
    Sleeps {
        until: i64,
        pause: i64,
    },
    /// Its request is held until then.
    Waits {
        until: i64,
        pause: i64,
    },
    Holds {
        until: i64,
    },
    Done,
}

/// So many clients of one lock, each of which holds it once.
struct Line {
    record: Record,
    now: i64,
    held_for: i64,
    clients: Vec<Doing>,
    /// The order of the grants.
    granted: Vec<usize>,
    /// How long the lock lay free while somebody wanted it.
    free: i64,
    freed_at: Option<i64>,
}

impl Line {
    /// They come 50 ms apart, and all go on until each has had the lock.
    fn run(clients: usize, held_for: i64) -> Line {
        let first_try = |client| Doing::Sleeps {
            until: client * 50,
            pause: 1_000,
        };
        let mut line = Line {
            record: Record::default(),
            now: 0,
            held_for,
            clients: (0..i64::try_from(clients).unwrap()).map(first_try).collect(),
            granted: Vec::new(),
            free: 0,
            freed_at: None,
        };
        while let Some((until, client)) = line.next() {
            line.now = until;
            match line.clients[client] {
                Doing::Sleeps { pause, .. } | Doing::Waits { pause, .. } => line.acquire(client, pause),
                Doing::Holds { .. } => line.release(client),
                Doing::Done => {}
            }
        }
        line
    }

    fn next(&self) -> Option<(i64, usize)> {
        let due = self
            .clients
            .iter()
            .enumerate()
            .filter_map(|(client, doing)| match doing {
                Doing::Sleeps { until, .. } | Doing::Waits { until, .. } | Doing::Holds { until } => {
                    Some((*until, client))
                }
                Doing::Done => None,
            });
        due.min()
    }

    fn acquire(&mut self, client: usize, pause: i64) {
        let command = Acquire {
            id: id(client),
            info: format!(r#"{{"ID":"{client}"}}"#),
            facet: Facet::File,
            caller: caller(client),
            shared: false,
            ticket: Some(Ticket(u64::try_from(client).unwrap())),
            over: Vec::new(),
        };
        let (record, outcome) = decide(&self.record, &command, Time(self.now));
        self.record = record;
        self.clients[client] = match outcome {
            Acquired::Granted { .. } => self.granted(client),
            Acquired::Waits { until, .. } => Doing::Waits {
                until: until.0,
                pause,
            },
            Acquired::TooManyFacets => panic!("refused because of its facets"),
            Acquired::Refused { .. } => Doing::Sleeps {
                until: self.now + pause,
                pause: SLEEP_MS_MAX.min(pause * 2),
            },
        };
    }

    fn granted(&mut self, client: usize) -> Doing {
        self.granted.push(client);
        self.free += self.freed_at.take().map_or(0, |freed_at| self.now - freed_at);
        Doing::Holds {
            until: self.now + self.held_for,
        }
    }

    fn release(&mut self, client: usize) {
        let release = Release {
            id: Some(id(client)),
            facet: Facet::File,
            caller: caller(client),
            invocation: None,
            may_force: true,
        };
        self.record = decide(&self.record, &release, Time(self.now)).0;
        self.clients[client] = Doing::Done;
        self.freed_at = Some(self.now);
        if let Some(lock) = self.record.locks.first() {
            let next = lock.id.as_str().parse().unwrap();
            self.clients[next] = self.granted(next);
        }
    }
}

fn id(client: usize) -> LockId {
    LockId::try_from(client.to_string().as_str()).unwrap()
}

fn caller(client: usize) -> Caller {
    Caller {
        principal: client.to_string(),
        ..Caller::default()
    }
}

#[test]
fn applies_of_two_seconds_follow_each_other_without_a_pause_and_in_the_order_of_arrival() {
    for clients in [2, 8, 32] {
        let line = Line::run(clients, 2_000);
        assert_eq!(line.granted, (0..clients).collect::<Vec<_>>());
        assert_eq!(line.free, 0, "{clients} clients");
    }
}

#[test]
fn the_lock_hardly_ever_lies_free_while_stock_clients_wait_in_line() {
    for clients in [3, 5, 16, 32] {
        for held_for in [2_000, 10_000, 60_000] {
            let line = Line::run(clients, held_for);
            let wanted = held_for * i64::try_from(clients).unwrap();
            assert_eq!(line.granted.len(), clients);
            assert!(
                line.free * 50 <= wanted,
                "{clients} clients, {held_for} ms each: free for {} ms",
                line.free
            );
        }
    }
}
