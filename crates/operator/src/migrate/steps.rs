//! Taking a step: a directory's states are locked in both forms while its files change.

use std::collections::BTreeSet;

use super::{
    Edit, EditError, Evidence, Planned, Stand, Step, Target,
    edits::apply,
    evidence::{self, layout},
};
use crate::{
    aws::{Environment, SettingsError},
    layout::{self, Held, Layout, Lock, TakeError, Want},
};

/// Why a directory was left as it was, but for what it says.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Somebody works with one of its states.
    #[error("{address} is locked")]
    Locked {
        /// `BUCKET/KEY` of the state.
        address: String,
        /// In which forms.
        locks: Vec<Lock>,
    },
    /// A state was not written last under both.
    #[error("{} was not written under both locks the last time", .0.address)]
    NotBoth(Evidence),
    /// Its files were not changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Nobody to ask.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] layout::Error),
}

/// What every step is taken with.
#[derive(Debug)]
pub struct Steps {
    step: Step,
    environment: Environment,
    want: Want,
    /// The table that the user has named.
    table: Option<String>,
    /// The states whose digests are gone already: another directory has the same.
    cleared: BTreeSet<Item>,
}

/// An endpoint, a table of it, and the name of a state's item there: two stores may have states of one name.
type Item = (String, Option<String>, String);

fn item(layout: &Layout, key: &str) -> Item {
    (
        layout.dynamodb.endpoint().to_owned(),
        layout.table.clone(),
        layout.item_name(key),
    )
}

/// A state that is locked by us.
struct Taken {
    layout: usize,
    key: String,
    held: Held,
}

impl Steps {
    /// `want` says who takes the locks; one ID does for all.
    #[must_use]
    pub fn new(step: Step, environment: Environment, want: Want, table: Option<String>) -> Steps {
        let cleared = BTreeSet::new();
        Steps {
            step,
            environment,
            want,
            table,
            cleared,
        }
    }

    /// Takes the step in one directory: locks its states, looks once more, edits, clears digests, unlocks.
    ///
    /// # Errors
    /// [`StepError`]; the locks are released. Taking the step again does what is left of it.
    pub async fn take(&mut self, planned: &Planned<'_>) -> Result<(), StepError> {
        if self.step == Step::AddLockFile {
            // A second lock beside the first takes nothing from anybody.
            return Ok(apply(&planned.edits)?);
        }
        let targets = planned.directory.targets.iter();
        let mut layouts = Vec::new();
        for target in targets.filter(|target| self.concerns(target)) {
            let table = self.table_of(target);
            layouts.push((target, layout(target, table, &self.environment)?));
        }
        let mut taken = Vec::new();
        let mut result = self.under_locks(&layouts, &planned.edits, &mut taken).await;
        for Taken { layout, held, .. } in taken {
            result = held.release_after(&layouts[layout].1, result).await;
        }
        result
    }

    /// Whether a configuration takes the step, or may have left something of it.
    fn concerns(&self, target: &Target) -> bool {
        let stand = target.stand();
        match self.step {
            Step::AddLockFile => stand == Stand::Table,
            Step::AddTable(_) => matches!(stand, Stand::Both | Stand::LockFile),
            // Of one that is done only a known table can have something left.
            Step::DropTable => {
                stand == Stand::Both || (stand == Stand::LockFile && self.table_of(target).is_some())
            }
            Step::DropLockFile => stand == Stand::Both,
        }
    }

    fn table_of(&self, target: &Target) -> Option<String> {
        let told = match &self.step {
            Step::AddTable(table) => Some(table.clone()),
            _ => None,
        };
        told.or_else(|| target.between.backend.table.clone())
            .or_else(|| self.table.clone())
    }

