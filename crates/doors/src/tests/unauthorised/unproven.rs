//! What comes from somebody of whom nothing is proven yet takes nothing from those who work.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{future::join_all, stream};
use http::Method;
use http_body::Frame;
use http_body_util::StreamBody;
use tidelock_core::limits::{BODY_BUDGET_MIB, BODY_IDLE_MS, JSON_BODY_BYTES_MAX, SMALL_BODY_BYTES_MAX};
use tokio::time::timeout;

use super::{
    send, send_body,
    teams::{MEMBER, dynamodb, s3, statement, with_states},
};

/// A body that never comes.
fn nothing() -> impl http_body::Body<Data = Bytes, Error = Infallible> {
    StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>())
}

#[tokio::test(start_paused = true)]
async fn bodies_that_prove_nothing_keep_no_state_from_being_saved() {
    let doors = with_states(&statement("Allow", r#""s3:PutObject""#, "*")).await;
    let mut get = dynamodb("GetItem", "{}");
    // Of no stated length, it may be of the greatest.
    get.headers.push(("transfer-encoding", "chunked".to_owned()));
    let count = BODY_BUDGET_MIB / (JSON_BODY_BYTES_MAX as usize / (1_024 * 1_024));
    let silent = join_all((0..count).map(|_| send_body(&doors, &get, Some(MEMBER), nothing())));
    let large = s3(
        Method::PUT,
        "/vault/large",
        &"x".repeat(SMALL_BODY_BYTES_MAX as usize + 1),
    );
    // The clock moves only when nothing else does.
    let soon = Duration::from_millis(BODY_IDLE_MS / 2);
    tokio::select! {
        biased;
        _ = silent => panic!("a body has come"),
        saved = timeout(soon, send(&doors, &large, Some(MEMBER))) => {
            let saved = saved.expect("nobody who works waits for who does not");
            assert!(saved.status.is_success(), "{}", saved.text);
        }
    }
}
