//! The server is killed while it packs history: every acknowledged version is there afterwards, and packing goes on.

use std::{collections::BTreeMap, thread, time::Duration};

use serde_json::Value;
use tidelock_core::chain;
use tidelock_testkit::{BUCKET, Client, Request, Rng, States, TestServer, wait_until};

use crate::{clock_seed, number};

const ADDRESSES: u64 = 4;
const WRITES: u64 = 8;
const KILLS: u64 = 12;

/// Enough resources for a state of half a megabyte: its compression takes longer than its commit.
const RESOURCES: usize = 180;

/// From the last write, or the start, to the kill.
const PACKING_MS_MAX: u64 = 400;

#[test]
#[allow(clippy::print_stderr, reason = "a failure is run again from its seed")]
fn a_server_that_is_killed_while_it_packs_loses_no_version_and_packs_on() {
    let seed = number("TIDELOCK_CRASH_SEED").unwrap_or_else(clock_seed);
    eprintln!("TIDELOCK_CRASH_SEED={seed}");
    let mut rng = Rng::new(seed);
    let mut server = TestServer::start(env!("CARGO_BIN_EXE_tidelock"));
    let mut histories: Vec<_> = (0..ADDRESSES)
        .map(|number| History::new(number, rng.bits()))
        .collect();
    let mut in_the_midst = 0;
    for kill in 0..KILLS {
        thread::scope(|scope| {
            for history in &mut histories {
                let client = server.client();
                // Every third start has nothing to do but to pack what is left.
                scope.spawn(move || history.write(client, if kill % 3 == 2 { 0 } else { WRITES }));
            }
        });
        // Half of the kills come at once, when what was written last cannot have been packed.
        if kill % 2 == 1 {
            thread::sleep(Duration::from_millis(rng.below(PACKING_MS_MAX)));
        }
        let mut client = server.client();
        let unpacked = |history: &History| history.forms(&mut client) != history.packed();
        in_the_midst += u64::from(histories.iter().any(unpacked));
        server.kill9();
        server.restart_elsewhere();
        let mut client = server.client();
        for history in &histories {
            history.read_some(&mut client, &mut rng);
        }
    }
    assert!(
        in_the_midst > 0,
        "the kills came while there was something to pack"
    );
    let mut client = server.client();
    for history in &histories {
        wait_until("every version is stored as it is to be", || {
            history.forms(&mut client) == history.packed()
        });
        history.read_all(&mut client);
    }
    let log = server.log();
    assert!(!log.contains("\"ERROR\""), "{log}");
}

/// What was acknowledged of one state's history.
struct History {
    key: String,
    states: States,
    /// By version ID.
    written: BTreeMap<String, Vec<u8>>,
}

impl History {
    fn new(number: u64, seed: u64) -> Self {
        Self {
            key: format!("crash/packing/{number}.tfstate"),
            states: States::new(seed, RESOURCES),
            written: BTreeMap::new(),
        }
    }

    fn write(&mut self, mut client: Client, count: u64) {
        for _ in 0..count {
            let body = self.states.document();
            let request = Request::new("PUT", &format!("/{BUCKET}/{}", self.key), body.clone());
            let put = client.send(&request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
            assert_eq!(put.status, 200, "{}", put.text());
            let id = put.header("x-amz-version-id").unwrap().to_owned();
            self.written.insert(id, body);
            self.states.apply();
        }
    }

    /// How many versions stand alone, and how many are stored as what differs from another one.
    fn forms(&self, client: &mut Client) -> (usize, usize) {
        let target = format!("/admin/history/{BUCKET}/{}?limit=1000", self.key);
        let page = client.send_basic(&Request::new("GET", &target, "")).json();
        let versions = page["versions"].as_array().unwrap();
        assert_eq!(
            versions.len(),
            self.written.len(),
            "every version is listed, and no other"
        );
        let count = |form: &str| {
            versions
                .iter()
                .filter(|entry: &&Value| entry["form"] == form)
                .count()
        };
        (count("whole"), count("delta"))
    }

    /// The same when there is nothing to do any more.
    fn packed(&self) -> (usize, usize) {
        let newest = self.written.len() as u64;
        let packed = (1..=newest)
            .filter(|place| chain::base(*place, newest).is_some())
            .count();
        (self.written.len() - packed, packed)
    }

    fn read_some(&self, client: &mut Client, rng: &mut Rng) {
        for (id, body) in &self.written {
            if rng.below(6) == 0 {
                self.read(client, id, body);
            }
        }
    }

    fn read_all(&self, client: &mut Client) {
        for (id, body) in &self.written {
            self.read(client, id, body);
        }
    }

    fn read(&self, client: &mut Client, id: &str, body: &[u8]) {
        let target = format!("/{BUCKET}/{}?versionId={id}", self.key);
        let got = client.send(&Request::new("GET", &target, ""));
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(
            got.body == body,
            "version {id} of {} is what was written",
            self.key
        );
    }
}
