//! Objects without versions that are overwritten between the moment they are found and the moment they are read.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::StatusCode;
use tidelock_engine::{Batch, BlobId, Committed, Engine, Entry, MemoryEngine, Pending};
use tokio::sync::Notify;

use crate::server::{Answer, Call, Server};

/// Memory whose next read of a blob waits.
#[derive(Default)]
struct Slow {
    memory: MemoryEngine,
    is_armed: AtomicBool,
    reached: Notify,
    go_on: Notify,
}

impl Engine for Slow {
    fn get<'a>(&'a self, key: &'a [u8]) -> Pending<'a, Option<Entry>> {
        self.memory.get(key)
    }

    fn scan<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.memory.scan(range, limit)
    }

    fn scan_back<'a>(&'a self, range: Range<Vec<u8>>, limit: usize) -> Pending<'a, Vec<(Vec<u8>, Entry)>> {
        self.memory.scan_back(range, limit)
    }

    fn commit(&self, batch: Batch) -> Pending<'_, Committed> {
        self.memory.commit(batch)
    }

    fn blob<'a>(&'a self, id: BlobId, range: Range<u64>) -> Pending<'a, Option<Bytes>> {
        Box::pin(async move {
            if self.is_armed.swap(false, Ordering::SeqCst) {
                self.reached.notify_one();
                self.go_on.notified().await;
            }
            self.memory.blob(id, range).await
        })
    }
}

/// A server with one object, the answer to `asked`, and what became of the object before its bytes were read.
async fn overtaken(asked: fn(&Server) -> Call, overtake: fn(&Server) -> Call) -> (Server, Answer) {
    let engine = Arc::new(Slow::default());
    let server = Server::over(engine.clone());
    server.put("/tfstate").ok().await;
    server.put("/tfstate/notes").body("before").ok().await;
    engine.is_armed.store(true, Ordering::SeqCst);
    let overtaking = async {
        engine.reached.notified().await;
        overtake(&server).ok().await;
        engine.go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(asked(&server).send(), overtaking);
    (server, answer)
}

fn get(server: &Server) -> Call {
    server.get("/tfstate/notes")
}

fn copy(server: &Server) -> Call {
    server
        .put("/tfstate/copy")
        .header("x-amz-copy-source", "tfstate/notes")
}

fn write(server: &Server) -> Call {
    server.put("/tfstate/notes").body("after")
}

#[tokio::test]
async fn a_read_that_a_write_overtakes_brings_what_was_written() {
    let (_, answer) = overtaken(get, write).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "after"));
}

#[tokio::test]
async fn a_read_that_a_deletion_overtakes_finds_nothing() {
    let (_, answer) = overtaken(get, |server| server.delete("/tfstate/notes")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.element("Code"), Some("NoSuchKey"));
}

#[tokio::test]
async fn a_copy_that_a_write_overtakes_is_of_what_was_written() {
    let (server, answer) = overtaken(copy, write).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(server.get("/tfstate/copy").ok().await.text(), "after");
}
