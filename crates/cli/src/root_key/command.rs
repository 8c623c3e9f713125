//! The root key as what a program prints, such as a vault's client: bounded in size and in time, and no shell.

use std::{io, process::Stdio, time::Duration};

use tidelock_core::limits::{ROOT_KEY_COMMAND_MS, ROOT_KEY_TEXT_BYTES_MAX};
use tokio::{
    io::AsyncReadExt,
    process::{ChildStdout, Command},
    time,
};
use zeroize::Zeroizing;

use super::text::TextError;
use crate::exit::{Failure, Status};

/// How long it may take.
pub(super) const LIMIT: Duration = Duration::from_millis(ROOT_KEY_COMMAND_MS);

/// What the program prints. Its errors go where ours go; it gets nothing to read.
pub(super) async fn output(words: &[String], limit: Duration) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| {
        let message = "`root_key` has an empty command: name a program and its arguments";
        Failure::new(Status::DataDirectory, message)
    })?;
    let failed = |why: String| {
        let message = format!("no root key: the command {program}, which `root_key` names, {why}");
        Failure::new(Status::DataDirectory, message)
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|fault| failed(format!("cannot be run: {fault}")))?;
    let stdout = child.stdout.take();
    let ended = async {
        let text = match stdout {
            Some(stdout) => read(stdout).await?,
            None => None,
        };
        // What prints without end is not waited for.
        let status = match text {
            Some(_) => Some(child.wait().await?),
            None => None,
        };
        io::Result::Ok((text, status))
    };
    let ended = time::timeout(limit, ended).await;
    let ended = ended.map_err(|_| failed(format!("did not end within {} s", limit.as_secs_f32())))?;
    match ended.map_err(|fault| failed(format!("cannot be read: {fault}")))? {
        (Some(text), Some(status)) if status.success() => Ok(text),
        (Some(_), Some(status)) => Err(failed(format!(
            "failed with {status}; what it said about that is on standard error"
        ))),
        _ => Err(failed(format!("is no good: {}", TextError::TooLong))),
    }
}

/// All that comes; `None` when it is too much. Without growing, which would leave copies of the key in the memory.
async fn read(mut stdout: ChildStdout) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut text = Zeroizing::new(vec![0; ROOT_KEY_TEXT_BYTES_MAX + 1]);
    let mut length = 0;
    while length < text.len() {
        match stdout.read(&mut text[length..]).await? {
            0 => {
                text.truncate(length);
                return Ok(Some(text));
            }
            read => length += read,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn output(words: &[&str], limit: Duration) -> Result<Vec<u8>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let output = waiting.block_on(super::output(&words, limit));
        output
            .map(|text| text.to_vec())
            .map_err(|failure| failure.error.to_string())
    }

    #[test]
    fn what_it_prints_is_the_text_and_its_words_go_through_no_shell() {
        assert_eq!(output(&["printf", "%s", "$HOME;*"], LIMIT).unwrap(), b"$HOME;*");
    }

    #[test]
    fn a_command_that_fails_is_named_without_its_arguments_and_its_output() {
        for (words, expected) in [
            (&["sh", "-c", "echo secret; exit 3"][..], "exit status: 3"),
            (&["sh", "-c", "echo secret; kill -9 $$"], "signal: 9"),
            (&["/no/such/program", "secret"], "cannot be run"),
            (&["yes", "secret"], "longer than"),
            (&[], "empty command"),
        ] {
            let failure = output(words, LIMIT).unwrap_err();
            assert!(failure.contains(expected), "{failure}");
            assert!(!failure.contains("secret"), "{failure}");
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let failure = output(&["sleep", "1000"], Duration::from_millis(50)).unwrap_err();
        assert!(failure.contains("did not end within 0.05 s"), "{failure}");
        // Its own end is not the end of what it prints.
        let closed = output(
            &["sh", "-c", "exec >&-; exec sleep 1000"],
            Duration::from_millis(50),
        );
        assert!(closed.unwrap_err().contains("did not end"));
    }
}
