//! What a connection's HTTP goes over: a socket as it is, or TLS on one.
//!
//! A reset tells that the client ended without reading its last answer ([`WasReset`](crate::linger::WasReset)), if it
//! can come of nothing else. Under TLS it can: our `close_notify` is one more thing that a client may leave unread, and
//! one that has said goodbye itself never reads it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::linger::Lingering;

/// A connection, ready for HTTP.
pub(crate) enum Transport {
    Plain(Lingering),
    Secure {
        stream: Box<TlsStream<Lingering>>,
        /// Whether the client has said that nothing more comes from it.
        ended: bool,
    },
}

impl From<TlsStream<Lingering>> for Transport {
    fn from(stream: TlsStream<Lingering>) -> Self {
        Self::Secure {
            stream: Box::new(stream),
            ended: false,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Secure { stream, ended } => {
                let (before, room) = (buf.filled().len(), buf.remaining());
                ready!(Pin::new(stream).poll_read(cx, buf))?;
                *ended |= room > 0 && buf.filled().len() == before;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Secure { stream, .. } => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Secure { stream, .. } => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure { stream, .. } => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure { stream, .. } => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            // Who has said goodbye waits for no answer to it, and would only reset the connection upon one.
            Self::Secure { stream, ended: true } => Pin::new(stream.get_mut().0).poll_shutdown(cx),
            Self::Secure { stream, .. } => {
                stream.get_mut().0.overlook_resets();
                Pin::new(stream).poll_shutdown(cx)
            }
        }
    }
}
