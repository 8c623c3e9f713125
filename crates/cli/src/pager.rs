//! Long output on a terminal goes through the user's pager, as git's does.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    process::{Child, Command, Stdio},
};

use anstream::{AutoStream, ColorChoice, StripStream};

use crate::{exit::Failure, shell, signals};

/// `F`: what fits the screen is just printed; `R`: colours; `X`: the text stays when the pager ends.
const LESS: &str = "FRX";

/// Has `print` write to the pager where standard output is a terminal, else to `out`. Who closes the pager has seen enough.
pub(crate) fn paged(
    out: &mut dyn Write,
    print: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(mut pager) = start() else {
        return print(out);
    };
    let pipe = pager.stdin.take().map(BufWriter::new);
    let printed = match pipe {
        Some(mut pipe) if AutoStream::choice(&io::stdout()) != ColorChoice::Never => whole(&mut pipe, print),
        Some(pipe) => whole(&mut StripStream::new(Box::new(pipe) as Box<dyn Write>), print),
        None => Ok(()),
    };
    pager.wait()?;
    match printed {
        Err(failure) if failure.is_closed_pipe() => Ok(()),
        printed => printed,
    }
}

fn whole(
    pipe: &mut dyn Write,
    print: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    print(pipe)?;
    Ok(pipe.flush()?)
}

/// The pager, started; nothing where there is no terminal or nothing to start.
fn start() -> Option<Child> {
    let is_screen = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    if !is_screen || !io::stdout().is_terminal() {
        return None;
    }
    let mut command = match env::var("PAGER") {
        Ok(given) if ["", "cat"].contains(&given.trim()) => return None,
        Ok(given) => {
            let mut command = Command::new("sh");
            command.args(["-c", &given]);
            if env::var_os("LESS").is_none() {
                command.env("LESS", LESS);
            }
            command
        }
        Err(_) => {
            let mut command = Command::new(shell::on_path("less")?);
            command.arg(format!("-{LESS}"));
            command
        }
    };
    // Ctrl-C is for the pager, which stays; the terminal is its own until it ends.
    signals::ignore_interrupts().ok()?;
    command.stdin(Stdio::piped()).spawn().ok()
}
