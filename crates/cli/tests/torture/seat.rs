//! One client: it writes down what it asks before it asks, and what it was told.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tidelock_testkit::{Client, Credentials, Request, Response, Rng};

use crate::{
    history::{Answer, Call, Facet, Head, Line, Nanos},
    wire::{Upload, answer, object_path, request, state},
};

/// Where the server is now; there is no such file while it is down, so that nobody knocks at a port of somebody else.
const ENDPOINT: &str = "endpoint.json";

/// Between two looks for it.
const ENDPOINT_PAUSE: Duration = Duration::from_millis(5);

/// A start takes a twentieth of a second, save on a loaded machine.
const ENDPOINT_LIMIT: Duration = Duration::from_secs(60);

/// Longest time from a request to the end of its connection, where a client does not wait for the answer: a few round
/// trips, so that some hang up on a grant, some on a held request, and some before the server has read a word.
const HANG_UP_MS: u64 = 60;

/// A life of the server: from a start to the next SIGKILL.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) life: usize,
    pub(crate) authority: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Endpoint {
    /// Lets all clients know.
    pub(crate) fn publish(&self, dir: &Path) {
        let draft = dir.join("endpoint.draft");
        fs::write(&draft, serde_json::to_vec(self).unwrap()).unwrap();
        fs::rename(draft, dir.join(ENDPOINT)).unwrap();
    }

    pub(crate) fn withdraw(dir: &Path) {
        fs::remove_file(dir.join(ENDPOINT)).unwrap();
    }

    /// Waits for the server.
    fn find(dir: &Path) -> Self {
        let begun = Instant::now();
        loop {
            match fs::read(dir.join(ENDPOINT)) {
                Ok(text) => return serde_json::from_slice(&text).unwrap(),
                Err(_) => thread::sleep(ENDPOINT_PAUSE),
            }
            assert!(begun.elapsed() < ENDPOINT_LIMIT, "the server is back in time");
        }
    }
}

/// Now, by the clock that all processes share.
pub(crate) fn now() -> Nanos {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as Nanos * 1_000_000_000 + time.tv_nsec as Nanos
}

/// The number of callers without a run token; whoever uses http is one of them.
pub(crate) const NOBODY: u64 = 0;

/// A client and its record.
pub(crate) struct Seat {
    /// Its number, no other client's.
    client: u64,
    /// Its run token's number.
    token: u64,
    pub(crate) rng: Rng,
    dir: PathBuf,
    record: File,
    connection: Option<(Endpoint, Client)>,
    upload: Option<Upload>,
    names: u64,
}

impl Seat {
    pub(crate) fn new(dir: &Path, client: u64, token: u64, seed: u64) -> Self {
        let path = dir.join(format!("{client}.jsonl"));
        let record = File::options().create_new(true).append(true).open(path);
        Self {
            client,
            token,
            rng: Rng::new(seed ^ client.wrapping_mul(0x517C_C1B7_2722_0A95)),
            dir: dir.to_owned(),
            record: record.unwrap(),
            connection: None,
            upload: None,
            names: 0,
        }
    }

    /// A number that nobody has used: for a lock or for the content of a state.
    pub(crate) fn name(&mut self) -> u64 {
        self.names += 1;
        self.client << 24 | self.names
    }

    /// Asks for one thing; `None` when no answer came.
    pub(crate) fn ask(&mut self, address: usize, call: Call, door: Facet) -> Option<Answer> {
        let (endpoint, mut client) = self.connect();
        let request = self.call(&endpoint, address, call, door);
        let sent = match door {
            Facet::Http | Facet::Operator => client.try_send_basic(&request),
            Facet::File | Facet::Table => client.try_send(&request),
        };
        match sent {
            // An earlier request for the same lock came after this one: which of them counts is not said, and to ask again
            // is right.
            Ok(response) if response.status == 503 && matches!(call, Call::Acquire { .. }) => {
                self.connection = Some((endpoint, client));
                None
            }
            Ok(response) => {
                let answer = answer(&call, door, address, &response);
                self.note(&Line::Answer {
                    at: now(),
                    answer: answer.clone(),
                });
                self.connection = Some((endpoint, client));
                Some(answer)
            }
            Err(error) => {
                self.forget(&error);
                None
            }
        }
    }

