//! A TLS connection that the test has in its hand.

use std::{
    io::{self, BufReader, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tidelock_testkit::{Response, read_response};

use crate::authority::Pair;

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A debug build on a busy machine; what is waited for takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the server at `HOST:PORT`, whose certificate `ca` must have signed; the handshake is over.
pub(crate) fn connect(authority: &str, ca: &Path, own: Option<&Pair>) -> io::Result<BufReader<Stream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_file(&pair.cert).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let (host, _) = authority.rsplit_once(':').unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(authority)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(session, socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(BufReader::new(stream))
}

/// Sends, and reads the answer.
pub(crate) fn ask(stream: &mut BufReader<Stream>, request: &[u8]) -> io::Result<Response> {
    stream.get_mut().write_all(request)?;
    read_response(stream, false)
}

/// The certificate that the server has shown.
pub(crate) fn shown(stream: &BufReader<Stream>) -> CertificateDer<'static> {
    stream.get_ref().conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}
