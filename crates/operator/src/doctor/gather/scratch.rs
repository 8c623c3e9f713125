//! What the store does with writes, tried on a scratch key that is removed again with all of its versions.

use std::ops::ControlFlow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, header};
use tidelock_core::limits::DOCTOR_RACERS;
use tokio::task::JoinSet;

use super::{Examination, is_denied, outcome, refusal};
use crate::{
    doctor::facts::{Fact, Outcome, Race, Wire},
    s3::{self, Probe},
};

/// Codes of a request that was understood: nothing on the way has changed it.
const UNDERSTOOD: [&str; 4] = ["NoSuchKey", "404", "403", "AccessDenied"];

/// Rounds of removing what was written: a listing may lag behind.
const CLEANING_ROUNDS_MAX: usize = 3;

/// What became of the scratch key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scratch {
    /// It was written and deleted, so that both are allowed there.
    Done,
    /// Nothing may be written there, or nothing was to be.
    NotTried,
}

/// What is left of the scratch key where it was removed.
enum Left {
    Nothing,
    OldVersions,
}

impl Examination<'_, '_> {
    pub(super) async fn scratch(&mut self, retains: bool) -> ControlFlow<(), Scratch> {
        if self.options.read_only {
            self.skip("how the store treats writes: nothing is to be written")?;
            return ControlFlow::Continue(Scratch::NotTried);
        }
        if retains {
            self.skip("how the store treats writes: what is written stays for a retention period")?;
            return ControlFlow::Continue(Scratch::NotTried);
        }
        let beside = self
            .setup
            .key
            .as_ref()
            .map(|key| format!("{key}."))
            .unwrap_or_default();
        let key = format!("{beside}tidelock-doctor-{}", self.options.nonce);
        let first = self.put(&key, b"one", &[]).await;
        if let Err(error) = first {
            self.skip(format!("how the store treats writes: {error}"))?;
            // The answer may have been lost after the write.
            let _ = self.clean(&key).await;
            return ControlFlow::Continue(Scratch::NotTried);
        }
        let race = self.race(&format!("{key}.race")).await;
        let wire = self.wire(&key).await;
        let cleaned = self.clean(&key).await;
        self.judge(&Fact::Race(race))?;
        self.judge(&Fact::Wire(wire))?;
        match cleaned {
            Ok(Left::Nothing) => ControlFlow::Continue(Scratch::Done),
            Ok(Left::OldVersions) => {
                self.skip(format!(
                    "old versions of the scratch key {key} stay, where the bucket keeps such: this key may not list and delete versions"
                ))?;
                ControlFlow::Continue(Scratch::Done)
            }
            Err(why) => {
                self.skip(format!(
                    "the scratch key {key} could not be removed with all of its versions: {why}"
                ))?;
                ControlFlow::Continue(Scratch::NotTried)
            }
        }
    }

