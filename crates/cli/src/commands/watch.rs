//! `tidelock watch`: says which locks are held for too long, on the terminal, to a webhook, and by its exit status.

mod told;

use std::{io::Write, process::ExitCode, time::Duration};

use serde::Serialize;
use tidelock_core::limits::LOCKS_SHOWN_MAX;
use tokio::time;

use self::told::{News, Told};
use super::{
    held::Held,
    old::{Seen, Source},
};
use crate::{
    args,
    duration::written,
    exit::{Failure, Status},
    shell,
    signals::Signals,
    stock::wait,
    webhook::Webhook,
};

/// What is known of who was told what.
struct Watch {
    source: Source,
    older_than: Duration,
    webhook: Option<Webhook>,
    json: bool,
    printed: Told,
    posted: Told,
}

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    now_ms: i64,
    #[serde(flatten)]
    held: &'a Held,
}

/// Looks once, or until a signal ends it.
pub(crate) fn run(
    arguments: args::Watch,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let webhook = webhook(arguments.webhook)?;
    let source = Source::find(arguments.prefix.as_deref(), arguments.configuration, err);
    let mut watch = Watch {
        source: source.map_err(super::trouble)?,
        older_than: arguments.older_than,
        webhook,
        json: arguments.json,
        printed: Told::default(),
        posted: Told::default(),
    };
    if arguments.once {
        let seen = wait(watch.look(out)).map_err(super::trouble)?;
        if seen.old.is_empty() && !watch.json {
            writeln!(out, "No lock is held for longer than {}.", watch.span())?;
        }
        return Ok(match seen.old.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Status::Failed as u8),
        });
    }
    wait(async {
        let mut signals = Signals::listen()?;
        loop {
            let ended = tokio::select! {
                _ = signals.next() => true,
                looked = watch.look(out) => {
                    report(looked, err)?;
                    false
                }
            };
            let ended = ended || time::timeout(arguments.every, signals.next()).await.is_ok();
            if ended {
                return Ok(ExitCode::SUCCESS);
            }
        }
    })
}

/// Read here and not with the other arguments, since clap shows what it does not take, and the URL may be a secret.
fn webhook(url: Option<String>) -> Result<Option<Webhook>, Failure> {
    let url = url.filter(|url| !url.is_empty());
    let wrong = |why: String| Failure::new(Status::Usage, format!("--webhook (or TIDELOCK_WEBHOOK): {why}"));
    url.map(|url| url.parse().map_err(wrong)).transpose()
}

/// A look that failed is said and made good by the next one; who cannot be told anything any more is the end.
fn report(looked: Result<Seen, Failure>, err: &mut dyn Write) -> Result<(), Failure> {
    match looked {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_closed_pipe() => Err(failure),
        Err(failure) => Ok(writeln!(err, "tidelock: {:#}", failure.error)?),
    }
}

impl Watch {
    /// Looks, prints and posts what is new. What was not posted is new again at the next look.
    async fn look(&mut self, out: &mut dyn Write) -> Result<Seen, Failure> {
        let mut seen = whole(self.source.older(self.older_than).await?)?;
        let news = self.printed.news(&seen.old);
        self.print(&news, seen.now_ms, out)?;
        self.printed.take(news);
        if let Some(webhook) = &self.webhook {
            let news = self.posted.news(&seen.old);
            if !news.is_none() {
                webhook
                    .post(&news.document(seen.now_ms, millis(self.older_than)))
                    .await?;
                self.posted.take(news);
            }
        }
        // The locks that can be read are told of all the same.
        seen.left_out.take().map_or(Ok(seen), Err)
    }

    fn print(&self, news: &News, now_ms: i64, out: &mut dyn Write) -> Result<(), Failure> {
        let old = news.old.iter().map(|held| ("old", held));
        let ended = news.ended.iter().map(|held| ("ended", held));
        for (event, held) in old.chain(ended) {
            let line = match (self.json, event) {
                (true, _) => {
                    serde_json::to_string(&Line { event, now_ms, held }).map_err(anyhow::Error::from)?
                }
                (false, "old") => format!("old    {}", held.line(now_ms)),
                (false, _) => format!("ended  {}", held.name()),
            };
            writeln!(out, "{line}")?;
        }
        Ok(out.flush()?)
    }

    fn span(&self) -> String {
        written(millis(self.older_than))
    }
}

/// A part of the locks says nothing about the rest, and what is pushed out of it has not ended.
fn whole(seen: Seen) -> Result<Seen, Failure> {
    if seen.more {
        let message = format!(
            "the server has more than the {LOCKS_SHOWN_MAX} locks that it shows at once; watch them in parts: {} watch PREFIX",
            shell::own_name()
        );
        return Err(Failure::new(Status::Failed, message));
    }
    Ok(seen)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_locks_is_not_taken_for_all_of_them() {
        assert!(whole(Seen::default()).is_ok());
        let part = Seen {
            more: true,
            ..Seen::default()
        };
        assert!(whole(part).is_err());
    }
}
