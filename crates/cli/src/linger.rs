//! A connection that does not hang up on a client which is still sending.
//!
//! A request is often refused before its body has been read. Closing a socket with unread bytes in it makes the kernel
//! send a reset, which throws away the answer on the client's side: the user would see a broken pipe, not the reason.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tidelock_core::limits::{LINGER_MS, LINGER_PIECE_BYTES};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{self, Sleep},
};

/// A stream whose shutdown ends the answer, then takes what still comes and throws it away, for [`LINGER_MS`] at most.
pub(crate) struct Lingering {
    stream: TcpStream,
    until: Option<Pin<Box<Sleep>>>,
    /// Who is told of a reset, as long as that means something.
    reset: Option<WasReset>,
}

/// Whether the peer has reset the connection, as a kernel does for a process that ended with an answer unread. hyper
/// takes that for an ordinary end when it happens between two requests.
#[derive(Clone, Default)]
pub(crate) struct WasReset(Arc<AtomicBool>);

impl WasReset {
    pub(crate) fn is_true(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(fault)) = &polled
            && matches!(
                fault.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            )
        {
            self.0.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream) -> (Self, WasReset) {
        let reset = WasReset::default();
        let lingering = Self {
            stream,
            until: None,
            reset: Some(reset.clone()),
        };
        (lingering, reset)
    }

    /// The first byte that the client sends; it stays to be read.
    pub(crate) async fn first_byte(&self) -> io::Result<u8> {
        let mut byte = [0];
        match self.stream.peek(&mut byte).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(byte[0]),
        }
    }

    /// From now on a reset says nothing about the last answer.
    pub(crate) fn overlook_resets(&mut self) {
        self.reset = None;
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &self.reset {
            Some(reset) => reset.note(polled),
            None => polled,
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(polled)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.until.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        let linger = || Box::pin(time::sleep(Duration::from_millis(LINGER_MS)));
        let mut piece = [0; LINGER_PIECE_BYTES];
        loop {
            if self.until.get_or_insert_with(linger).as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut unread = ReadBuf::new(&mut piece);
            let polled = Pin::new(&mut self.stream).poll_read(cx, &mut unread);
            // Whatever is wrong with the connection now, there is nobody left to tell.
            if ready!(self.note(polled)).is_err() || unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
