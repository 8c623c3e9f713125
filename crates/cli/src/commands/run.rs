//! `tidelock run`: a command whose locks end with it, because somebody renews their lease only while it lives.

mod child;
mod environment;
mod lease;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use tidelock_core::limits::{LEASE_MS_MAX, LEASE_MS_MIN};
use tokio::runtime;

use crate::{
    admin::Admin,
    args,
    exit::{Failure, Status},
    world,
};
use child::{Child, Signals};
use lease::Lease;

/// Bytes of randomness in a run's ID: nobody draws one twice, and it leaves room in `AWS_SDK_UA_APP_ID`.
const ID_BYTES: usize = 10;

/// Runs the command to its end; answers its exit status.
pub(crate) fn run(arguments: args::Run, err: &mut (dyn Write + Send)) -> Result<ExitCode, Failure> {
    let lease_ms = u64::try_from(arguments.lease.as_millis()).unwrap_or(u64::MAX);
    if !(LEASE_MS_MIN..=LEASE_MS_MAX).contains(&lease_ms) {
        return Err(usage("a lease lasts 5s to 24h"));
    }
    let words = arguments.token.unwrap_or_default();
    if !environment::are_words(&words) {
        return Err(usage("a token is up to 128 visible ASCII characters and spaces"));
    }
    let admin = match arguments.profile {
        Some(name) => Admin::of_profile(&name)?,
        None => Admin::find(arguments.place)?,
    };
    let id = hex::encode(world::random::<ID_BYTES>());
    let variables = environment::variables(&id, &words, &admin, |name| {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    });
    let waiting = runtime::Builder::new_current_thread().enable_all().build()?;
    waiting.block_on(async {
        let lease = Lease::begin(&admin, &id, arguments.lease).await?;
        let ended = supervise(&arguments.command, variables, &lease, err).await;
        if let Err(why) = lease.end().await {
            let rest = arguments.lease.as_secs();
            warn(
                err,
                &format!(
                    "the run did not end in good order: {why}; what it left locked is free within {rest} s"
                ),
            );
        }
        ended
    })
}

/// Starts the command, renews its lease and passes signals on until it has ended.
async fn supervise(
    command: &[std::ffi::OsString],
    variables: environment::Variables,
    lease: &Lease<'_>,
    err: &mut (dyn Write + Send),
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut child = Child::start(command, variables).map_err(|fault| cannot_start(command, &fault))?;
    let mut renewing = std::pin::pin!(lease.keep(|what| warn(err, what)));
    loop {
        tokio::select! {
            ended = child.ended() => return Ok(ended?),
            signal = signals.next() => child.pass_on(signal),
            () = &mut renewing => {}
        }
    }
}

fn cannot_start(command: &[std::ffi::OsString], fault: &io::Error) -> Failure {
    let status = match fault.kind() {
        io::ErrorKind::NotFound => Status::NoCommand,
        _ => Status::CannotRun,
    };
    let name = command
        .first()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    Failure::new(status, format!("cannot run {name}: {fault}"))
}

fn usage(message: &str) -> Failure {
    Failure::new(Status::Usage, message)
}

/// What the user should know while the command goes on.
fn warn(err: &mut (dyn Write + Send), what: &str) {
    // Where standard error is gone, the command still has to be looked after.
    let _ = writeln!(err, "tidelock: {what}");
}
