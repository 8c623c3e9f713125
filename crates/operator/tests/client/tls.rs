//! TLS: whom the client trusts.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::stub::{answer, client_of};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/client/certificates")
        .join(name)
}

/// A server for `localhost` whose certificate an authority of ours has signed.
async fn server() -> String {
    let chain = CertificateDer::pem_file_iter(file("server.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (acceptor, listener) = (
        TlsAcceptor::from(Arc::new(config)),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust us hangs up in the middle.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 16_384];
            let _ = stream.read(&mut request).await;
            let body = "<VersioningConfiguration/>";
            let _ = stream.write_all(answer(200, "", body).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn a_certificate_of_the_bundle_is_trusted_and_no_other() {
    let endpoint = server().await;
    for (bundle, trusted) in [("ca.pem", true), ("other.pem", false)] {
        let bundle = file(bundle);
        let client = client_of(
            &[
                ("AWS_ACCESS_KEY_ID", "A"),
                ("AWS_SECRET_ACCESS_KEY", "s"),
                ("AWS_ENDPOINT_URL", &endpoint),
                ("AWS_CA_BUNDLE", bundle.to_str().unwrap()),
            ],
            None,
        );
        match client.get_bucket_versioning("tfstate").await {
            Ok(_) => assert!(trusted),
            Err(why) => assert!(!trusted && why.to_string().contains("certificate"), "{why}"),
        }
    }
}