    async fn put(
        &self,
        key: &str,
        body: &'static [u8],
        headers: &[(&'static str, String)],
    ) -> Result<s3::Put, s3::Error> {
        // As Terraform writes: a bucket's policy may deny what says nothing of encryption.
        let mut all = self.layout.encryption.headers_of_put();
        all.extend_from_slice(headers);
        self.layout
            .s3
            .put_object(&self.setup.bucket, key, Bytes::from_static(body), &all)
            .await
    }

    /// Many writes at once that may only make the object, as lock files are made.
    async fn race(&self, key: &str) -> Race {
        let mut racers = JoinSet::new();
        for number in 0..DOCTOR_RACERS {
            let (layout, bucket, key) = (self.layout.clone(), self.setup.bucket.clone(), key.to_owned());
            racers.spawn(async move {
                let body = Bytes::from(format!("racer {number}"));
                let mut headers = layout.encryption.headers_of_put();
                headers.extend(absent());
                layout.s3.put_object(&bucket, &key, body, &headers).await
            });
        }
        let mut race = Race {
            tried: DOCTOR_RACERS,
            ..Race::default()
        };
        while let Some(run) = racers.join_next().await {
            match run {
                Ok(Ok(_)) => race.won += 1,
                Ok(Err(error))
                    if error.code() == Some("PreconditionFailed") || error.code() == Some("412") => {}
                Ok(Err(error)) => race.odd = race.odd.or_else(|| refusal(&error)),
                Err(_) => {}
            }
        }
        let there = self.layout.head(key, None).await;
        if race.won == 0 && race.odd.is_none() && there.is_ok() {
            // The winner's answer was lost, and its second try met its own object.
            race.won = 1;
        }
        race.second = outcome(&self.put(key, b"late", &absent()).await);
        if matches!(&race.second, Outcome::Done) && there.is_err() {
            race.second = Outcome::NotTried;
        }
        race
    }

    async fn wire(&self, key: &str) -> Wire {
        let wrong = [checksum(b"another")];
        let mut wire = Wire {
            checksum: outcome(&self.put(key, b"two", &[checksum(b"two")]).await),
            wrong_checksum: outcome(&self.put(key, b"two", &wrong).await),
            trailer: self.trailer(key).await,
            ..Wire::default()
        };
        wire.odd_path = understood(self.get(&format!("{key} +%41"), &[]).await);
        wire.signed_header = understood(self.get(key, &[("accept-encoding", "identity")]).await);
        wire.checksum_mode = understood(self.get(key, &[("x-amz-checksum-mode", "ENABLED")]).await);
        if self.put(key, b"three", &[]).await.is_ok() {
            let read = self.get(key, &[]).await;
            wire.reads_back = read.ok().map(|answer| answer.body == b"three".as_slice());
            let part = self.get(key, &[("range", "bytes=0-1")]).await;
            wire.ranges = part.ok().map(|answer| {
                let range = answer.headers.get(header::CONTENT_RANGE);
                answer.status.as_u16() == 206 && range.is_some_and(|range| range == "bytes 0-1/5")
            });
        }
        wire
    }

    async fn get(
        &self,
        key: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<crate::aws::Answer, s3::Error> {
        let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        let key_of_customer = self.layout.encryption.headers_of_get();
        let probe = Probe {
            name: "GetObject",
            method: Method::GET,
            bucket: &self.setup.bucket,
            key,
            headers: headers.iter().map(owned).chain(key_of_customer).collect(),
            ..Probe::default()
        };
        self.layout.s3.probe(probe).await
    }

    /// A body that ends with its checksum, which AWS's SDK for Go writes over TLS alone.
    async fn trailer(&self, key: &str) -> Outcome {
        if !self.layout.s3.endpoint().starts_with("https://") {
            return Outcome::NotTried;
        }
        let body = "two";
        let (name, value) = checksum(body.as_bytes());
        let chunked = format!("{:x}\r\n{body}\r\n0\r\n{name}:{value}\r\n\r\n", body.len());
        let mut headers = self.layout.encryption.headers_of_put();
        headers.extend([
            ("content-encoding", "aws-chunked".to_owned()),
            ("x-amz-decoded-content-length", body.len().to_string()),
            ("x-amz-trailer", name.to_owned()),
        ]);
        let probe = Probe {
            name: "PutObject",
            method: Method::PUT,
            bucket: &self.setup.bucket,
            key,
            query: Vec::new(),
            headers,
            body: Bytes::from(chunked),
        };
        outcome(&self.layout.s3.probe(probe).await)
    }

    /// Removes every version of every key that begins so: nobody else's begins with the nonce.
    async fn clean(&self, prefix: &str) -> Result<Left, s3::Error> {
        let (s3, bucket) = (&self.layout.s3, self.setup.bucket.as_str());
        for _ in 0..CLEANING_ROUNDS_MAX {
            let versions = match s3.list_object_versions(bucket, prefix, None).await {
                Ok(page) => page.items,
                Err(error) if is_denied(error.code()) || error.code() == Some("NotImplemented") => {
                    return self.clean_current(prefix).await;
                }
                Err(error) => return Err(error),
            };
            if versions.is_empty() {
                return Ok(Left::Nothing);
            }
            for version in versions {
                let deleted = s3
                    .delete_object(bucket, &version.key, Some(&version.version))
                    .await;
                match deleted {
                    Err(error) if is_denied(error.code()) => return self.clean_current(prefix).await,
                    deleted => deleted?,
                }
            }
        }
        Ok(Left::Nothing)
    }

    /// What is left to those who may not see versions; the old ones stay.
    async fn clean_current(&self, prefix: &str) -> Result<Left, s3::Error> {
        for key in [prefix.to_owned(), format!("{prefix}.race")] {
            self.layout
                .s3
                .delete_object(&self.setup.bucket, &key, None)
                .await?;
        }
        Ok(Left::OldVersions)
    }
}

fn absent() -> [(&'static str, String); 1] {
    [("if-none-match", "*".to_owned())]
}

fn checksum(body: &[u8]) -> (&'static str, String) {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
    ("x-amz-checksum-sha256", STANDARD.encode(digest))
}

/// Refused only if the request did not arrive as it was sent.
fn understood<T>(answer: Result<T, s3::Error>) -> Outcome {
    match outcome(&answer) {
        Outcome::Refused(why) if UNDERSTOOD.contains(&why.code.as_str()) => Outcome::Done,
        other => other,
    }
}
