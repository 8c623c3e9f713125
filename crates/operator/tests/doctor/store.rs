//! An S3 in memory with the faults that a test gives it: as much of it as the doctor asks for.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

/// What it does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) ignores_conditions: bool,
    /// It looks whether the object is there, and writes when a second one has looked.
    pub(crate) checks_late: bool,
    pub(crate) refuses_conditions: bool,
    pub(crate) refuses_checksums: bool,
    pub(crate) refuses_checksum_mode: bool,
    pub(crate) reads_stale: bool,
    pub(crate) ignores_ranges: bool,
    pub(crate) rewrites_paths: bool,
    pub(crate) rewrites_headers: bool,
    pub(crate) clock_is_late: bool,
    pub(crate) denies_writes: bool,
    /// Versions may be listed, and not be deleted.
    pub(crate) denies_old_versions: bool,
    /// What is not there is denied, as AWS does to whom it lets list a few names only.
    pub(crate) hides_absence: bool,
    /// Writes must say how they are encrypted, as many a bucket's policy has it.
    pub(crate) wants_encryption: bool,
    pub(crate) keeps_uploads: bool,
}

pub(crate) struct Store {
    pub(crate) endpoint: String,
    inner: Arc<Inner>,
}

struct Inner {
    faults: Faults,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The bodies of each key, the oldest first.
    objects: BTreeMap<String, Vec<Vec<u8>>>,
    written: usize,
    /// Writers that have found no object.
    checked: usize,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Answer = (u16, String, Vec<u8>);

impl Store {
    pub(crate) fn start(faults: Faults) -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            faults,
            kept: Mutex::default(),
        });
        let served = inner.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, inner) = (stream.unwrap(), served.clone());
                // Whoever has heard enough may leave.
                thread::spawn(move || drop(serve(&stream, &inner)));
            }
        });
        Store { endpoint, inner }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.inner.kept().objects.keys().cloned().collect()
    }

    /// How many objects have been written.
    pub(crate) fn written(&self) -> usize {
        self.inner.kept().written
    }
}

