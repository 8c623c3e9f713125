//! `tidelock serve`: starts, says what to type next, and stops when it is told to.

use std::io::{self, Write};

use tokio::runtime::Runtime;

use crate::{
    args, config, config::Settings, data_dir::DataDir, exit::Failure, log, open_files, server::Server, shell,
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
    let data = DataDir::prepare(settings.data, &mut notes)?;
    data.tighten_secrets(&mut notes)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    let server = Server::start(data, &settings.listen, &settings.root_key, settings.service).await?;
    if !server.address().ip().is_loopback() {
        tracing::warn!(
            address = %server.address(),
            "plain HTTP beyond this machine: states, and passwords of the http backend, can be read on the way"
        );
    }
    // A reader that has gone away, as in `serve | head`, is no reason not to serve.
    let _ = greet(&server, out);
    signals.next().await;
    tracing::info!(
        "stopping: no new requests, those in flight are finished; a second signal ends it at once"
    );
    tokio::select! {
        stopped = server.stop() => stopped,
        number = signals.next() => std::process::exit(ENDED_BY_SIGNAL + number),
    }
}

fn greet(server: &Server, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let (version, endpoint, data) = (
        env!("CARGO_PKG_VERSION"),
        server.endpoint(),
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
        return out.flush();
    }
    writeln!(
        out,
        "Ready: credentials, root key, bucket tfstate (versioned), table terraform-locks.\n"
    )?;
    writeln!(out, "In your Terraform configuration:\n\n{BACKEND}\n")?;
    writeln!(
        out,
        "Next, in another terminal, beside that configuration:\n\n  {next}\n  terraform init\n"
    )?;
    writeln!(out, "Ctrl-C stops the server.")?;
    out.flush()
}
