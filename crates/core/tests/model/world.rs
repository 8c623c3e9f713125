//! What the model knows: the real record, three clients, what is adrift in the network, and how much may still happen.

use std::rc::Rc;

use tidelock_core::{Caller, Facet, Lock, LockId, Record, Ticket, Time, limits::LOOK_MS};

/// Every world stands at this moment: when time passes, everything that is remembered moves into the past instead.
pub(crate) const NOW: Time = Time(1_000_000_000);

/// How long a stock client sleeps at least between two tries, in milliseconds.
pub(crate) const POLL_MS: i64 = 1_000;

/// The doors that a client takes its lock through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    File,
    Table,
    /// First the lock file, then the item, under one ID.
    Both,
    Http,
}

impl Door {
    pub(crate) fn facets(self) -> Vec<Facet> {
        let table = Facet::Table {
            table: "t".to_owned(),
            row: Vec::new(),
        };
        match self {
            Door::File => vec![Facet::File],
            Door::Table => vec![table],
            Door::Both => vec![Facet::File, table],
            Door::Http => vec![Facet::Http],
        }
    }
}

/// What does not change about a client.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) door: Door,
    /// Who it is to the server; two clients may be the same.
    pub(crate) caller: &'static str,
    /// Whether it only plans: its lock is shared, and it writes nothing.
    pub(crate) plans: bool,
}

/// Who takes part, and how much may happen.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) clients: [Kind; 3],
    /// How often each client takes the lock.
    pub(crate) cycles: u8,
    /// How often it writes under one lock.
    pub(crate) writes: u8,
    /// How many answers are lost, connections cut, clients killed, servers restarted, locks broken and leases run out.
    pub(crate) faults: u8,
    /// How often time passes.
    pub(crate) passes: u8,
}

/// Where a client is in its work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Idle,
    /// Wants the lock through this one of its doors; also after a lost answer.
    Asking(usize),
    /// Was refused, and sleeps.
    Asleep(Time),
    /// Its request is held.
    Held {
        door: usize,
        ticket: Ticket,
        until: Time,
    },
    Holding,
    /// Sent a write and does not know what came of it.
    Writing,
    /// Gives the lock back through this one of its doors; `sent` when it repeats a release whose answer was lost.
    Releasing {
        door: usize,
        sent: bool,
    },
    /// Killed.
    Gone,
}

/// A client, and what it believes.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Client {
    pub(crate) step: Step,
    /// Which of its locks it is at.
    pub(crate) cycle: u8,
    pub(crate) writes: u8,
    /// The serial of the state that it works from.
    pub(crate) base: u64,
    /// Whether it was told that the lock is its own and has not begun to give it back.
    pub(crate) told: bool,
    /// Whether its lock was taken from it by force.
    pub(crate) robbed: bool,
    /// Whether the lease of its run has run out.
    pub(crate) over: bool,
}

/// A request whose client does not listen any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Adrift {
    /// On its way.
    Ask { client: usize, cycle: u8, door: usize },
    /// Held by the server, which does not know that the connection is dead.
    Waiting {
        client: usize,
        cycle: u8,
        door: usize,
        ticket: Ticket,
        until: Time,
    },
    /// On its way.
    Write { client: usize, cycle: u8, serial: u64 },
    /// On its way.
    Release { client: usize, cycle: u8, door: usize },
}

/// One state of everything.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) record: Rc<Record>,
    pub(crate) clients: [Client; 3],
    pub(crate) adrift: Vec<Adrift>,
    /// Grants that the server is about to take back.
    pub(crate) undone: Vec<(LockId, Ticket)>,
    /// The callers whose lock was taken by force and who have not taken one since.
    pub(crate) fenced: Vec<&'static str>,
    /// The lock that each caller was granted or shown last, as the service remembers it.
    pub(crate) looks: Vec<(&'static str, LockId)>,
    pub(crate) faults: u8,
    pub(crate) passes: u8,
}

pub(crate) fn caller(name: &str) -> Caller {
    Caller {
        principal: name.to_owned(),
        ..Caller::default()
    }
}

/// The ID of a client's lock in one of its cycles.
pub(crate) fn lock_id(client: usize, cycle: u8) -> LockId {
    let letter = ["a", "b", "c"][client];
    LockId::try_from(format!("{letter}{cycle}").as_str()).unwrap()
}

/// The client whose lock this is.
pub(crate) fn owner(id: &LockId) -> usize {
    usize::from(id.as_str().as_bytes()[0] - b'a')
}

impl World {
    pub(crate) fn new(setup: &Setup) -> World {
        let client = Client {
            step: Step::Idle,
            cycle: 0,
            writes: 0,
            base: 0,
            told: false,
            robbed: false,
            over: false,
        };
        World {
            record: Rc::default(),
            clients: [client.clone(), client.clone(), client],
            adrift: Vec::new(),
            undone: Vec::new(),
            fenced: Vec::new(),
            looks: Vec::new(),
            faults: setup.faults,
            passes: setup.passes,
        }
    }

    pub(crate) fn id(&self, client: usize) -> LockId {
        lock_id(client, self.clients[client].cycle)
    }

    /// The requests that the server holds, as it believes.
    pub(crate) fn live(&self) -> Vec<Ticket> {
        let held = self.clients.iter().filter_map(|client| match client.step {
            Step::Held { ticket, .. } => Some(ticket),
            _ => None,
        });
        let adrift = self.adrift.iter().filter_map(|request| match request {
            Adrift::Waiting { ticket, .. } => Some(*ticket),
            _ => None,
        });
        held.chain(adrift).collect()
    }

    /// A ticket that is known nowhere.
    pub(crate) fn ticket(&self) -> Ticket {
        let holds = self
            .record
            .waiters
            .iter()
            .filter_map(|waiter| waiter.hold.as_ref());
        let mut known = self.live();
        known.extend(holds.map(|hold| hold.ticket));
        known.extend(self.record.locks.iter().filter_map(|lock| lock.ticket));
        known.extend(self.undone.iter().map(|(_, ticket)| *ticket));
        let unknown = (1..).map(Ticket).find(|ticket| !known.contains(ticket));
        unknown.unwrap()
    }

    /// The server has shown a caller this lock, or that there is none.
    pub(crate) fn shown(&mut self, caller: &'static str, id: Option<LockId>) {
        self.looks.retain(|(who, _)| *who != caller);
        self.looks.extend(id.map(|id| (caller, id)));
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, ms: i64) {
        if ms >= LOOK_MS {
            self.looks.clear();
        }
        let past = |time: &mut Time| *time = time.plus_ms(-ms);
        let record = Rc::make_mut(&mut self.record);
        let lock = |lock: &mut Lock| {
            past(&mut lock.since);
            past(&mut lock.seen);
            past(&mut lock.gone_at);
        };
        record.locks.iter_mut().for_each(lock);
        if let Some(last) = &mut record.last_release {
            past(&mut last.at);
            lock(&mut last.lock);
        }
        record.ended.iter_mut().for_each(|ended| past(&mut ended.at));
        record.fenced.iter_mut().for_each(|fenced| past(&mut fenced.at));
        for waiter in &mut record.waiters {
            past(&mut waiter.first);
            past(&mut waiter.last);
            waiter.hold.iter_mut().for_each(|hold| past(&mut hold.since));
        }
        for client in &mut self.clients {
            match &mut client.step {
                Step::Asleep(time) | Step::Held { until: time, .. } => past(time),
                _ => {}
            }
        }
        for request in &mut self.adrift {
            if let Adrift::Waiting { until, .. } = request {
                past(until);
            }
        }
    }
}
