//! A raw HTTP/1.1 client with SigV4 by the AWS SDK's own signer: what it sends is what the test wrote.
//!
//! An SDK mends and retries, and so hides what a server does to a request that is wrong or cut short.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use md5::{Digest, Md5};

use crate::{REGION, server::Credentials};

/// Longer than a server holds any request.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A request to be signed and sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query, percent-encoded as they go over the wire.
    pub target: String,
    /// Headers beside `host`, `content-length` and those of the signature.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The service in the credential scope.
    pub service: &'static str,
    /// When it says it was signed.
    pub time: SystemTime,
}

impl Request {
    /// A request that will be signed for S3, if it is signed at all.
    #[must_use]
    pub fn new(method: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            service: "s3",
            time: SystemTime::now(),
        }
    }

    /// A request of the DynamoDB door.
    #[must_use]
    pub fn dynamodb(operation: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = Self {
            service: "dynamodb",
            ..Self::new("POST", "/", body)
        };
        request
            .header("x-amz-target", &format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The AWS error code, of an XML body (`<Code>`) or a JSON one (`__type`, without its namespace).
    #[must_use]
    pub fn code(&self) -> String {
        let text = self.text();
        if let Some((_, rest)) = text.split_once("<Code>") {
            return rest.split("</Code>").next().unwrap_or_default().to_owned();
        }
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        json["__type"]
            .as_str()
            .and_then(|code| code.rsplit('#').next())
            .unwrap_or_default()
            .to_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

/// One connection at a time to one server, kept alive between requests.
#[derive(Debug)]
pub struct Client {
    authority: String,
    credentials: Credentials,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of `HOST:PORT`; connects with the first request.
    #[must_use]
    pub fn new(authority: &str, credentials: Credentials) -> Self {
        Self {
            authority: authority.to_owned(),
            credentials,
            connection: None,
        }
    }

    /// Signs and sends, and reads the answer; panics where there is none.
    pub fn send(&mut self, request: &Request) -> Response {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("no answer to {} {}: {error}", request.method, request.target))
    }

    /// Signs and sends, and reads the answer; an error leaves it open whether the request was carried out.
    ///
    /// # Errors
    /// What the socket says, or an answer that is not HTTP.
    pub fn try_send(&mut self, request: &Request) -> io::Result<Response> {
        let bytes = self.signed_bytes(request);
        self.exchange(&bytes, request.method == "HEAD")
    }

    /// Sends with basic authentication, as the http backend does.
    ///
    /// # Errors
    /// What the socket says, or an answer that is not HTTP.
    pub fn try_send_basic(&mut self, request: &Request) -> io::Result<Response> {
        let bytes = self.basic_bytes(request);
        self.exchange(&bytes, request.method == "HEAD")
    }

    /// Sends with basic authentication; panics where there is no answer.
    pub fn send_basic(&mut self, request: &Request) -> Response {
        self.try_send_basic(request)
            .unwrap_or_else(|error| panic!("no answer to {} {}: {error}", request.method, request.target))
    }

    /// Sends these very bytes and, after a while, closes the connection without a look at the answer.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send_and_hang_up(&mut self, bytes: &[u8], after: Duration) -> io::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection.into_inner(),
            None => connect(&self.authority)?,
        };
        connection.write_all(bytes)?;
        std::thread::sleep(after);
        Ok(())
    }

    /// Sends these very bytes on a connection of their own and reads the answer.
    ///
    /// # Errors
    /// What the socket says, or an answer that is not HTTP.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<Response> {
        self.connection = None;
        self.exchange(bytes, false)
    }

    /// The request with basic authentication as it would go over the wire.
    #[must_use]
    pub fn basic_bytes(&self, request: &Request) -> Vec<u8> {
        let authorization = basic_auth(&self.credentials);
        let request = request.clone().header("authorization", &authorization);
        wire_bytes(&self.authority, &request)
    }

    /// The signed request as it would go over the wire.
    #[must_use]
    pub fn signed_bytes(&self, request: &Request) -> Vec<u8> {
        wire_bytes(&self.authority, &self.signed(request))
    }

    /// The request with the headers of its signature.
    #[must_use]
    pub fn signed(&self, request: &Request) -> Request {
        let credentials = &self.credentials;
        let identity = SigningCredentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            None,
            None,
            "test",
        )
        .into();
        let mut settings = SigningSettings::default();
        if request.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(request.service)
            .time(request.time)
            .settings(settings)
            .build()
            .expect("every parameter is set")
            .into();
        let given = |name: &str| request.headers.iter().find(|(key, _)| key == name);
        let host = given("host").map_or(self.authority.as_str(), |(_, value)| value);
        let payload = given("x-amz-content-sha256").map(|(_, value)| value.clone());
        let body = payload.map_or(SignableBody::Bytes(&request.body), SignableBody::Precomputed);
        let uri = format!("http://{host}{}", request.target);
        let headers = request
            .headers
            .iter()
            .filter(|(name, _)| !["host", "x-amz-content-sha256"].contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = headers.chain([("host", host)]);
        let signable =
            SignableRequest::new(&request.method, &uri, headers, body).expect("a well-formed request");
        let (instructions, _) = sign(signable, &params)
            .expect("a request can be signed")
            .into_parts();
        let mut signed = request.clone();
        for (name, value) in instructions.headers() {
            signed.headers.retain(|(key, _)| key != name);
            signed = signed.header(name, value);
        }
        signed
    }

    fn exchange(&mut self, bytes: &[u8], head: bool) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(connect(&self.authority)?),
        };
        // A server may refuse a request before it has read all of it, so a failed write is no reason not to read.
        let written = connection.get_mut().write_all(bytes);
        let response =
            read_response(&mut connection, head).map_err(|error| written.err().unwrap_or(error))?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

