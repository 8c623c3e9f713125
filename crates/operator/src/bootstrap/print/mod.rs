//! A bucket and a table for states as code, for who keeps such things in code: what a plan comes to, what it found there
//! already as imports.

mod aws_cli;
mod backend;
mod cloudformation;
mod hcl;
mod rules;

pub use aws_cli::aws_cli;
pub use backend::backend;
pub use cloudformation::cloudformation;
pub use hcl::hcl;

use super::{Facts, Plan};

/// How it is reached, for code that has to say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// S3's endpoint, where it is not AWS's own.
    pub s3: Option<String>,
    /// DynamoDB's endpoint, where it is not AWS's own.
    pub dynamodb: Option<String>,
}

/// What a plan leaves out or could not mend, as comments; AWS's own defaults are no reason to be told of.
fn remarks(plan: &Plan) -> Vec<String> {
    use super::Verdict;
    let told = plan.settings.iter().filter_map(|setting| match &setting.verdict {
        Verdict::LeftOut(why) | Verdict::Impossible(why) => Some(format!("{}: {why}", setting.part)),
        _ => None,
    });
    told.chain(plan.notes.iter().cloned()).collect()
}

/// Lines of a comment; a text of somebody else's cannot end it.
fn comment(lines: &[String]) -> String {
    let line = |line: &String| format!("# {}\n", line.replace(['\n', '\r'], " "));
    lines.iter().map(line).collect()
}

impl Facts {
    fn has_encryption(&self) -> bool {
        self.bucket
            .as_ref()
            .is_some_and(|found| matches!(found.encryption, Ok(Some(_))))
    }

    fn has_public_access_block(&self) -> bool {
        self.bucket
            .as_ref()
            .is_some_and(|found| matches!(found.public_access, Ok(Some(_))))
    }

    fn has_ownership(&self) -> bool {
        self.bucket
            .as_ref()
            .is_some_and(|found| matches!(found.ownership, Ok(Some(_))))
    }

    fn has_policy(&self) -> bool {
        self.bucket
            .as_ref()
            .is_some_and(|found| matches!(found.policy, Ok(Some(_))))
    }

    fn has_lifecycle(&self) -> bool {
        self.bucket
            .as_ref()
            .is_some_and(|found| matches!(found.lifecycle, Ok(Some(_))))
    }
}
