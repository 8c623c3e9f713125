//! A network between client and server that misbehaves when told to: it loses answers, which the server gave and the
//! client never hears of, and it keeps requests back, which the client sent and the server gets much later.
//!
//! A request is described by its method and a word of its head, as `PUT .tflock`.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

/// Passes bytes on to a server and back, save for what it was told.
///
/// Its threads end with the process; tests are short.
#[derive(Debug)]
pub struct LossyProxy {
    endpoint: String,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    told: Mutex<Told>,
    let_go: Condvar,
}

#[derive(Debug, Default)]
struct Told {
    to_lose: Vec<&'static str>,
    to_keep_back: Option<&'static str>,
    kept_back: usize,
}

impl LossyProxy {
    /// A way to `HOST:PORT` that loses the answer to the first request of each of these descriptions.
    #[must_use]
    pub fn start(authority: &str, to_lose: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let faults = Arc::new(Faults::default());
        faults.told().to_lose = to_lose;
        let (authority, told) = (authority.to_owned(), Arc::clone(&faults));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(&authority) {
                    let _ = join(&client, &server, &told);
                }
            }
        });
        Self {
            endpoint: format!("http://{address}"),
            faults,
        }
    }

    /// `http://HOST:PORT` for the client.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Loses one more answer to a request of this description, even if that has gone to the server already.
    pub fn lose(&self, description: &'static str) {
        self.faults.told().to_lose.push(description);
    }

    /// The descriptions of which no answer has been lost yet.
    #[must_use]
    pub fn not_lost_yet(&self) -> Vec<&'static str> {
        self.faults.told().to_lose.clone()
    }

    /// Keeps every request of this description back until [`LossyProxy::let_go`].
    pub fn keep_back(&self, description: &'static str) {
        self.faults.told().to_keep_back = Some(description);
    }

    /// How many requests are kept back now.
    #[must_use]
    pub fn kept_back(&self) -> usize {
        self.faults.told().kept_back
    }

    /// Passes on what was kept back, and keeps nothing back any more.
    pub fn let_go(&self) {
        self.faults.told().to_keep_back = None;
        self.faults.let_go.notify_all();
    }
}

impl Faults {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no thread panics with it")
    }

    /// Waits as long as this request is to be kept back.
    fn keep_back(&self, head: &str) {
        let is_kept = |told: &mut Told| told.to_keep_back.is_some_and(|kept| meets(head, kept));
        let mut told = self.told();
        if !is_kept(&mut told) {
            return;
        }
        told.kept_back += 1;
        let mut told = self
            .let_go
            .wait_while(told, is_kept)
            .expect("no thread panics with it");
        told.kept_back -= 1;
    }

    /// Whether the answer to this request is to be lost.
    fn loses(&self, head: &str) -> bool {
        let mut told = self.told();
        let met = told
            .to_lose
            .iter()
            .position(|description| meets(head, description));
        met.map(|place| told.to_lose.remove(place)).is_some()
    }
}

/// Copies in both directions, in threads of their own, until either side is done.
fn join(client: &TcpStream, server: &TcpStream, faults: &Arc<Faults>) -> io::Result<()> {
    let asked = Arc::new(Mutex::new(String::new()));
    let (to_keep, to_lose, asking) = (Arc::clone(faults), Arc::clone(faults), Arc::clone(&asked));
    copy(client.try_clone()?, server.try_clone()?, move |piece| {
        if let Some(head) = head(piece) {
            to_keep.keep_back(&head);
            *asking.lock().expect("no thread panics with it") = head;
        }
        true
    });
    copy(server.try_clone()?, client.try_clone()?, move |piece| {
        // "100 Continue" is no answer yet: the server has not even read what it is asked.
        let is_answer = !piece.starts_with(b"HTTP/1.1 100 ");
        !(is_answer && to_lose.loses(&asked.lock().expect("no thread panics with it")))
    });
    Ok(())
}

/// Passes on what `look` lets through, and closes both sides at the end or where it does not.
fn copy(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8]) -> bool + Send + 'static) {
    thread::spawn(move || {
        let mut piece = [0; 64 << 10];
        while let Ok(len @ 1..) = from.read(&mut piece) {
            if !look(&piece[..len]) || to.write_all(&piece[..len]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// The head of a request, where one begins here.
fn head(piece: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(piece);
    let head = text.split("\r\n\r\n").next()?;
    head.lines()
        .next()?
        .ends_with(" HTTP/1.1")
        .then(|| head.to_owned())
}

/// Whether a request with this head is of this method and has this word in it.
fn meets(head: &str, description: &str) -> bool {
    let (method, word) = description.split_once(' ').expect("a method and a word");
    head.starts_with(&format!("{method} ")) && head.contains(word)
}
