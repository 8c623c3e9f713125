//! The HTTP/1.1 server: accepts, bounds what a client may hold, and stops without dropping an answer.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tidelock_core::limits;
use tidelock_doors::Peer;
use tidelock_service::Grant;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    linger::{Lingering, WasReset},
    tls::{self, Tls},
    transport::Transport,
    unread::RequestBody,
};

/// Answers requests on `listener` until `stop` turns true; then accepts nothing more and waits for the requests in
/// flight, as long as [`limits::STOP_WAIT_MS`]. With `tls`, connections are encrypted.
pub(crate) async fn run<H, F, B>(
    listener: TcpListener,
    tls: Option<Tls>,
    handler: H,
    mut stop: watch::Receiver<bool>,
) where
    H: Fn(Request<RequestBody>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let seats = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let (stream, address, seat) = tokio::select! {
            // A sender that is gone means a stop too.
            _ = stop.wait_for(|stopping| *stopping) => break,
            accepted = accept(&listener, &seats) => accepted,
        };
        let peer = Peer {
            address,
            secure: tls.is_some(),
        };
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let (handler, watcher, mut stop) = (handler.clone(), graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            let (stream, reset) = Lingering::new(stream);
            let stream = tokio::select! {
                // Nothing has been asked yet.
                _ = stop.wait_for(|stopping| *stopping) => return,
                opened = open(stream, acceptor) => opened,
            };
            match stream {
                Ok(stream) => serve(stream, peer, handler, watcher, &reset).await,
                Err(fault) => tracing::debug!(peer = %address, %fault, "no TLS connection came about"),
            }
            drop(seat);
        });
    }
    drop(listener);
    let wait = Duration::from_millis(limits::STOP_WAIT_MS);
    let open = limits::CONNECTIONS_MAX - seats.available_permits();
    if time::timeout(wait, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            connections = open,
            waited_ms = limits::STOP_WAIT_MS,
            "requests still in flight were cut off"
        );
    }
}

/// The connection as HTTP goes over it.
async fn open(stream: Lingering, acceptor: Option<TlsAcceptor>) -> io::Result<Transport> {
    match acceptor {
        None => Ok(Transport::Plain(stream)),
        Some(acceptor) => tls::accept(stream, acceptor).await.map(Transport::from),
    }
}

/// Answers the requests of one connection until it ends.
async fn serve<H, F, B>(stream: Transport, peer: Peer, handler: H, watcher: Watcher, reset: &WasReset)
where
    H: Fn(Request<RequestBody>, Peer) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let untold = LastGrant::default();
    let told = untold.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let (body, unread) = RequestBody::new(&head, body);
        let answer = handler(Request::from_parts(head, body), peer);
        // Whoever asks for more has read the answer before.
        told.set(None);
        let told = told.clone();
        async move {
            let mut answer = unread.announce(answer.await);
            told.set(answer.extensions_mut().remove());
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = protocol().serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or talks nonsense is its own affair; hyper has answered what can be answered.
    if let Err(fault) = watcher.watch(connection).await {
        tracing::debug!(peer = %peer.address, %fault, "connection ended early");
    }
    if reset.is_true() {
        untold.lost();
    }
}

/// The lock that the last answer on a connection has granted, and when.
#[derive(Clone, Default)]
struct LastGrant(Arc<Mutex<Option<(Grant, Instant)>>>);

impl LastGrant {
    fn set(&self, grant: Option<Grant>) {
        *self.slot() = grant.map(|grant| (grant, Instant::now()));
    }

    /// The connection broke: if that was before the answer can have been read, the lock is nobody's.
    fn lost(&self) {
        let soon = Duration::from_millis(limits::GRANT_LOST_MS);
        if let Some((grant, _)) = self.slot().take().filter(|(_, at)| at.elapsed() < soon) {
            tracing::info!(
                ?grant,
                "the client did not read the answer: the lock is taken back"
            );
            grant.lost();
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Grant, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn protocol() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits::REQUEST_HEAD_MS))
        .max_buf_size(limits::REQUEST_HEAD_BYTES_MAX)
        .keep_alive(true);
    builder
}

/// The next connection and its seat; waits while every seat is taken.
async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let seat = Arc::clone(seats)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and waited for; Nagle's algorithm would hold them back.
                if let Err(fault) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %fault, "TCP_NODELAY not set");
                }
                return (stream, peer, seat);
            }
            Err(fault) => {
                tracing::warn!(%fault, "cannot accept a connection; trying again");
                time::sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}
