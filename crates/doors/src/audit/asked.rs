//! A request on its way: what an entry can say of it, whatever becomes of it.
//!
//! A server drops a request with its connection, and what it asked for may be done all the same. So the entry of a request
//! that is dropped is made by its end.

use std::sync::{Arc, OnceLock};

use http::{Response, request::Parts};
use percent_encoding::percent_decode_str;
use tidelock_core::Caller;
use tidelock_service::Service;

use super::{Audit, AuditError, CLIENT_GONE, Entry, Notes, Touched, entry::bounded};
use crate::{
    Door, DoorBody, Peer, Trace,
    aws_common::{authorization::Credential, request_id::RequestIds},
    caller,
};

/// What an answer's status is in the log when nobody waited for it; other servers' logs have the same.
const CLIENT_GONE_STATUS: u16 = 499;

/// What is known of a request before it is answered.
pub(crate) struct Asked {
    pub(crate) peer: Peer,
    service: Arc<Service>,
    audit: Option<Arc<dyn Audit>>,
    /// Who it turned out to be.
    caller: OnceLock<Caller>,
    notes: Arc<Notes>,
    /// The entry, until it has been recorded.
    entry: Option<Entry>,
}

impl Asked {
    pub(crate) fn of(
        parts: &Parts,
        peer: Peer,
        ids: &RequestIds,
        service: &Arc<Service>,
        audit: Option<&Arc<dyn Audit>>,
    ) -> Asked {
        let mut entry = Entry {
            operation: parts.method.to_string(),
            // The query stays out: in a presigned URL it holds the signature.
            address: stated_address(parts.uri.path()),
            source: peer.address.ip().to_string(),
            secure: peer.secure,
            access_key_id: caller::stated_user(&parts.headers).unwrap_or_default(),
            ..Entry::default()
        };
        entry.ids(ids);
        Asked {
            peer,
            service: Arc::clone(service),
            audit: audit.cloned(),
            caller: OnceLock::new(),
            notes: Arc::default(),
            entry: Some(entry),
        }
    }

    /// Through which door it came, for which operation where that is known, and by whom it says it is.
    pub(crate) fn through(&mut self, door: &Door, stated: Option<Credential>) {
        if let Some(entry) = &mut self.entry {
            door.name().clone_into(&mut entry.door);
            if let Door::DynamoDb(operation) = door {
                entry.operation = bounded(operation);
                entry.address.clear();
            }
            if let Some(stated) = stated {
                entry.access_key_id = stated.access_key_id;
            }
        }
    }

    /// Nothing was done, and nothing can be kept of it.
    pub(crate) fn leaves_nothing(mut self) {
        self.entry = None;
    }

    /// Who it is, now that it is known.
    pub(crate) fn is_by(&self, caller: &Caller) {
        // The first one who was proven is who asked.
        let _ = self.caller.set(caller.clone());
    }

    /// Where what is decided and touched is to be noted.
    pub(crate) fn notes(&self) -> Arc<Notes> {
        Arc::clone(&self.notes)
    }

    /// Whether what becomes of it could be kept.
    pub(crate) fn ready(&self) -> Result<(), AuditError> {
        self.audit.as_ref().map_or(Ok(()), |audit| audit.ready())
    }

    /// Keeps what became of it; when this returns the entry is written.
    pub(crate) async fn answered(mut self, response: &mut Response<DoorBody>) -> Result<(), AuditError> {
        let Some(mut entry) = self.entry.take() else {
            return Ok(());
        };
        let Some(audit) = self.audit.take() else {
            return Ok(());
        };
        entry.status = response.status().as_u16();
        self.complete(&mut entry, response.extensions().get());
        if let Some(touched) = response.extensions().get::<Touched>() {
            entry.touched(touched);
        }
        audit.record(entry).await
    }

    fn complete(&self, entry: &mut Entry, trace: Option<&Trace>) {
        entry.time_ms = self.service.now().0;
        if let Some(caller) = self.caller.get() {
            entry.caller(caller);
        }
        if let Some(trace) = trace {
            entry.trace(trace);
        }
        entry.notes(self.notes.take());
    }
}

/// What a path names, as far as that can be said without knowing the door.
fn stated_address(path: &str) -> String {
    let path = path
        .strip_prefix("/state/")
        .unwrap_or(path)
        .trim_start_matches('/');
    bounded(&percent_decode_str(path).decode_utf8_lossy())
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let (Some(audit), Some(mut entry)) = (self.audit.take(), self.entry.take()) {
            self.complete(&mut entry, None);
            entry.status = CLIENT_GONE_STATUS;
            entry.code = CLIENT_GONE.to_owned();
            // It is recorded without being waited for.
            drop(audit.record(entry));
        }
    }
}
