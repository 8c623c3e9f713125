//! `tidelock serve`: starts, says what to type next, and stops when it is told to.

use std::io::{self, Write};

use tokio::runtime::Runtime;

use crate::{
    args,
    audit_log::Collector,
    config::{self, Settings, Transport},
    data_dir::DataDir,
    exit::{Failure, Status},
    log, open_files,
    server::Server,
    shell,
    signals::Signals,
};

/// Added to a signal's number, it is the exit status of a program that the signal ended.
const ENDED_BY_SIGNAL: i32 = 128;

const BACKEND: &str = r#"  terraform {
    backend "s3" {
      bucket       = "tfstate"
      key          = "example/terraform.tfstate"
      region       = "us-east-1"
      use_lockfile = true
    }
  }"#;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(arguments: args::Serve, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let settings = config::settings(arguments)?;
    log::start(settings.log_format);
    Runtime::new()?.block_on(serve(settings, out))
}

async fn serve(settings: Settings, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    open_files::raise();
    let mut notes = Vec::new();
    check_listen(&settings).await?;
    let data = DataDir::prepare(settings.data.clone(), &mut notes)?;
    data.tighten_secrets(&mut notes)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    let is_collected = settings.collector == Some(Collector::Stdout);
    let server = Server::start(data, settings).await?;
    // A reader that has gone away, as in `serve | head`, is no reason not to serve.
    let _ = match is_collected {
        true => greet(&server, &mut io::stderr()),
        false => greet(&server, out),
    };
    signals.next().await;
    tracing::info!(
        "stopping: no new requests, those in flight are finished; a second signal ends it at once"
    );
    tokio::select! {
        stopped = server.stop() => stopped,
        number = signals.next() => std::process::exit(ENDED_BY_SIGNAL + number),
    }
}

/// What everybody on the way could read is not sent beyond this machine, unless somebody has said that it is meant.
async fn check_listen(settings: &Settings) -> Result<(), Failure> {
    if settings.transport != Transport::Loopback {
        return Ok(());
    }
    // A name that leads nowhere is an error of its own, later.
    let addresses = tokio::net::lookup_host(&settings.listen).await.ok();
    let mut beyond = addresses
        .into_iter()
        .flatten()
        .map(|address| address.ip().to_canonical());
    match beyond.find(|ip| !ip.is_loopback()) {
        None => Ok(()),
        Some(ip) => Err(Failure::new(
            Status::Usage,
            format!(
                "{ip} can be reached from other machines, and without TLS states and keys could be read on the way: give \
                 --tls-cert and --tls-key, or --tls-self-signed for a first try; behind a proxy that does TLS, say --plain-http"
            ),
        )),
    }
}

fn greet(server: &Server, out: &mut dyn Write) -> io::Result<()> {
    let (version, endpoint, data) = (
        env!("CARGO_PKG_VERSION"),
        &server.endpoint().url,
        server.data().path().display(),
    );
    writeln!(out, "Tidelock {version} at {endpoint}, data in {data}")?;
    let (own, place) = (
        shell::own_name(),
        shell::quoted(&server.data().path().to_string_lossy()),
    );
    let next = format!("eval \"$({own} env --data {place})\"");
    if !server.is_first_start() {
        writeln!(out, "Next, in another terminal: {next}")?;
        greet_strangers(server, out)?;
        return out.flush();
    }
    writeln!(
        out,
        "Ready: credentials, root key, bucket tfstate (versioned), table terraform-locks.\n"
    )?;
    writeln!(out, "In your Terraform configuration:\n\n{BACKEND}\n")?;
    writeln!(
        out,
        "Next, in another terminal, beside that configuration:\n\n  {next}\n  terraform init"
    )?;
    greet_strangers(server, out)?;
    writeln!(out, "\nCtrl-C stops the server.")?;
    out.flush()
}

/// What clients need that do not use the line for the next terminal: `env` has it in it.
fn greet_strangers(server: &Server, out: &mut dyn Write) -> io::Result<()> {
    let Some(ca) = &server.endpoint().ca else {
        return Ok(());
    };
    let ca = shell::quoted(&ca.to_string_lossy());
    writeln!(
        out,
        "\nThe certificate is the server's own. Who trusts it, here or with a copy of that file elsewhere:\n\n  \
         export AWS_CA_BUNDLE={ca}                                   # AWS clients, backend \"s3\", tidelock\n  \
         export TF_HTTP_CLIENT_CA_CERTIFICATE_PEM=\"$(cat {ca})\"   # backend \"http\""
    )
}
