//! The end of a process at any moment: a way to several servers that ends for good at the N-th request, before the server has
//! it or before its answer is back.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use tokio::sync::Notify;

/// On which side of the server it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Before,
    After,
}

/// Counts the requests to all its servers together. Its threads end with their connections.
#[derive(Clone)]
pub(crate) struct Cut {
    at: usize,
    end: End,
    seen: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    over: Arc<Notify>,
}

impl Cut {
    pub(crate) fn new(at: usize, end: End) -> Cut {
        Cut {
            at,
            end,
            seen: Arc::default(),
            is_over: Arc::default(),
            over: Arc::default(),
        }
    }

    /// Its endpoint for this one.
    pub(crate) fn to(&self, endpoint: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let authority = endpoint.trim_start_matches("http://").to_owned();
        let cut = self.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if cut.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let server = TcpStream::connect(&authority).unwrap();
                let cut = cut.clone();
                thread::spawn(move || cut.pass(client, server));
            }
        });
        format!("http://{address}")
    }

    /// Answers what `work` does, or `None` when it has come to its end first: then it is dropped where it stands.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.over.notified() => None,
            done = work => Some(done),
        }
    }

    /// One request at a time, as clients of HTTP/1.1 send them.
    fn pass(&self, mut client: TcpStream, mut server: TcpStream) {
        let mut piece = [0; 64 << 10];
        let is_answered = Arc::new(AtomicBool::new(true));
        let (mut answers, mut asking) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let (cut, answered) = (self.clone(), Arc::clone(&is_answered));
        let last = Arc::new(AtomicBool::new(false));
        let is_last = Arc::clone(&last);
        thread::spawn(move || {
            let mut piece = [0; 64 << 10];
            while let Ok(len @ 1..) = answers.read(&mut piece) {
                if is_last.load(Ordering::SeqCst) {
                    cut.finish();
                    break;
                }
                answered.store(true, Ordering::SeqCst);
                if asking.write_all(&piece[..len]).is_err() {
                    break;
                }
            }
            let _ = asking.shutdown(Shutdown::Both);
        });
        while let Ok(len @ 1..) = client.read(&mut piece) {
            if is_answered.swap(false, Ordering::SeqCst) {
                let number = self.seen.fetch_add(1, Ordering::SeqCst);
                match (number == self.at, self.end) {
                    (true, End::Before) => {
                        self.finish();
                        break;
                    }
                    (true, End::After) => last.store(true, Ordering::SeqCst),
                    (false, _) => {}
                }
            }
            if server.write_all(&piece[..len]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn finish(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.over.notify_one();
    }
}
