//! The access logs of buckets: lines wait in memory for a moment and become objects of the bucket that they are meant for.
//!
//! As on S3 they are a best effort: a crash loses what waits, and where more comes than there is room for, the newest is dropped.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Caller, Content,
    decide::{Claim, Precondition},
    limits::{ACCESS_LOG_BYTES_MAX, ACCESS_LOG_DELIVER_MS},
};
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

use crate::{Error, NewBody, Service};

/// Who writes them, as the history shows it.
const PRINCIPAL: &str = "log-delivery";

/// Where the access log of a bucket goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// The bucket.
    pub bucket: String,
    /// What the names of its objects begin with.
    pub prefix: String,
}

/// Lines that wait, by the bucket that they are about.
#[derive(Default)]
pub(crate) struct AccessLogs(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    lines: BTreeMap<String, String>,
    bytes: usize,
    dropped: usize,
}

impl AccessLogs {
    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// Adds a line, without its end, to the access log of a bucket.
    pub fn log_access(&self, bucket: &str, line: &str) {
        let mut waiting = self.access_logs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.bytes + line.len() > ACCESS_LOG_BYTES_MAX {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += line.len() + 1;
        let lines = waiting.lines.entry(bucket.to_owned()).or_default();
        lines.push_str(line);
        lines.push('\n');
    }

    /// Delivers access logs until `stop` says so, and then what is left.
    pub async fn keep_access_logs(self, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::select! {
                () = sleep(Duration::from_millis(ACCESS_LOG_DELIVER_MS)) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            self.deliver_access_logs().await;
            if stopped {
                return;
            }
        }
    }

    /// Delivers the lines that wait. What cannot be delivered is dropped, with a line in the server's own log.
    pub async fn deliver_access_logs(&self) {
        let waiting = self.access_logs.take();
        if waiting.dropped > 0 {
            let lines = waiting.dropped;
            tracing::warn!(lines, "access logs had no room for these lines");
        }
        for (bucket, lines) in waiting.lines {
            if let Err(error) = self.deliver(&bucket, lines).await {
                tracing::warn!(%bucket, %error, "the access log of a bucket could not be delivered");
            }
        }
    }

    async fn deliver(&self, bucket: &str, lines: String) -> Result<(), Error> {
        let Some(logging) = self.bucket(bucket).await?.logging else {
            return Ok(());
        };
        let target = self.bucket(&logging.bucket).await?;
        let at = Timestamp::from_millisecond(self.now().0).unwrap_or_default();
        let name = hex::encode_upper(&self.random()[..8]);
        let key = format!("{}{}-{name}", logging.prefix, at.strftime("%Y-%m-%d-%H-%M-%S"));
        let address =
            Address::new(&logging.bucket, &key).map_err(|why| Error::corrupt(key.as_bytes(), why))?;
        let bytes = Bytes::from(lines);
        let mut content = Content {
            headers: [("content-type".to_owned(), "text/plain".to_owned())].into(),
            ..Content::default()
        };
        self.seal_under(&target, &mut content).await?;
        let new = NewBody {
            md5: Md5::digest(&bytes).into(),
            bytes,
            content,
            precondition: Precondition::default(),
            claim: Claim::Caller,
            restores: false,
        };
        let caller = Caller {
            principal: PRINCIPAL.to_owned(),
            ..Caller::default()
        };
        self.put(&address, new, &caller).await.map(drop)
    }
}
