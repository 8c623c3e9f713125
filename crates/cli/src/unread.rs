//! A request body that tells whether it has been read to its end.
//!
//! A client that is answered before it has sent its body, with `Expect: 100-continue` above all, may send it all the
//! same or leave it out, and the next bytes on the connection are then a body or a request: nobody can tell. Such an
//! answer has to end the connection, and to say so (RFC 9110, section 10.1.1).

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
    header::{CONNECTION, HeaderValue},
};

/// The body of a request, for whoever answers it.
pub(crate) struct RequestBody {
    body: Incoming,
    unread: Arc<AtomicBool>,
}

/// What is known about the body, for whoever sends the answer.
pub(crate) struct Unread(Arc<AtomicBool>);

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> (Self, Unread) {
        let unread = Arc::new(AtomicBool::new(!body.is_end_stream()));
        let watch = Unread(Arc::clone(&unread));
        (Self { body, unread }, watch)
    }
}

impl Unread {
    /// Announces the end of the connection where some of the body has not been read.
    pub(crate) fn announce<B>(&self, mut response: Response<B>) -> Response<B> {
        if self.0.load(Ordering::Relaxed) {
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
