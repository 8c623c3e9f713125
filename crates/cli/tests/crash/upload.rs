//! One client that writes a large object in parts: until the completion is acknowledged it may be the old or the new one.

use std::{io, time::Duration};

use tidelock_testkit::{BUCKET, Client, Request, Response, Rng};

use crate::actor::expect_ok;

/// The smallest part that may be followed by another.
const PART_BYTES: usize = 5 << 20;

/// Uploads kept ready: parts take longer than a server lives here, so they are sent before the load begins.
const READY: usize = 2;

/// An object and what its uploader knows of it.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Number of the newest completed upload; 0 before the first.
    known: u64,
    /// Of the one whose completion was sent.
    unsure: Option<u64>,
    /// Number, id and parts of uploads that lack nothing but their completion; a crash must not take them.
    ready: Vec<(u64, String, String)>,
    numbers: std::ops::RangeFrom<u64>,
    rng: Rng,
    filling: String,
}

impl Upload {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let filling = rng.text(PART_BYTES);
        Self {
            known: 0,
            unsure: None,
            ready: Vec::new(),
            numbers: 1..,
            rng,
            filling,
        }
    }

    /// Uploads the parts of what is to be completed under load.
    pub(crate) fn prepare(&mut self, mut client: Client) {
        while self.ready.len() < READY {
            let number = self.numbers.next().unwrap();
            let begun = send(&mut client, "POST", "uploads=", "").unwrap();
            let upload = element(&begun.text(), "UploadId");
            let mut parts = String::new();
            for (place, body) in (1..).zip(self.parts(number)) {
                let query = format!("partNumber={place}&uploadId={upload}");
                let part = send(&mut client, "PUT", &query, &body).unwrap();
                let etag = part.header("etag").unwrap().replace('"', "&#34;");
                parts += &format!("<Part><PartNumber>{place}</PartNumber><ETag>{etag}</ETag></Part>");
            }
            self.ready.push((number, upload, parts));
        }
    }

    /// Completes one upload after another until the connection breaks; how many were acknowledged.
    pub(crate) fn work_until_cut_off(&mut self, mut client: Client, life: Duration) -> u64 {
        let mut completed = 0;
        while !self.ready.is_empty() {
            let pause = self.rng.below(life.as_millis() as u64);
            std::thread::sleep(Duration::from_millis(pause));
            let (number, upload, parts) = self.ready.remove(0);
            self.unsure = Some(number);
            let complete = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
            if send(&mut client, "POST", &format!("uploadId={upload}"), &complete).is_err() {
                break;
            }
            (self.known, self.unsure) = (number, None);
            completed += 1;
        }
        completed
    }

    fn parts(&self, number: u64) -> [String; 2] {
        [
            format!("{number:020}{}", self.filling),
            format!("the end of {number}"),
        ]
    }

    /// The object is the one that is known, or the one that was being completed, and wholly so.
    pub(crate) fn find_everything(&mut self, mut client: Client) {
        let response = client.send(&Request::new("GET", &format!("/{BUCKET}/crash/upload"), ""));
        let found = [Some(self.known), self.unsure]
            .into_iter()
            .flatten()
            .find(|number| match number {
                0 => response.status == 404,
                number => response.status == 200 && response.body == self.parts(*number).concat().as_bytes(),
            });
        let (status, len) = (response.status, response.body.len());
        self.known = found.unwrap_or_else(|| {
            panic!(
                "upload {} or {:?} is due, but the server answers {status} with {len} bytes",
                self.known, self.unsure
            )
        });
        self.unsure = None;
    }
}

fn send(client: &mut Client, method: &str, query: &str, body: &str) -> io::Result<Response> {
    let request = Request::new(method, &format!("/{BUCKET}/crash/upload?{query}"), body);
    let response = client.try_send(&request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"))?;
    expect_ok(&response);
    Ok(response)
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap().to_owned()
}