    /// Asks, and goes away before it can have heard the answer, or so it seems to the server.
    pub(crate) fn ask_and_hang_up(&mut self, address: usize, call: Call, door: Facet) {
        let (endpoint, mut client) = self.connect();
        let request = self.call(&endpoint, address, call, door);
        let bytes = match door {
            Facet::Http | Facet::Operator => client.basic_bytes(&request),
            Facet::File | Facet::Table => client.signed_bytes(&request),
        };
        let after = Duration::from_millis(self.rng.below(HANG_UP_MS));
        if let Err(error) = client.send_and_hang_up(&bytes, after) {
            self.forget(&error);
        }
    }

    /// Looks at something that no history speaks of.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        let (endpoint, mut client) = self.connect();
        let response = client.send_basic(&Request::new("GET", target, ""));
        self.connection = Some((endpoint, client));
        response
    }

    fn connect(&mut self) -> (Endpoint, Client) {
        self.connection.take().unwrap_or_else(|| {
            let endpoint = Endpoint::find(&self.dir);
            let credentials = Credentials {
                access_key_id: endpoint.access_key_id.clone(),
                secret_access_key: endpoint.secret_access_key.clone(),
            };
            let client = Client::new(&endpoint.authority, credentials);
            (endpoint, client)
        })
    }

    /// The request, which is written down before it is sent.
    fn call(&mut self, endpoint: &Endpoint, address: usize, call: Call, door: Facet) -> Request {
        let caller = match door {
            Facet::File | Facet::Table => self.token,
            Facet::Http | Facet::Operator => NOBODY,
        };
        let request = self.signed_with_token(request(address, &call, door, self.upload.as_ref()));
        self.note(&Line::Call {
            at: now(),
            client: self.client,
            caller,
            life: endpoint.life,
            address,
            call,
        });
        request
    }

    fn forget(&mut self, error: &io::Error) {
        if error.kind() == ErrorKind::ConnectionRefused {
            self.note(&Line::Unsent);
        }
        thread::sleep(ENDPOINT_PAUSE);
    }

    fn note(&mut self, line: &Line) {
        let mut text = serde_json::to_vec(line).unwrap();
        text.push(b'\n');
        self.record.write_all(&text).unwrap();
    }

    fn signed_with_token(&self, request: Request) -> Request {
        match self.token {
            NOBODY => request,
            token => request.header("user-agent", &format!("aws-sdk-go-v2/1.32.4 app/client-{token}")),
        }
    }

    /// Uploads a state in one part, so that the write that follows can be the completion: the number of the upload, or
    /// `None` when no answer came.
    pub(crate) fn upload(&mut self, address: usize, head: Head) -> Option<u64> {
        let (endpoint, mut client) = self.connect();
        let path = object_path(address);
        let begin = self.signed_with_token(Request::new("POST", &format!("{path}?uploads="), ""));
        let begun = client.try_send(&begin).ok()?.text();
        let id = begun.split_once("<UploadId>")?.1.split('<').next()?;
        let target = format!("{path}?partNumber=1&uploadId={id}");
        let part = self.signed_with_token(Request::new("PUT", &target, state(address, head)));
        let sent = client.try_send(&part).ok()?;
        let etag = sent.header("etag")?.replace('"', "&#34;");
        let number = self.name();
        self.upload = Some(Upload {
            number,
            target: format!("{path}?uploadId={id}"),
            parts: format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
            ),
        });
        self.connection = Some((endpoint, client));
        Some(number)
    }
}
