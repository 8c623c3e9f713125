//! The directory of accounts, users, roles, policies and OIDC providers: in memory as a whole, on disk as a row each.
//!
//! Who reads it gets it as of one moment. It changes by one command at a time: `tidelock_core::iam` judges it, the
//! rows are committed, and only then does anybody see it, together with the credentials that follow from it.

mod everybody;
mod renaming;
mod rows;
mod view;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tidelock_core::{
    Time,
    iam::{self, Change, Command, Directory, IamError},
    limits::SCAN_PAGE_ROWS,
    policy::Named,
};
use tidelock_engine::Batch;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{Credential, Error, Service, to_the_end, turn::TURNS};
pub use view::RoleRights;
use view::View;

/// Bytes of a secret: forty characters of Base64, as AWS's.
const SECRET_BYTES: usize = 30;

/// What the service keeps of the directory.
#[derive(Default)]
pub(crate) struct Iam {
    view: RwLock<Arc<View>>,
    /// One change at a time: the next one is judged by what came of this one.
    changing: Mutex<()>,
    /// Set when a commit may have happened or not: the rows tell.
    is_uncertain: AtomicBool,
}

/// Why the directory was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] IamError),
    /// What any use case may meet.
    #[error(transparent)]
    Service(#[from] Error),
}

/// A new access key. Its secret is told once, and nowhere else. Debug does not show it.
pub struct NewAccessKey {
    /// `AKIA…`
    pub id: String,
    /// What signs.
    pub secret: Zeroizing<String>,
    /// The directory with the key in it.
    pub directory: Arc<Directory>,
}

impl std::fmt::Debug for NewAccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewAccessKey({})", self.id)
    }
}

impl Service {
    /// Every account and what is in it, as of now. Who decides about one thing looks at one such.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.view().directory)
    }

    /// The credential of a user's access key that is switched on. It may have expired.
    #[must_use]
    pub fn user_credential(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.view().credentials.get(access_key_id).cloned()
    }

    /// As whom sessions of the role of this ARN act, and with which policies; `None` when there is no such role.
    #[must_use]
    pub fn role_rights(&self, arn: &str) -> Option<Arc<RoleRights>> {
        self.view().roles.get(arn).cloned()
    }

    /// A policy of some account, by its ARN.
    pub(crate) fn managed_policy(&self, arn: &str) -> Option<Arc<Named>> {
        self.view().policies.get(arn).cloned()
    }

    /// Does what `command` asks of `account`. The directory that comes back has the change in it.
    ///
    /// # Errors
    /// Any [`DirectoryError`].
    pub async fn change_directory(
        &self,
        account: &str,
        command: Command,
    ) -> Result<Arc<Directory>, DirectoryError> {
        let (service, account) = (self.clone(), account.to_owned());
        Ok(to_the_end(async move { service.change_now(&account, &command).await }).await??)
    }

    /// Makes an access key for a user of `account`.
    ///
    /// # Errors
    /// Any [`DirectoryError`].
    pub async fn create_access_key(
        &self,
        account: &str,
        user: &str,
        expires: Option<Time>,
    ) -> Result<NewAccessKey, DirectoryError> {
        let id = iam::access_key_id(self.random());
        let secret = self.draw_secret();
        let sealed = self.seal_secret(&purpose(&id), secret.as_bytes()).await?;
        let command = Command::CreateAccessKey {
            user: user.to_owned(),
            id: id.clone(),
            sealed,
            expires,
        };
        let directory = self.change_directory(account, command).await?;
        Ok(NewAccessKey {
            id,
            secret,
            directory,
        })
    }

    pub(crate) fn draw_secret(&self) -> Zeroizing<String> {
        let drawn = Zeroizing::new([self.random(), self.random()].concat());
        Zeroizing::new(STANDARD.encode(&drawn[..SECRET_BYTES]))
    }

    async fn change_now(
        &self,
        account: &str,
        command: &Command,
    ) -> Result<Result<Arc<Directory>, IamError>, Error> {
        let _turn = self.iam.changing.lock().await;
        if self.iam.is_uncertain.load(Ordering::Relaxed) {
            self.load_directory().await?;
        }
        let view = self.view();
        let change = match iam::change(&view.directory, account, command, self.now(), self.random()) {
            Ok(change) => change,
            Err(refused) => return Ok(Err(refused)),
        };
        if change == Change::default() {
            return Ok(Ok(Arc::clone(&view.directory)));
        }
        // Made first, so that nothing can go wrong between the commit and what everybody sees.
        let next = view.changed(&change, self.vault().await?)?;
        if let Some(renamed) = &change.renamed {
            self.rename_in_keys(renamed).await?;
        }
        let committed = self.commit_change(&change).await;
        match committed {
            Ok(()) => Ok(Ok(self.show(next))),
            Err(fault) => {
                self.iam.is_uncertain.store(true, Ordering::Relaxed);
                // Whoever looks next should see what is stored; if that cannot be read now, the next change reads it.
                let _ = self.load_directory().await;
                Err(fault)
            }
        }
    }

    /// Commits a change, and with it what becomes of the policies of buckets, which others may be changing.
    async fn commit_change(&self, change: &Change) -> Result<(), Error> {
        for _ in TURNS {
            let mut batch = batch(change);
            if let Some(renamed) = &change.renamed {
                self.rename_in_buckets(renamed, &mut batch).await?;
            }
            if self.commit(batch).await? {
                return Ok(());
            }
        }
        Err(Error::Busy("the policies of buckets".to_owned()))
    }

    /// Reads the directory that is stored.
    pub(crate) async fn load_directory(&self) -> Result<(), Error> {
        let mut directory = Directory::default();
        let mut range = rows::all();
        loop {
            let page = self.engine.scan(range.clone(), SCAN_PAGE_ROWS).await?;
            for (row, entry) in &page {
                let (account, entity) = rows::read(row, &entry.value)?;
                directory.put(account, entity);
            }
            match page.last() {
                Some((last, _)) if page.len() == SCAN_PAGE_ROWS => range.start = crate::rows::after(last),
                _ => break,
            }
        }
        self.show(View::of(directory, self.vault().await?)?);
        self.iam.is_uncertain.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn view(&self) -> Arc<View> {
        // A poisoned lock still holds a whole view: it is only ever replaced.
        Arc::clone(&self.iam.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, view: View) -> Arc<Directory> {
        let directory = Arc::clone(&view.directory);
        *self.iam.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
        directory
    }
}

/// What an access key's secret is sealed for.
fn purpose(access_key_id: &str) -> String {
    format!("access-key {access_key_id}")
}

fn batch(change: &Change) -> Batch {
    let puts = change.puts.iter();
    let removes = change.removes.iter();
    Batch {
        puts: puts
            .map(|(account, entity)| rows::write(account, entity))
            .collect(),
        deletes: removes
            .map(|(account, kind, key)| rows::name(account, *kind, key))
            .collect(),
        ..Batch::default()
    }
}
