//! The beginning of a connection: a handshake, in bounded time, or a word to who speaks plain HTTP here.

use std::{io, time::Duration};

use tidelock_core::limits::TLS_HANDSHAKE_MS;
use tokio::{io::AsyncWriteExt, time};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::linger::Lingering;

/// Text, because nobody knows yet for which protocol an error should be written.
const SPEAK_TLS: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 60\r\n\
                         connection: close\r\n\r\nThis server speaks TLS: write https:// instead of http://.\r\n";

/// Takes up TLS on a new connection.
pub(crate) async fn accept(stream: Lingering, acceptor: TlsAcceptor) -> io::Result<TlsStream<Lingering>> {
    let limit = Duration::from_millis(TLS_HANDSHAKE_MS);
    let begun = time::timeout(limit, handshake(stream, acceptor)).await;
    begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn handshake(mut stream: Lingering, acceptor: TlsAcceptor) -> io::Result<TlsStream<Lingering>> {
    // TLS begins with the number of its record's kind (RFC 8446, section 5.1), HTTP with a method.
    if stream.first_byte().await?.is_ascii_uppercase() {
        stream.write_all(SPEAK_TLS.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP"));
    }
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((fault, mut stream)) => {
            // What was wrong has been said in an alert, which must not be lost to a reset.
            let _ = stream.shutdown().await;
            Err(fault)
        }
    }
}
