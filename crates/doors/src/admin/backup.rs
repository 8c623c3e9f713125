//! `GET /admin/backup`: everything as of one moment, as the tar that [`tidelock_core::archive`] describes; and
//! `POST /admin/verify`, which tells whether all of it can be read.

use std::{
    fs::File,
    io::{self, Read, Seek},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde::Deserialize;
use tidelock_core::{
    archive::{self, DATABASE, END_BYTES, MANIFEST, Member, SUMS},
    limits::STREAM_PIECE_BYTES,
};
use tidelock_service::{Backup, EngineError, Error};
use tokio::task;

use super::{Refusal, json, request::Request};
use crate::{DoorBody, aws_common::kept_checksums, body::BodyError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    #[serde(default)]
    prefix: String,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// `POST /admin/verify`
pub(super) async fn verify(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Verify { prefix, after } = request.json()?;
    let page = request
        .service
        .verify(&prefix, after.as_deref(), kept_checksums::hold);
    Ok(json(&page.await?))
}

/// What goes before the store and after it.
struct Frames {
    before: Vec<u8>,
    after: Vec<u8>,
    database_bytes: u64,
}

pub(super) async fn stream(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let backup = request.service.backup(&request.caller).await?;
    let (backup, frames) = off_the_loop(move || {
        let mut backup = backup;
        let frames = frames(&mut backup)?;
        Ok((backup, frames))
    })
    .await?;
    let length = frames.before.len() as u64 + frames.database_bytes + frames.after.len() as u64;
    let mut response = Response::new(body(backup, frames));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-tar"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Reads the store once for its digest, which whoever receives it should have before it.
fn frames(backup: &mut Backup) -> io::Result<Frames> {
    let (database, database_bytes) = sha256(&mut backup.database)?;
    backup.database.rewind()?;
    let written = backup.manifest.made_ms;
    let manifest = serde_json::to_vec(&backup.manifest).map_err(io::Error::other)?;
    let sums = archive::sums(&[(MANIFEST, sha256_of(&manifest)), (DATABASE, database)]);
    let member = Member {
        name: DATABASE.to_owned(),
        size: database_bytes,
        seconds: archive::seconds(written),
    };
    let mut before = archive::small_file(SUMS, sums.as_bytes(), written);
    before.extend(archive::small_file(MANIFEST, &manifest, written));
    before.extend(member.header());
    Ok(Frames {
        before,
        after: vec![0; member.filling() + END_BYTES],
        database_bytes,
    })
}

fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(digest(&SHA256, bytes).as_ref());
    array
}

fn sha256(file: &mut File) -> io::Result<([u8; 32], u64)> {
    let (mut context, mut size) = (Context::new(&SHA256), 0);
    let mut piece = vec![0; STREAM_PIECE_BYTES as usize];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => {
                context.update(&piece[..read]);
                size += read as u64;
            }
        }
    }
    let mut array = [0; 32];
    array.copy_from_slice(context.finish().as_ref());
    Ok((array, size))
}

fn body(backup: Backup, frames: Frames) -> DoorBody {
    let store = stream::try_unfold((backup, frames.database_bytes), |(backup, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (backup, piece) = off_the_loop(move || piece(backup, left))
            .await
            .map_err(BodyError)?;
        let left = left - piece.len() as u64;
        Ok(Some((Frame::data(piece), (backup, left))))
    });
    let whole = |bytes: Vec<u8>| stream::once(async move { Ok(Frame::data(Bytes::from(bytes))) });
    let all = whole(frames.before).chain(store).chain(whole(frames.after));
    StreamBody::new(all).boxed_unsync()
}

fn piece(mut backup: Backup, left: u64) -> io::Result<(Backup, Bytes)> {
    let mut piece = vec![0; left.min(STREAM_PIECE_BYTES) as usize];
    backup.database.read_exact(&mut piece)?;
    Ok((backup, Bytes::from(piece)))
}

/// Does what waits for the disk where no request waits for it.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let failed = |why: String| {
        Error::from(EngineError::Unavailable(format!(
            "the backup cannot be read: {why}"
        )))
    };
    let done = task::spawn_blocking(work).await;
    done.map_err(|ended| failed(ended.to_string()))?
        .map_err(|fault| failed(fault.to_string()))
}