/// The value of an `authorization` header for basic authentication.
#[must_use]
pub fn basic_auth(credentials: &Credentials) -> String {
    let Credentials {
        access_key_id,
        secret_access_key,
    } = credentials;
    format!(
        "Basic {}",
        STANDARD.encode(format!("{access_key_id}:{secret_access_key}"))
    )
}

/// The value of a `content-md5` header for this body.
#[must_use]
pub fn content_md5(body: &[u8]) -> String {
    STANDARD.encode(Md5::digest(body))
}

/// The ETag that S3 gives an object of this content, which was put in one piece.
#[must_use]
pub fn etag(body: &[u8]) -> String {
    let hex: String = Md5::digest(body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{hex}\"")
}

/// Reads one HTTP/1.1 answer.
///
/// # Errors
/// What the socket says, or an answer that is not HTTP.
pub fn read_response(connection: &mut impl BufRead, head: bool) -> io::Result<Response> {
    loop {
        let (status, headers) = read_head(connection)?;
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if status == 100 {
            continue;
        }
        if !head && status != 204 && status != 304 {
            response.body = read_body(connection, &response)?;
        }
        return Ok(response);
    }
}

fn connect(authority: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Status and headers.
fn read_head(connection: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let first = read_line(connection)?;
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| bad(&format!("no status line but {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(connection: &mut impl BufRead, response: &Response) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = response.header("content-length") {
        let length: u64 = length.parse().map_err(|_| bad(length))?;
        connection.take(length).read_to_end(&mut body)?;
        let whole = body.len() as u64 == length;
        return whole
            .then_some(body)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
    }
    if response.header("transfer-encoding") != Some("chunked") {
        connection.read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        let line = read_line(connection)?;
        let length = u64::from_str_radix(&line, 16).map_err(|_| bad(&line))?;
        connection.take(length).read_to_end(&mut body)?;
        let _ = read_line(connection)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The request as it goes over the wire; a `host` or `content-length` of the test's own stands.
fn wire_bytes(authority: &str, request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    let has = |name: &str| request.headers.iter().any(|(key, _)| key == name);
    if !has("host") {
        head += &format!("host: {authority}\r\n");
    }
    if !has("content-length") && !has("transfer-encoding") {
        head += &format!("content-length: {}\r\n", request.body.len());
    }
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}
