//! A network between client and server that loses answers: the server has done its part, the client never hears of it.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Passes bytes on to a server, but breaks the connection instead of passing on the answers it was told to lose.
///
/// Its threads end with the process; tests are short.
#[derive(Debug)]
pub struct LossyProxy {
    endpoint: String,
    to_lose: Arc<Mutex<Vec<&'static str>>>,
}

impl LossyProxy {
    /// A way to `HOST:PORT` that loses the answer to the first request of each of these descriptions.
    ///
    /// A description is a method and a word of the request's head, as `PUT .tflock`.
    #[must_use]
    pub fn start(authority: &str, to_lose: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let to_lose = Arc::new(Mutex::new(to_lose));
        let (authority, descriptions) = (authority.to_owned(), Arc::clone(&to_lose));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(&authority) {
                    let _ = join(&client, &server, &descriptions);
                }
            }
        });
        Self {
            endpoint: format!("http://{address}"),
            to_lose,
        }
    }

    /// `http://HOST:PORT` for the client.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The descriptions that no request has met yet.
    #[must_use]
    pub fn not_lost_yet(&self) -> Vec<&'static str> {
        self.to_lose.lock().expect("no thread panics with it").clone()
    }
}

/// Copies in both directions, in threads of their own, until either side is done.
fn join(client: &TcpStream, server: &TcpStream, to_lose: &Arc<Mutex<Vec<&'static str>>>) -> io::Result<()> {
    let losing = Arc::new(AtomicBool::new(false));
    let (to_lose, lost) = (Arc::clone(to_lose), Arc::clone(&losing));
    copy(client.try_clone()?, server.try_clone()?, move |head| {
        let mut descriptions = to_lose.lock().expect("no thread panics with it");
        if let Some(place) = descriptions
            .iter()
            .position(|description| meets(head, description))
        {
            descriptions.remove(place);
            lost.store(true, Ordering::SeqCst);
        }
        true
    });
    copy(server.try_clone()?, client.try_clone()?, move |_| {
        !losing.load(Ordering::SeqCst)
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

/// Whether a request that begins here is of this method and has this word in its head.
fn meets(piece: &[u8], description: &str) -> bool {
    let piece = String::from_utf8_lossy(piece);
    let head = piece.split("\r\n\r\n").next().unwrap_or_default();
    let (method, word) = description.split_once(' ').expect("a method and a word");
    head.starts_with(&format!("{method} ")) && head.contains(word)
}
