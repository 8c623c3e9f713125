//! The flags of `tidelock serve` about TLS.

use std::path::PathBuf;

use clap::{Args, builder::FalseyValueParser};

#[derive(Args, Default)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Tls {
    /// A PEM file with the server's certificate, and those between it and its authority; read again when it changes
    #[arg(long, env = "TIDELOCK_TLS_CERT", value_name = "FILE", hide_env_values = true)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's key; read again when it changes
    #[arg(long, env = "TIDELOCK_TLS_KEY", value_name = "FILE", hide_env_values = true)]
    pub(crate) tls_key: Option<PathBuf>,
    /// A PEM file with authorities: only clients with a certificate of one of them are let in
    #[arg(
        long,
        env = "TIDELOCK_TLS_CLIENT_CA",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Make an authority and a certificate in the data directory, for a first try
    #[arg(long, env = "TIDELOCK_TLS_SELF_SIGNED", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) tls_self_signed: bool,
    /// Listen beyond this machine without TLS, behind a proxy that does TLS
    #[arg(long, env = "TIDELOCK_PLAIN_HTTP", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) plain_http: bool,
}