    async fn under_locks(
        &mut self,
        layouts: &[(&Target, Layout)],
        edits: &[Edit],
        taken: &mut Vec<Taken>,
    ) -> Result<(), StepError> {
        for (at, (target, layout)) in layouts.iter().enumerate() {
            for key in evidence::keys(layout, target).await? {
                let held = take(layout, &key, &self.want).await?;
                taken.push(Taken {
                    layout: at,
                    key,
                    held,
                });
                let key = &taken[taken.len() - 1].key;
                self.check(target, layout, key).await?;
            }
        }
        apply(edits)?;
        if self.step == Step::DropLockFile {
            return Ok(());
        }
        for Taken { layout, key, .. } in &*taken {
            let layout = &layouts[*layout].1;
            // Nobody keeps any of them up to date from now on, or nobody has until now.
            if self.step == Step::DropTable || !evidence::has_digest(layout, key).await? {
                layout.put_digest(key, None).await?;
            }
            self.cleared.insert(item(layout, key));
        }
        Ok(())
    }

    /// Where a lock goes, the state must have been written under both also now that nobody else can write it.
    async fn check(&self, target: &Target, layout: &Layout, key: &str) -> Result<(), StepError> {
        let is_cleared = self.cleared.contains(&item(layout, key));
        if !self.step.drops() || target.stand() != Stand::Both || is_cleared {
            return Ok(());
        }
        match evidence::of(layout, key).await? {
            Some(evidence) if !evidence.is_both() => Err(StepError::NotBoth(evidence)),
            _ => Ok(()),
        }
    }
}

async fn take(layout: &Layout, key: &str, want: &Want) -> Result<Held, StepError> {
    layout.take(key, want).await.map_err(|error| match error {
        TakeError::Locked(locks) => StepError::Locked {
            address: layout.item_name(key),
            locks,
        },
        TakeError::Call(error) => error.into(),
    })
}

/// What the last writes of a configuration's states show, one state after the other; those that were never written are
/// left out.
///
/// # Errors
/// [`StepError`], of a call.
pub async fn check(target: &Target, environment: &Environment) -> Result<Vec<Evidence>, StepError> {
    let layout = layout(target, target.between.backend.table.clone(), environment)?;
    let mut found = Vec::new();
    for key in evidence::keys(&layout, target).await? {
        found.extend(evidence::of(&layout, &key).await?);
    }
    Ok(found)
}

/// What a table still has of states.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Leftover {
    /// The table.
    pub table: String,
    /// Its items.
    pub items: u64,
    /// The names of some of them.
    pub names: Vec<String>,
}

/// How many names are told.
const NAMES: usize = 5;

/// What is left in the table of a configuration.
///
/// # Errors
/// [`StepError`], of a call.
pub async fn leftover(
    target: &Target,
    table: &str,
    environment: &Environment,
) -> Result<Leftover, StepError> {
    let layout = layout(target, Some(table.to_owned()), environment)?;
    let mut left = Leftover {
        table: table.to_owned(),
        items: 0,
        names: Vec::new(),
    };
    let mut after = None;
    loop {
        let page = layout.dynamodb.scan(table, after.as_ref()).await;
        let page = page.map_err(layout::Error::from)?;
        for item in &page.items {
            left.items += 1;
            let name = crate::dynamodb::text(item, crate::dynamodb::LOCK_ID);
            left.names
                .extend(name.filter(|_| left.names.len() < NAMES).map(str::to_owned));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(left),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aws::{Access, Settings, Wanted};

    #[test]
    fn states_of_one_name_in_two_stores_or_two_tables_are_two() {
        let of = |endpoint: &str, table: &str| {
            let wanted = Wanted {
                endpoint: Some(endpoint.to_owned()),
                ..Wanted::default()
            };
            let settings = Settings::load(Environment::new([]), wanted).unwrap();
            let access = Access::new(settings).unwrap();
            item(
                &Layout::new(access, "b".to_owned(), Some(table.to_owned())).unwrap(),
                "k",
            )
        };
        let first = of("http://127.0.0.1:1", "locks");
        assert_eq!(first, of("http://127.0.0.1:1", "locks"));
        assert_ne!(first, of("http://127.0.0.1:2", "locks"));
        assert_ne!(first, of("http://127.0.0.1:1", "others"));
    }
}
