//! Resident memory of our server: idle after a fresh start, and at its peak while it takes one big state.

use std::{sync::Mutex, time::Duration};

use anyhow::{Context, Result};
use tidelock_testkit::{BUCKET, Request, TestServer};

use crate::{progress, servers, work};

/// The largest state that is common enough to care for.
const STATE_BYTES: usize = 40_000_000;

/// What the AWS SDK for Go sends, five at a time, from 5 MiB upwards.
const PART_BYTES: usize = 5 << 20;
const PARTS_AT_ONCE: usize = 5;

/// Bytes, as the kernel counts them.
pub(crate) struct Memory {
    /// `VmRSS` of a fresh server that nobody has spoken to.
    pub(crate) idle: u64,
    /// `VmHWM` of a fresh server after one `PutObject` of the state.
    pub(crate) put: u64,
    /// `VmHWM` of a fresh server after the same state in parts.
    pub(crate) multipart: u64,
    /// What it took.
    pub(crate) body: u64,
}

impl Memory {
    /// The worse of the two peaks over the body.
    pub(crate) fn ratio(&self) -> f64 {
        self.put.max(self.multipart) as f64 / self.body as f64
    }
}

/// Measures each on a server of its own, so that one does not find the other's memory.
pub(crate) fn measure() -> Result<Memory> {
    progress("memory: idle, and while a state of 40 MB comes in");
    let body = work::state(STATE_BYTES, 1).into_bytes();
    let (server, idle) = fresh()?;
    let put = Request::new("PUT", &target(""), body.clone());
    send(&server, &put)?;
    let put = server.memory().peak;
    let (server, _) = fresh()?;
    upload_in_parts(&server, &body)?;
    Ok(Memory {
        idle,
        put,
        multipart: server.memory().peak,
        body: body.len() as u64,
    })
}

/// A server that has had time to finish its start, and its resident memory.
fn fresh() -> Result<(TestServer, u64)> {
    let server = servers::start_ours()?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = server.memory().resident;
    server.reset_peak();
    Ok((server, idle))
}

fn upload_in_parts(server: &TestServer, body: &[u8]) -> Result<()> {
    let begun = send(server, &Request::new("POST", &target("?uploads="), ""))?;
    let id = between(&begun.text(), "<UploadId>", "</UploadId>").context("no UploadId")?;
    let parts: Vec<(usize, &[u8])> = (1..).zip(body.chunks(PART_BYTES)).collect();
    let todo = Mutex::new(parts.iter());
    let etags = Mutex::new(vec![String::new(); parts.len()]);
    let upload = || -> Result<()> {
        loop {
            let Some((number, bytes)) = todo.lock().expect("no holder panics").next() else {
                return Ok(());
            };
            let request = Request::new(
                "PUT",
                &target(&format!("?partNumber={number}&uploadId={id}")),
                *bytes,
            );
            let answer = send(server, &request)?;
            let etag = answer
                .header("etag")
                .context("a part without an ETag")?
                .to_owned();
            etags.lock().expect("no holder panics")[number - 1] = etag;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PARTS_AT_ONCE).map(|_| scope.spawn(upload)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("an upload returns its errors"))
    })?;
    let list: String = (1..)
        .zip(etags.into_inner().expect("no holder panicked"))
        .map(|(number, etag): (usize, String)| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>",
                etag.replace('"', "&#34;")
            )
        })
        .collect();
    let complete = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    send(
        server,
        &Request::new("POST", &target(&format!("?uploadId={id}")), complete),
    )?;
    Ok(())
}

fn target(query: &str) -> String {
    format!("/{BUCKET}/bench/big.tfstate{query}")
}

fn send(server: &TestServer, request: &Request) -> Result<tidelock_testkit::Response> {
    let answer = server.client().try_send(request)?;
    anyhow::ensure!(
        answer.status == 200,
        "{} {}: {}",
        request.method,
        request.target,
        answer.text()
    );
    Ok(answer)
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}
