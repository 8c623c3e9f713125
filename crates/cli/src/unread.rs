//! A request body that tells whether it has been read to its end.
//!
//! A client that is answered before it has sent its body, with `Expect: 100-continue` above all, may send it all the
//! same or leave it out, and the next bytes on the connection are then a body or a request: nobody can tell. Such an
//! answer has to end the connection, and to say so (RFC 9110, section 10.1.1).
//!
//! boto3 sends `Expect: 100-continue` with an empty body too. hyper has nothing to ask for then, and boto3 reads the answer to
//! its next such request on that connection wrongly (`awsrequest.py` of botocore): it hangs until its time is up. So that ends
//! the connection as well.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use hyper::{
    Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CONNECTION, EXPECT, HeaderValue},
    http::request::Parts,
};

/// The body of a request, for whoever answers it.
pub(crate) struct RequestBody {
    body: Incoming,
    unread: Arc<AtomicBool>,
}

/// What is known about the body, for whoever sends the answer.
pub(crate) struct Unread {
    unread: Arc<AtomicBool>,
    /// Whether the client asks if it may send a body that it does not have.
    is_expected_empty: bool,
}

impl RequestBody {
    pub(crate) fn new(head: &Parts, body: Incoming) -> (Self, Unread) {
        let is_empty = body.is_end_stream();
        let unread = Arc::new(AtomicBool::new(!is_empty));
        let watch = Unread {
            unread: Arc::clone(&unread),
            is_expected_empty: is_empty && head.headers.contains_key(EXPECT),
        };
        (Self { body, unread }, watch)
    }
}

impl Unread {
    /// Announces the end of the connection where some of the body has not been read, or the client is not to use it again.
    pub(crate) fn announce<B>(&self, mut response: Response<B>) -> Response<B> {
        if self.is_expected_empty || self.unread.load(Ordering::Relaxed) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Body for RequestBody {
    type Data = <Incoming as Body>::Data;
    type Error = <Incoming as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.unread.store(false, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
