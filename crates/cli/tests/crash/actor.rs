//! One client with states and locks of its own, which knows exactly what the server owes it.

use std::io;

use tidelock_testkit::{BUCKET, Client, Request, Response, Rng, TABLE, state_document};

use crate::contest::Contest;

/// The doors through which a client locks; state goes through s3, or http for the third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    File,
    Table,
    Http,
}

pub(crate) const DOORS: [Door; 3] = [Door::File, Door::Table, Door::Http];

/// What is known, and what may be instead of it because the answer never came.
#[derive(Debug)]
struct Fact<T> {
    known: T,
    unsure: Option<T>,
}

/// One state and its lock.
#[derive(Debug)]
struct Owned {
    door: Door,
    key: String,
    /// Of the newest state; 0 before the first.
    serial: Fact<u64>,
    /// The lock info in force.
    lock: Fact<Option<String>>,
    /// Versions acknowledged since the last look: id and serial.
    versions: Vec<(String, u64)>,
}

/// A client and everything it has been promised.
#[derive(Debug)]
pub(crate) struct Actor {
    seed: u64,
    rng: Rng,
    owned: Vec<Owned>,
}

impl Actor {
    pub(crate) fn new(number: u64, seed: u64) -> Self {
        let owned = |door| Owned {
            door,
            key: format!("crash/{door:?}/{number}.tfstate"),
            serial: Fact {
                known: 0,
                unsure: None,
            },
            lock: Fact {
                known: None,
                unsure: None,
            },
            versions: Vec::new(),
        };
        Self {
            seed,
            rng: Rng::new(seed),
            owned: DOORS.map(owned).into(),
        }
    }

    /// One request after another until the connection breaks; how many were acknowledged.
    pub(crate) fn work_until_cut_off(&mut self, mut client: Client, contest: &Contest) -> u64 {
        let mut acknowledged = 0;
        loop {
            let done = match self.rng.below(8) {
                0 => contest.take_part(&mut self.rng, &mut client),
                choice => {
                    let owned = &mut self.owned[choice as usize % DOORS.len()];
                    owned.step(self.seed, &mut self.rng, &mut client)
                }
            };
            if done.is_err() {
                return acknowledged;
            }
            acknowledged += 1;
        }
    }

    pub(crate) fn is_unsure(&self) -> bool {
        self.owned
            .iter()
            .any(|owned| owned.serial.unsure.is_some() || owned.lock.unsure.is_some())
    }

    /// Looks for every promise, and settles what was unsure.
    pub(crate) fn find_everything(&mut self, mut client: Client) {
        for owned in &mut self.owned {
            owned.find_state(self.seed, &mut client);
            owned.find_lock(&mut client);
            owned.find_versions(self.seed, &mut client);
        }
    }
}

impl Owned {
    /// Locks, writes or unlocks.
    fn step(&mut self, seed: u64, rng: &mut Rng, client: &mut Client) -> io::Result<()> {
        match (&self.lock.known, rng.below(4)) {
            (None, 0 | 1) => {
                let info = lock_info(&rng.uuid(), &self.key);
                self.lock.unsure = Some(Some(info.clone()));
                expect_ok(&acquire(self.door, &self.key, &info, client)?);
                self.lock = Fact {
                    known: Some(info),
                    unsure: None,
                };
            }
            (Some(info), 0) => {
                self.lock.unsure = Some(None);
                expect_ok(&release(self.door, &self.key, &info.clone(), client)?);
                self.lock = Fact {
                    known: None,
                    unsure: None,
                };
            }
            _ => {
                let serial = self.serial.known + 1;
                self.serial.unsure = Some(serial);
                let response = self.write(&body(seed, self.door, serial), client)?;
                expect_ok(&response);
                self.serial = Fact {
                    known: serial,
                    unsure: None,
                };
                let version = response.header("x-amz-version-id").map(str::to_owned);
                self.versions.extend(version.map(|version| (version, serial)));
            }
        }
        Ok(())
    }

    fn write(&self, body: &str, client: &mut Client) -> io::Result<Response> {
        if self.door != Door::Http {
            return client.try_send(&Request::new("PUT", &self.s3_path(), body));
        }
        let id = self
            .lock
            .known
            .as_ref()
            .map(|info| format!("?ID={}", id_of(info)));
        let target = format!("/state/{BUCKET}/{}{}", self.key, id.unwrap_or_default());
        client.try_send_basic(&Request::new("POST", &target, body))
    }

    fn find_state(&mut self, seed: u64, client: &mut Client) {
        let response = client.send(&Request::new("GET", &self.s3_path(), ""));
        let candidates = [Some(self.serial.known), self.serial.unsure];
        let found = candidates.into_iter().flatten().find(|serial| match serial {
            0 => response.status == 404,
            serial => response.status == 200 && response.text() == body(seed, self.door, *serial),
        });
        let found = found.unwrap_or_else(|| {
            panic!(
                "{}: {:?} but the server answers {}: {:.300}",
                self.key,
                self.serial,
                response.status,
                response.text()
            )
        });
        self.serial = Fact {
            known: found,
            unsure: None,
        };
    }

