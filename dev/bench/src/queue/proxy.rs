//! A clock between Terraform and the server: passes every byte on as it is, and notes when each request came and was answered.
//!
//! Both servers are timed at the same place by the same clock, which no log of theirs would allow. Every client has a
//! port of its own, so that a request tells whose it is without being read any further than its first line.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result};

use super::line::{Exchange, What};

/// More than a lock request or a small state, so that neither is cut in two.
const PIECE_BYTES: usize = 64 << 10;

/// The exchanges of one race. The threads end with the process: nobody is left to connect once a race is over.
#[derive(Clone)]
pub(crate) struct Proxy {
    authority: String,
    began: Instant,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Proxy {
    /// A way to this server, with the clock at zero.
    pub(crate) fn new(authority: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            began: Instant::now(),
            exchanges: Arc::default(),
        }
    }

    /// Opens a port for this client, and returns its `http://HOST:PORT`.
    pub(crate) fn door(&self, client: usize) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let proxy = self.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                // A client whose server is not there sees its connection closed, as it would without us.
                let _ = proxy.join(client, &connection);
            }
        });
        Ok(endpoint)
    }

    /// Seconds since the clock was at zero.
    pub(crate) fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// All exchanges so far, in the order of the requests.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.noted().clone()
    }

    fn noted(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().expect("no holder panics")
    }

    /// Copies in both directions, in threads of their own, until either side is done.
    fn join(&self, client: usize, connection: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(&self.authority)?;
        connection.set_nodelay(true)?;
        server.set_nodelay(true)?;
        // HTTP/1.1 without pipelining, which no AWS SDK does: what comes after an answer is the next request.
        let open: Arc<Mutex<Option<usize>>> = Arc::default();
        let (proxy, opened) = (self.clone(), Arc::clone(&open));
        copy(connection.try_clone()?, server.try_clone()?, move |piece| {
            let mut open = opened.lock().expect("no holder panics");
            open.get_or_insert_with(|| proxy.note_request(client, piece));
        });
        let proxy = self.clone();
        copy(server, connection.try_clone()?, move |piece| {
            let mut open = open.lock().expect("no holder panics");
            if let Some(number) = open.take_if(|_| !piece.starts_with(b"HTTP/1.1 100")) {
                proxy.note_answer(number, piece);
            }
        });
        Ok(())
    }

    fn note_request(&self, client: usize, piece: &[u8]) -> usize {
        let asked = self.now();
        let mut exchanges = self.noted();
        exchanges.push(Exchange {
            client,
            what: what(piece),
            asked,
            answered: None,
            status: 0,
        });
        exchanges.len() - 1
    }

    fn note_answer(&self, number: usize, piece: &[u8]) {
        let answered = self.now();
        let exchange = &mut self.noted()[number];
        exchange.answered = Some(answered);
        exchange.status = status(piece).unwrap_or_default();
    }
}

/// Shows each piece to `note` before it passes it on, and closes both sides at the end.
fn copy(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8]) + Send + 'static) {
    thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(len @ 1..) = from.read(&mut piece) {
            note(&piece[..len]);
            if to.write_all(&piece[..len]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}

/// What the request that begins here asks for.
fn what(piece: &[u8]) -> What {
    let piece = String::from_utf8_lossy(piece);
    let mut words = piece.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    match (method, path.ends_with(".tflock")) {
        ("PUT", true) => What::Take,
        ("DELETE", true) => What::Release,
        ("PUT", false) => What::StateWrite,
        _ => What::Other,
    }
}

/// The status of the answer that begins here.
fn status(piece: &[u8]) -> Option<u16> {
    let digits = piece.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    /// Answers one connection's requests of no body with these answers, in turn.
    fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            for answer in answers {
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    connection.read_line(&mut line).unwrap();
                }
                connection.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        authority
    }

    #[test]
    fn every_request_of_a_connection_is_noted_with_its_client_and_its_answer() {
        let authority = server(vec![
            "HTTP/1.1 412 No\r\n\r\n",
            "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ]);
        let proxy = Proxy::new(&authority);
        let endpoint = proxy.door(7).unwrap();
        let mut client = TcpStream::connect(endpoint.trim_start_matches("http://")).unwrap();
        let mut answer = [0; 256];
        client
            .write_all(b"PUT /b/k.tflock?x-id=PutObject HTTP/1.1\r\n\r\n")
            .unwrap();
        let len = client.read(&mut answer).unwrap();
        assert_eq!(&answer[..len], b"HTTP/1.1 412 No\r\n\r\n");
        client.write_all(b"DELETE /b/k.tflock HTTP/1.1\r\n\r\n").unwrap();
        let _ = client.read(&mut answer).unwrap();
        let noted = proxy.exchanges();
        assert_eq!(
            (noted[0].client, noted[0].what, noted[0].status),
            (7, What::Take, 412)
        );
        assert_eq!((noted[1].client, noted[1].what), (7, What::Release));
        assert!(noted[0].answered.unwrap() <= noted[1].asked);
    }

    #[test]
    fn a_request_is_known_by_its_first_line() {
        assert_eq!(what(b"PUT /b/k HTTP/1.1\r\nhost: x\r\n"), What::StateWrite);
        assert_eq!(what(b"GET /b/k.tflock HTTP/1.1\r\n"), What::Other);
        assert_eq!(what(b"\xff\xfe"), What::Other);
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.1 2"), None);
    }
}