fn serve(stream: &TcpStream, inner: &Inner) -> std::io::Result<()> {
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
    if lines.is_empty() {
        return Ok(());
    }
    let first = lines.remove(0);
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.iter().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![
        0;
        headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap())
    ];
    reader.read_exact(&mut body)?;
    let asked = Asked {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    };
    let (status, headers, body) = inner.answer(&asked);
    let ago = if inner.faults.clock_is_late { 600 } else { 0 };
    let date = jiff::Timestamp::now()
        .checked_sub(Duration::from_secs(ago))
        .unwrap()
        .strftime("%a, %d %b %Y %T GMT");
    let length = body.len();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nDate: {date}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    if asked.method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    fn answer(&self, asked: &Asked) -> Answer {
        if self.faults.rewrites_paths && asked.path.contains('%') {
            return error(403, "SignatureDoesNotMatch");
        }
        let key = asked.path.trim_start_matches("/states").trim_start_matches('/');
        match (asked.method.as_str(), key) {
            ("POST", "") => error(400, "InvalidAction"),
            ("POST" | "PUT", _)
                if self.faults.wants_encryption
                    && !asked.headers.contains_key("x-amz-server-side-encryption") =>
            {
                error(403, "AccessDenied")
            }
            ("DELETE", _) if self.faults.keeps_uploads && asked.query.starts_with("uploadId") => {
                error(403, "AccessDenied")
            }
            ("DELETE", _) if self.faults.denies_old_versions && asked.query.starts_with("versionId") => {
                error(403, "AccessDenied")
            }
            ("DELETE", key) if self.faults.denies_old_versions => {
                self.kept().objects.remove(key);
                (204, String::new(), Vec::new())
            }
            ("HEAD", key) if self.faults.hides_absence && !self.kept().objects.contains_key(key) => {
                error(403, "AccessDenied")
            }
            ("GET", "") => self.of_bucket(&asked.query),
            ("POST", _) if self.faults.denies_writes => error(403, "AccessDenied"),
            ("POST", _) => (
                200,
                String::new(),
                b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                    .to_vec(),
            ),
            ("PUT", key) => self.put(key, asked),
            ("DELETE", key) => {
                if asked.query.starts_with("versionId") {
                    let mut kept = self.kept();
                    let left = kept
                        .objects
                        .get_mut(key)
                        .map(|bodies| (bodies.pop(), bodies.len()));
                    if left.is_some_and(|(_, left)| left == 0) {
                        kept.objects.remove(key);
                    }
                }
                (204, String::new(), Vec::new())
            }
            (_, key) => self.get(key, asked),
        }
    }

    fn put(&self, key: &str, asked: &Asked) -> Answer {
        let faults = self.faults;
        if faults.denies_writes {
            return error(403, "AccessDenied");
        }
        if let Some(said) = asked.headers.get("x-amz-checksum-sha256") {
            let sent = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &asked.body);
            match base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sent) {
                _ if faults.refuses_checksums => return error(400, "InvalidArgument"),
                is if is != *said => return error(400, "BadDigest"),
                _ => {}
            }
        }
        let conditional = asked.headers.contains_key("if-none-match");
        if conditional && faults.refuses_conditions {
            return error(501, "NotImplemented");
        }
        let is_there =
            |kept: &Kept| conditional && !faults.ignores_conditions && kept.objects.contains_key(key);
        if faults.checks_late && conditional {
            if is_there(&self.kept()) {
                return error(412, "PreconditionFailed");
            }
            self.kept().checked += 1;
            while self.kept().checked < 2 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let mut kept = self.kept();
        if !faults.checks_late && is_there(&kept) {
            return error(412, "PreconditionFailed");
        }
        kept.written += 1;
        kept.objects
            .entry(key.to_owned())
            .or_default()
            .push(asked.body.clone());
        (200, "ETag: \"e\"\r\n".to_owned(), Vec::new())
    }

    fn get(&self, key: &str, asked: &Asked) -> Answer {
        let faults = self.faults;
        if faults.refuses_checksum_mode && asked.headers.contains_key("x-amz-checksum-mode") {
            return error(400, "InvalidArgument");
        }
        if faults.rewrites_headers && asked.headers.contains_key("accept-encoding") {
            return error(403, "SignatureDoesNotMatch");
        }
        let kept = self.kept();
        let Some(bodies) = kept.objects.get(key) else {
            return error(404, "NoSuchKey");
        };
        let old = usize::from(faults.reads_stale && bodies.len() > 1);
        let body = bodies[bodies.len() - 1 - old].clone();
        match asked.headers.contains_key("range") && !faults.ignores_ranges {
            true => (
                206,
                format!("Content-Range: bytes 0-1/{}\r\n", bodies.last().unwrap().len()),
                body[..2].to_vec(),
            ),
            false => (200, String::new(), body),
        }
    }

    /// A bucket that is set up well, with no state in it.
    fn of_bucket(&self, query: &str) -> Answer {
        let found = |body: &str| (200, String::new(), body.as_bytes().to_vec());
        let is = |name: &str| query.split(['&', '=']).any(|word| word == name);
        if is("versions") {
            return found(&self.versions());
        }
        if is("list-type") {
            return found("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
        }
        if is("versioning") {
            return found("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
        }
        if is("encryption") {
            return found(
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
                 </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
            );
        }
        // Whatever else there is, this store has never heard of.
        error(501, "NotImplemented")
    }

    fn versions(&self) -> String {
        let kept = self.kept();
        let mut listed = String::new();
        for (key, bodies) in &kept.objects {
            for number in 0..bodies.len() {
                listed.push_str(&format!(
                    "<Version><Key>{key}</Key><VersionId>{number}</VersionId><IsLatest>false</IsLatest>\
                     <LastModified>2026-11-21T00:00:00Z</LastModified><Size>3</Size></Version>"
                ));
            }
        }
        format!("<ListVersionsResult><IsTruncated>false</IsTruncated>{listed}</ListVersionsResult>")
    }
}

fn error(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>said so</Message></Error>");
    (status, String::new(), body.into_bytes())
}
