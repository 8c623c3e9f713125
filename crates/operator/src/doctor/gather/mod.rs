//! Asking the services what the doctor judges: one part after the other, each judged as soon as it was seen.

mod bucket;
mod permissions;
mod query;
mod scratch;
mod states;
mod way;

use std::{fmt::Display, ops::ControlFlow, sync::Arc};

use super::{
    Event, Options, Tell,
    facts::{Fact, Outcome, Refusal, Setup},
    judge,
};
use crate::{aws::Why, layout::Layout, s3};

/// Codes by which a request is denied; HEAD has no code.
const DENIED: [&str; 6] = [
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "Forbidden",
    "UnauthorizedAccess",
];

/// One look at everything.
pub(super) struct Examination<'a, 'b> {
    pub(super) layout: &'a Arc<Layout>,
    pub(super) setup: &'a Setup,
    pub(super) options: &'a Options,
    pub(super) tell: &'a mut Tell<'b>,
    /// Whether digests are known not to be had, so that it is said once and not of each page.
    pub(super) no_digests: bool,
}

impl Examination<'_, '_> {
    /// From what everything else needs to what takes longest.
    pub(super) async fn run(mut self) -> ControlFlow<()> {
        self.progress("the way to the store")?;
        if !self.way().await? {
            return ControlFlow::Continue(());
        }
        self.progress("the bucket")?;
        let (rules, retains) = self.bucket().await?;
        self.progress("the table")?;
        self.table().await?;
        self.progress("a scratch key")?;
        let scratch = self.scratch(retains).await?;
        self.progress("permissions")?;
        self.permissions(scratch).await?;
        self.progress("states")?;
        self.states(rules).await
    }

    fn judge(&mut self, fact: &Fact) -> ControlFlow<()> {
        for finding in judge::judge(self.setup, fact) {
            (self.tell)(Event::Finding(finding))?;
        }
        ControlFlow::Continue(())
    }

    fn skip(&mut self, what: impl Display) -> ControlFlow<()> {
        (self.tell)(Event::Skipped(what.to_string()))
    }

    fn progress(&mut self, what: impl Display) -> ControlFlow<()> {
        (self.tell)(Event::Progress(what.to_string()))
    }

    /// What was answered; else it is said what could not be looked at.
    fn seen<T, E: Display>(&mut self, what: &str, answer: Result<T, E>) -> ControlFlow<(), Option<T>> {
        match answer {
            Ok(seen) => ControlFlow::Continue(Some(seen)),
            Err(why) => {
                self.skip(format!("{what}: {why}"))?;
                ControlFlow::Continue(None)
            }
        }
    }
}

fn is_denied(code: Option<&str>) -> bool {
    code.is_some_and(|code| DENIED.contains(&code))
}

/// What came of trying something; where nobody answered, nothing was tried.
fn outcome<T>(answer: &Result<T, s3::Error>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Done,
        Err(error) => refusal(error).map_or(Outcome::NotTried, Outcome::Refused),
    }
}

fn refusal(error: &s3::Error) -> Option<Refusal> {
    match &error.why {
        Why::Refused { code, message, .. } => Some(Refusal {
            code: code.clone(),
            message: message.clone(),
        }),
        Why::NoAnswer { .. } | Why::Region(_) | Why::Foreign { .. } | Why::Unsigned(_) => None,
    }
}
