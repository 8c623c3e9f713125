//! A process of clients that work as Terraform does, and now and then as it should not; it is killed in their midst.

use std::{
    env,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    ADDRESSES,
    history::{Answer, Call, Facet, Head, Right},
    seat::{NOBODY, Seat},
};

/// Tells a process that it is an actor: its directory, its number, and the seed.
const ACTOR: &str = "TIDELOCK_TORTURE_ACTOR";

/// Clients in one process.
pub(crate) const CLIENTS: u64 = 8;

/// How often a client comes back for a lock.
const TRIES: u64 = 6;

/// How long a client sleeps at a time that lets others break its lock.
const NAP: Duration = Duration::from_millis(200);

/// Starts this test program again as an actor.
pub(crate) fn spawn(test: &str, dir: &Path, number: u64, seed: u64) -> Child {
    let arguments = format!("{} {number} {seed}", dir.display());
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ACTOR, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// In an actor's process: works until it is killed.
pub(crate) fn play() -> bool {
    let Ok(arguments) = env::var(ACTOR) else {
        return false;
    };
    let mut words = arguments.rsplitn(3, ' ');
    let mut number = || words.next().unwrap().parse::<u64>().unwrap();
    let (seed, number) = (number(), number());
    let dir = PathBuf::from(words.next().unwrap());
    for place in 0..CLIENTS {
        let client = number * CLIENTS + place;
        // One client in eight cannot be told from others of its kind.
        let token = if place == 0 { NOBODY } else { client };
        let seat = Seat::new(&dir, client, token, seed);
        thread::spawn(move || Terraform::new(seat, client).work());
    }
    // The other end closes with the test, however that ends.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    true
}

/// One client with the door it prefers.
struct Terraform {
    seat: Seat,
    door: Facet,
    /// Locks by file and by table, as one does while moving from the table to the file.
    both: bool,
}

impl Terraform {
    fn new(seat: Seat, client: u64) -> Self {
        let door = [Facet::File, Facet::Table, Facet::Http][client as usize % 3];
        Self {
            seat,
            door,
            both: door == Facet::File && client.is_multiple_of(2),
        }
    }

    fn work(mut self) {
        loop {
            // The last address sees few clients, the first many.
            let address = self.below(ADDRESSES as u64).min(self.below(ADDRESSES as u64)) as usize;
            match self.below(16) {
                0 => self.read(address).map(drop),
                1 => self.look(address).map(drop),
                2 => self.write_without_lock(address),
                3 => self.release_what_is_not_mine(address),
                4 if self.below(3) == 0 => self.delete(address),
                _ => self.run(address),
            };
            self.pause(20);
        }
    }

    /// Lock, read, write, unlock; `None` as soon as an answer fails to come: a person would start again.
    fn run(&mut self, address: usize) -> Option<()> {
        let id = self.seat.name();
        self.acquire(address, id)?;
        if self.both {
            let facet = Facet::Table;
            self.seat.ask(address, Call::Acquire { id, facet }, facet)?;
        }
        let right = match self.door {
            Facet::Http => Right::Lock(Some(id)),
            Facet::File | Facet::Table | Facet::Operator => Right::Caller,
        };
        let mut serial = self.read(address)?.map_or(0, |head| head.serial);
        for _ in 0..self.below(3) {
            match self.below(10) {
                0 => return self.sleep_and_insist(address, id, serial, right),
                1 => serial = serial.saturating_sub(2),
                _ => self.pause(15),
            }
            serial += 1;
            let head = self.new_head(serial);
            self.write(address, head, right)?;
            if self.below(8) == 0 {
                self.write(address, head, right)?;
            }
        }
        match self.below(30) {
            0 => return None,
            1 => self.delete(address)?,
            _ => {}
        }
        if self.both {
            self.release(address, id, Facet::File)?;
            return self.release(address, id, Facet::Table);
        }
        self.release(address, id, self.door)
    }

    /// A client that sleeps until its lock is broken and others have worked, and then goes on writing as if nothing had
    /// happened, more stubbornly than Terraform.
    fn sleep_and_insist(&mut self, address: usize, id: u64, serial: u64, right: Right) -> Option<()> {
        const NAPS: u64 = 20;
        const WRITES: u64 = 5;
        let mut naps = 0;
        while naps < NAPS && self.look(address)? == (Answer::Shown { holder: Some(id) }) {
            thread::sleep(NAP);
            naps += 1;
        }
        for write in 1..=WRITES {
            let head = self.new_head(serial + 5 * write);
            let refused = matches!(self.write(address, head, right)?, Answer::WriteRefused { .. });
            if !refused {
                break;
            }
            thread::sleep(NAP);
        }
        self.release(address, id, self.door)
    }

    /// Tries again with the same ID, as a client with `-lock-timeout`, or one whose answer was lost.
    fn acquire(&mut self, address: usize, id: u64) -> Option<()> {
        let facet = self.door;
        for _ in 0..=self.below(TRIES) {
            let acquire = Call::Acquire { id, facet };
            self.maybe_hang_up(address, acquire, facet);
            match self.seat.ask(address, acquire, facet) {
                Some(Answer::Granted) => return Some(()),
                Some(_) if self.below(2) == 0 => self.look(address).map(drop)?,
                Some(_) => {}
                None if self.below(2) == 0 => continue,
                None => return None,
            }
            self.pause(900);
        }
        None
    }

    /// As Terraform: a look whether it is mine, then a deletion of whatever is there; or in one step, as OpenTofu.
    fn release(&mut self, address: usize, id: u64, facet: Facet) -> Option<()> {
        let blind = facet != Facet::Http && self.below(2) == 0;
        if blind
            && self.seat.ask(address, Call::Look { facet }, facet)? != (Answer::Shown { holder: Some(id) })
        {
            return Some(());
        }
        let id = Some(id).filter(|_| !blind);
        // What was lost on the way is sent again.
        let release = Call::Release { id, facet };
        if id.is_some() {
            self.maybe_hang_up(address, release, facet);
        }
        match self.seat.ask(address, release, facet) {
            None if id.is_some() => self.seat.ask(address, release, facet),
            other => other,
        }
        .map(drop)
    }

    fn release_what_is_not_mine(&mut self, address: usize) -> Option<()> {
        let id = Some(self.seat.name());
        let facet = self.door;
        self.seat
            .ask(address, Call::Release { id, facet }, facet)
            .map(drop)
    }

    fn write_without_lock(&mut self, address: usize) -> Option<()> {
        let serial = self.read(address)?.map_or(0, |head| head.serial) + self.below(2);
        let head = self.new_head(serial);
        let right = match (self.door, self.below(2)) {
            (Facet::Http, 0) => Right::Lock(None),
            (Facet::Http, _) => Right::Lock(Some(self.seat.name())),
            (Facet::File | Facet::Table | Facet::Operator, _) => Right::Caller,
        };
        self.write(address, head, right).map(drop)
    }

    fn new_head(&mut self, serial: u64) -> Head {
        Head {
            serial,
            content: self.seat.name(),
        }
    }

    fn write(&mut self, address: usize, head: Head, right: Right) -> Option<Answer> {
        let right = match right {
            Right::Caller if self.below(4) == 0 => Right::Upload(self.seat.upload(address, head)?),
            right => right,
        };
        let write = Call::Write { head, right };
        self.maybe_hang_up(address, write, self.door);
        self.seat.ask(address, write, self.door)
    }

    fn delete(&mut self, address: usize) -> Option<()> {
        self.seat.ask(address, Call::Delete, self.door).map(drop)
    }

    /// Now and then an answer is lost though client and server live on.
    fn maybe_hang_up(&mut self, address: usize, call: Call, door: Facet) {
        if self.below(12) == 0 {
            self.seat.ask_and_hang_up(address, call, door);
        }
    }

    fn read(&mut self, address: usize) -> Option<Option<Head>> {
        match self.seat.ask(address, Call::Read, self.door)? {
            Answer::State { head } => Some(head),
            _ => None,
        }
    }

    fn look(&mut self, address: usize) -> Option<Answer> {
        let facet = match self.door {
            Facet::Http => Facet::File,
            door => door,
        };
        self.seat.ask(address, Call::Look { facet }, facet)
    }

    fn pause(&mut self, ms_max: u64) {
        thread::sleep(Duration::from_millis(self.below(ms_max)));
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.seat.rng.below(bound)
    }
}