    fn find_lock(&mut self, client: &mut Client) {
        let held = holder(self.door, &self.key, client);
        let candidates = [Some(self.lock.known.clone()), self.lock.unsure.clone()];
        let found = candidates.into_iter().flatten().find(|lock| *lock == held);
        let found =
            found.unwrap_or_else(|| panic!("{}: {:?} but the server shows {held:?}", self.key, self.lock));
        self.lock = Fact {
            known: found,
            unsure: None,
        };
    }

    fn find_versions(&mut self, seed: u64, client: &mut Client) {
        for (version, serial) in self.versions.drain(..) {
            let target = format!("/{BUCKET}/{}?versionId={version}", self.key);
            let response = client.send(&Request::new("GET", &target, ""));
            let whole = response.status == 200 && response.text() == body(seed, self.door, serial);
            assert!(
                whole,
                "{target}, serial {serial}: {} {:.300}",
                response.status,
                response.text()
            );
        }
    }

    fn s3_path(&self) -> String {
        format!("/{BUCKET}/{}", self.key)
    }
}

/// Takes the lock as Terraform does.
pub(crate) fn acquire(door: Door, key: &str, info: &str, client: &mut Client) -> io::Result<Response> {
    match door {
        Door::File => {
            let put = Request::new("PUT", &format!("/{BUCKET}/{key}.tflock"), info);
            client.try_send(&put.header("if-none-match", "*"))
        }
        Door::Table => {
            let item = serde_json::json!({"LockID": {"S": format!("{BUCKET}/{key}")}, "Info": {"S": info}});
            let condition = "attribute_not_exists(LockID)";
            let put = serde_json::json!({"TableName": TABLE, "Item": item, "ConditionExpression": condition});
            client.try_send(&Request::dynamodb("PutItem", put.to_string()))
        }
        Door::Http => client.try_send_basic(&Request::new("LOCK", &format!("/state/{BUCKET}/{key}"), info)),
    }
}

/// Gives the lock back as Terraform does.
pub(crate) fn release(door: Door, key: &str, info: &str, client: &mut Client) -> io::Result<Response> {
    match door {
        Door::File => client.try_send(&Request::new("DELETE", &format!("/{BUCKET}/{key}.tflock"), "")),
        Door::Table => client.try_send(&Request::dynamodb("DeleteItem", item_key(key).to_string())),
        Door::Http => client.try_send_basic(&Request::new("UNLOCK", &format!("/state/{BUCKET}/{key}"), info)),
    }
}

/// The info of the lock in force, as the door shows it; an http lock is looked at through the s3 door.
pub(crate) fn holder(door: Door, key: &str, client: &mut Client) -> Option<String> {
    if door == Door::Table {
        let response = client.send(&Request::dynamodb("GetItem", item_key(key).to_string()));
        expect_ok(&response);
        return response.json()["Item"]["Info"]["S"].as_str().map(str::to_owned);
    }
    let response = client.send(&Request::new("GET", &format!("/{BUCKET}/{key}.tflock"), ""));
    match response.status {
        404 => None,
        _ => Some(String::from_utf8(expect_ok(&response).body.clone()).unwrap()),
    }
}

/// A lock info as Terraform writes it.
pub(crate) fn lock_info(id: &str, key: &str) -> String {
    format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Info":"","Who":"alice@one","Version":"1.11.4","Created":"2026-11-21T09:00:00.123456789Z","Path":"{BUCKET}/{key}"}}"#
    )
}

pub(crate) fn id_of(info: &str) -> String {
    let info: serde_json::Value = serde_json::from_str(info).unwrap();
    info["ID"].as_str().unwrap().to_owned()
}

pub(crate) fn expect_ok(response: &Response) -> &Response {
    assert!(
        (200..300).contains(&response.status),
        "{}: {}",
        response.status,
        response.text()
    );
    response
}

fn item_key(key: &str) -> serde_json::Value {
    let key = serde_json::json!({"LockID": {"S": format!("{BUCKET}/{key}")}});
    serde_json::json!({"TableName": TABLE, "Key": key, "ConsistentRead": true})
}

/// The state of this serial: mostly a kilobyte or two, now and then a large one.
fn body(seed: u64, door: Door, serial: u64) -> String {
    let mut rng = Rng::new(seed ^ serial.wrapping_mul(0x517C_C1B7_2722_0A95) ^ door as u64);
    let len = match rng.below(64) {
        0 => 256 << 10,
        1..4 => 16 << 10,
        _ => rng.below(2_000),
    };
    let lineage = Rng::new(seed ^ door as u64).uuid();
    let padding = rng.text(len as usize);
    state_document(serial, &lineage, &padding)
}
