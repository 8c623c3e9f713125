//! A server that gives the answers it was given, one a request, and remembers what it was asked.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use tidelock_operator::{
    aws::{Access, Environment, Settings, Wanted},
    layout::Layout,
    s3::Client,
};

/// One request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The header of this name; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub(crate) struct Stub {
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Each connection serves one request; an empty answer closes it without one.
    pub(crate) fn start(answers: impl IntoIterator<Item = String>) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mut answers, heard) = (answers.into_iter().collect::<VecDeque<_>>(), Arc::clone(&asked));
        thread::spawn(move || {
            while let Some(answer) = answers.pop_front() {
                let (stream, _) = listener.accept().unwrap();
                // Whoever has heard enough may leave.
                let _ = serve(&stream, &heard, &answer);
            }
        });
        Stub { endpoint, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, heard: &Mutex<Vec<Asked>>, answer: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut asked = Asked {
        line: lines.remove(0),
        ..Asked::default()
    };
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        asked
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    asked
        .body
        .resize(asked.header("content-length").parse().unwrap_or_default(), 0);
    reader.read_exact(&mut asked.body)?;
    heard.lock().unwrap().push(asked);
    let mut stream = stream;
    stream.write_all(answer.as_bytes())
}

/// An answer as it goes over the wire.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A client of the stub with a key of the environment.
pub(crate) fn client(stub: &Stub) -> Client {
    let key = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", stub.endpoint.as_str()),
    ];
    client_of(&key, None)
}

/// A client of an environment that has nothing but these variables.
pub(crate) fn client_of(variables: &[(&str, &str)], profile: Option<&str>) -> Client {
    let none = [("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let variables = none
        .iter()
        .chain(variables)
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let wanted = Wanted {
        profile: profile.map(str::to_owned),
        ..Wanted::default()
    };
    Client::new(Settings::load(Environment::new(variables), wanted).unwrap()).unwrap()
}

/// The bucket `tfstate` of the stub, and this table.
pub(crate) fn layout(stub: &Stub, table: Option<&str>) -> Layout {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_ENDPOINT_URL", stub.endpoint.as_str()),
        ("HOME", "/nonexistent"),
    ];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let settings = Settings::load(Environment::new(variables), Wanted::default()).unwrap();
    let access = Access::new(settings).unwrap();
    Layout::new(access, "tfstate".to_owned(), table.map(str::to_owned)).unwrap()
}
