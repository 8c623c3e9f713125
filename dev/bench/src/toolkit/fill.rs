//! A bucket as many teams leave it: states with versions, one of them with a long history, some of them locked.

use std::thread;

use anyhow::{Result, ensure};
use serde_json::json;
use tidelock_testkit::{BUCKET, Client, Request, TABLE, TestServer, state_document};

/// Clients that write at once.
const WRITERS: usize = 16;

/// The part of all versions that one state has.
const LONG: usize = 10;

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) states: usize,
    pub(crate) versions: usize,
    pub(crate) locks: usize,
}

impl Size {
    /// The nth part of everything.
    pub(crate) fn part(self, n: usize) -> Size {
        Size {
            states: self.states / n,
            versions: self.versions / n,
            locks: self.locks / n,
        }
    }

    /// Versions of the state with the long history.
    pub(crate) fn long(self) -> usize {
        self.versions / LONG
    }

    /// Versions of each of the others.
    fn each(self) -> usize {
        (self.versions - self.long()) / self.states.max(1)
    }
}

/// Writes it all.
pub(crate) fn fill(server: &TestServer, size: Size) -> Result<()> {
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(server, size, writer)))
            .collect();
        for writer in writers {
            writer
                .join()
                .map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        Ok(())
    })
}

/// The part of one writer.
fn write(server: &TestServer, size: Size, writer: usize) -> Result<()> {
    let mut client = server.client();
    if writer == 0 {
        history(&mut client, "long.tfstate", size.long())?;
    }
    for state in (writer..size.states).step_by(WRITERS) {
        let key = key(state);
        history(&mut client, &key, size.each())?;
        if state < size.locks {
            lock(&mut client, &key, state)?;
        }
    }
    Ok(())
}

fn key(state: usize) -> String {
    format!("team-{:02}/app-{state:05}/terraform.tfstate", state % 50)
}

fn history(client: &mut Client, key: &str, versions: usize) -> Result<()> {
    for serial in 1..=versions.max(1) {
        let body = state_document(serial as u64, key, &format!("value {serial}"));
        send(client, &Request::new("PUT", &format!("/{BUCKET}/{key}"), body))?;
    }
    Ok(())
}

/// By a file or by the table, in turns.
fn lock(client: &mut Client, key: &str, number: usize) -> Result<()> {
    let info = json!({
        "ID": format!("00000000-0000-0000-0000-{number:012}"), "Operation": "OperationTypeApply", "Info": "",
        "Who": format!("ci@runner-{number}"), "Version": "1.11.4", "Created": "2026-11-21T08:00:00Z",
        "Path": format!("{BUCKET}/{key}"),
    })
    .to_string();
    if number.is_multiple_of(2) {
        let put = Request::new("PUT", &format!("/{BUCKET}/{key}.tflock"), info);
        return send(client, &put.header("if-none-match", "*"));
    }
    let item = json!({
        "TableName": TABLE, "ConditionExpression": "attribute_not_exists(LockID)",
        "Item": { "LockID": { "S": format!("{BUCKET}/{key}") }, "Info": { "S": info } },
    });
    send(client, &Request::dynamodb("PutItem", item.to_string()))
}

fn send(client: &mut Client, request: &Request) -> Result<()> {
    let answer = client.send(request);
    ensure!(
        (200..300).contains(&answer.status),
        "{}: {}",
        answer.status,
        answer.text()
    );
    Ok(())
}
