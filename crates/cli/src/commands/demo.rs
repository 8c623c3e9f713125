//! `tidelock demo`: two people apply to one state at the same moment, on a temporary server, with the user's own
//! Terraform or OpenTofu, so that what is shown is what they will see.

mod story;
mod terraform;

use std::{io::Write, path::Path};

use tokio::runtime::Runtime;

use crate::{
    args, config,
    data_dir::DataDir,
    exit::{Failure, Status},
    server::Server,
    signals::Signals,
};
use terraform::Terraform;

/// Runs the race and tells it; leaves nothing behind, also when it is interrupted.
pub(crate) fn run(arguments: args::Demo, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let directory = tempfile::Builder::new().prefix("tidelock-demo-").tempdir()?;
    Runtime::new()?.block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            told = tell(arguments, directory.path(), out) => told,
            _ = signals.next() => Err(Failure::new(Status::Failed, "interrupted")),
        }
    })
}

async fn tell(arguments: args::Demo, directory: &Path, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let terraform = Terraform::find(arguments.terraform, directory).await?;
    let data = DataDir::prepare(directory.join("data"), &mut Vec::new())?;
    let server = Server::start(data, config::Settings::of_demo(directory.join("data"))).await?;
    let told = story::tell(&terraform, &server, directory, out).await;
    server.stop().await?;
    told
}
