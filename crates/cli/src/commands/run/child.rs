//! The command as a child process: it gets every signal once, and its exit status becomes ours.
//!
//! A signal reaches us in two ways. Sent to us alone (a CI runner, `kill PID`), it must be passed on. Sent to our whole
//! process group (Ctrl-C, `timeout`, a shell's `kill %1`), the child has it already, and Terraform takes a second one
//! as "abort at once". So where we do not lead our group we leave it to the child: from then on what reaches us was
//! meant for us alone. Where we lead it, which cannot be left, Ctrl-C and Ctrl-\ of our terminal are not passed on.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt,
    process::ExitCode,
};

use rustix::{
    process::{Pid, Signal, getpgrp, getpid, kill_process, setpgid},
    termios::tcgetpgrp,
};
use tokio::{
    process::{self, Command},
    signal::unix::{self, SignalKind, signal},
};

use super::environment::Variables;

/// Added to a signal's number, it is the exit status of a program that the signal ended.
const ENDED_BY_SIGNAL: i32 = 128;

/// The command while it runs.
pub(super) struct Child {
    process: process::Child,
    /// Whether we left our process group to it.
    apart: bool,
}

impl Child {
    pub(super) fn start(command: &[OsString], variables: Variables) -> io::Result<Child> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(variables);
        let group = getpgrp();
        // Left before the child is there: it must never share its group with us, not for a moment.
        if group != getpid() && setpgid(None, None).is_ok() {
            let started = command.process_group(group.as_raw_pid()).spawn();
            match started {
                Ok(process) => return Ok(Child { process, apart: true }),
                // We were the last of the group, and it is gone.
                Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => {
                    command.process_group(getpgrp().as_raw_pid());
                }
                Err(fault) => return Err(fault),
            }
        }
        let process = command.spawn()?;
        Ok(Child {
            process,
            apart: false,
        })
    }

    /// Waits for the end; answers what a shell would.
    pub(super) async fn ended(&mut self) -> io::Result<ExitCode> {
        let status = self.process.wait().await?;
        let code = status
            .code()
            .or(status.signal().map(|number| ENDED_BY_SIGNAL + number));
        Ok(ExitCode::from(
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX),
        ))
    }

    /// Sends the child what was sent to us, unless its terminal has sent it already.
    pub(super) fn pass_on(&self, signal: Signal) {
        let by_key = [Signal::INT, Signal::QUIT].contains(&signal);
        if by_key && !self.apart && is_in_foreground() {
            return;
        }
        // A child that was waited for has no ID; one that has just ended takes no signal.
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            let _ = kill_process(id, signal);
        }
    }
}

/// Whether what is typed at our terminal reaches our process group.
fn is_in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// The signals that are passed on.
pub(super) struct Signals([Option<unix::Signal>; 4]);

const PASSED_ON: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

impl Signals {
    /// Listens from now on. Whatever is ignored stays so, for the child too: `nohup` asks for that.
    pub(super) fn listen() -> io::Result<Signals> {
        let ignored = ignored();
        let mut heard = [const { None }; 4];
        for (slot, passed_on) in heard.iter_mut().zip(PASSED_ON) {
            let number = passed_on.as_raw();
            if ignored >> (number - 1) & 1 == 0 {
                *slot = Some(signal(SignalKind::from_raw(number))?);
            }
        }
        Ok(Signals(heard))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Signal {
        let [interrupt, terminate, hang_up, quit] = &mut self.0;
        tokio::select! {
            () = received(interrupt) => Signal::INT,
            () = received(terminate) => Signal::TERM,
            () = received(hang_up) => Signal::HUP,
            () = received(quit) => Signal::QUIT,
        }
    }
}

async fn received(heard: &mut Option<unix::Signal>) {
    match heard {
        Some(heard) => drop(heard.recv().await),
        None => std::future::pending().await,
    }
}

/// The signals that this process ignores, one bit each, where the system tells.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
