//! Locks that all clients fight over, through every door: never two holders, and the holder outlives the crash.

use std::{io, sync::Mutex};

use tidelock_testkit::{Client, Rng};

use crate::actor::{DOORS, Door, acquire, expect_ok, lock_info, release};

/// Few, so that most attempts meet a holder.
const ADDRESSES: usize = 4;

#[derive(Debug, Default)]
struct Contested {
    /// Acknowledged and not yet being given back.
    held: Option<String>,
    /// Infos of acquires and releases without an answer: each may be in force or not.
    unsure: Vec<String>,
}

/// The contested locks and what has been promised about them.
#[derive(Debug)]
pub(crate) struct Contest {
    locks: [Mutex<Contested>; ADDRESSES],
}

impl Contest {
    pub(crate) fn new() -> Self {
        Self {
            locks: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// One attempt at one lock; whoever gets it gives it back at once.
    pub(crate) fn take_part(&self, rng: &mut Rng, client: &mut Client) -> io::Result<()> {
        let place = rng.below(ADDRESSES as u64) as usize;
        let door = DOORS[rng.below(DOORS.len() as u64) as usize];
        let (key, lock) = (key(place), &self.locks[place]);
        let info = lock_info(&rng.uuid(), &key);
        lock.lock().unwrap().unsure.push(info.clone());
        let response = acquire(door, &key, &info, client)?;
        {
            let mut lock = lock.lock().unwrap();
            lock.unsure.retain(|other| *other != info);
            if matches!(
                (response.status, response.code().as_str()),
                (412 | 423, _) | (400, "ConditionalCheckFailedException")
            ) {
                return Ok(());
            }
            expect_ok(&response);
            assert_eq!(
                lock.held, None,
                "{key} was granted twice, now by {door:?} to {info}"
            );
            lock.held = Some(info.clone());
        }
        // In between others try.
        std::thread::yield_now();
        {
            let mut lock = lock.lock().unwrap();
            lock.held = None;
            lock.unsure.push(info.clone());
        }
        expect_ok(&release(door, &key, &info, client)?);
        lock.lock().unwrap().unsure.retain(|other| *other != info);
        Ok(())
    }

    /// Looks for the holders, and frees the locks for the next round.
    ///
    /// A read would not do: who has just been refused is shown the last holder for a while, though the lock is free.
    /// Each try has an ID of its own, as one that comes back would be held until the lock is free.
    pub(crate) fn find_everything(&self, rng: &mut Rng, mut client: Client) {
        for (place, lock) in self.locks.iter().enumerate() {
            let (key, mut lock) = (key(place), lock.lock().unwrap());
            let probe = lock_info(&rng.uuid(), &key);
            let tried = acquire(Door::Http, &key, &probe, &mut client).unwrap();
            let shown = (tried.status == 423).then(|| tried.text());
            let right = match (&lock.held, &shown) {
                (None, None) => true,
                (None, Some(info)) => lock.unsure.contains(info),
                (Some(held), shown) => shown.as_ref() == Some(held),
            };
            assert!(right, "{key}: {lock:?} but the server shows {shown:?}");
            let in_force = shown.unwrap_or(probe);
            expect_ok(&release(Door::Http, &key, &in_force, &mut client).unwrap());
            *lock = Contested::default();
        }
    }
}

fn key(place: usize) -> String {
    format!("crash/contested/{place}.tfstate")
}
