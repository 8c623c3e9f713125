//! A question before something that cannot be taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::exit::{Failure, Status};

/// Asks on the terminal whether to do `what`; only `yes` will do. Without a terminal nobody can answer, so that the
/// command must say `--yes`.
pub(crate) fn confirm(what: &str, yes: bool, err: &mut dyn Write) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let message = format!("without a terminal nobody can be asked; add --yes to {what}");
        return Err(Failure::new(Status::Usage, message));
    }
    write!(err, "\n{what}? Only 'yes' will do: ", what = capitalised(what))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(Status::Failed, "not confirmed, nothing was changed"))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
