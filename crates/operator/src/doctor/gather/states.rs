//! The states of the bucket, their digests and their locks, a page at a time.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    ops::ControlFlow,
};

use serde_json::{Value, json};
use tidelock_core::{
    StateHeader,
    address::LOCK_FILE_SUFFIX,
    diff::visible,
    limits::{DOCTOR_DIGESTS_MAX, DOCTOR_KEYS_MAX, DOCTOR_LOCK_VERSIONS_MAX},
};

use super::{Examination, is_denied};
use crate::{
    archive::md5_of,
    doctor::facts::{Content, Fact, Lock, LockVersions, Rule, State},
    dynamodb::{self, Item},
    layout::{self, DIGEST_SUFFIX, Facet},
    s3::{Listed, ListedVersion},
};

/// What keys of states end with, by custom; of others nothing is said but their digest.
const STATE_SUFFIX: &str = ".tfstate";

/// Digests by key of the state.
type Digests = std::collections::HashMap<String, String>;

impl Examination<'_, '_> {
    pub(super) async fn states(&mut self, rules: Option<Vec<Rule>>) -> ControlFlow<()> {
        if let Some(key) = self.setup.key.clone() {
            self.own_state(&key).await?;
        }
        if self.options.one_state {
            return ControlFlow::Continue(());
        }
        let mut looked_at = HashSet::new();
        let mut locked = HashSet::new();
        if self.all_objects(&mut looked_at, &mut locked).await? {
            self.all_items(&looked_at, &mut locked).await?;
        }
        self.lock_versions(rules).await
    }

    /// The state of the directory is read whole, whatever its name.
    async fn own_state(&mut self, key: &str) -> ControlFlow<()> {
        let found = self.layout.read(key, None).await;
        let state = match found {
            Ok(object) => {
                let digest = self.layout.digest(key).await;
                State {
                    key: key.to_owned(),
                    content: content(&object.bytes),
                    digest: self.seen("the digest", digest)?.flatten(),
                    md5: Some(md5_of(&object.bytes)),
                }
            }
            Err(error) if matches!(error.code(), Some("NoSuchKey" | "404")) => {
                match self.last_version(key).await? {
                    Some(version) => State {
                        key: key.to_owned(),
                        content: Content::Deleted(version),
                        ..State::default()
                    },
                    None => State::default(),
                }
            }
            // Who may not read it was told so by the permissions.
            Err(error) if is_denied(error.code()) => return self.locks_of(key).await,
            Err(error) => {
                self.skip(format!("the state: {error}"))?;
                return self.locks_of(key).await;
            }
        };
        // A state that is written between the two reads is another one by then.
        let doubted = state.digest.is_some() && state.digest != state.md5;
        match doubted {
            true => self.doubted(key).await?,
            false => self.judge(&Fact::State(state))?,
        }
        self.locks_of(key).await
    }

    /// The newest version that is no delete marker.
    async fn last_version(&mut self, key: &str) -> ControlFlow<(), Option<String>> {
        let page = self
            .layout
            .s3
            .list_object_versions(&self.setup.bucket, key, None)
            .await;
        let page = self.seen("versions of the state", page)?;
        let is_its = |version: &ListedVersion| version.key == key && !version.is_delete_marker();
        ControlFlow::Continue(
            page.and_then(|page| page.items.into_iter().find(is_its))
                .map(|found| found.version),
        )
    }

    /// Whether all of them could be listed.
    async fn all_objects(
        &mut self,
        looked_at: &mut HashSet<u64>,
        locked: &mut HashSet<u64>,
    ) -> ControlFlow<(), bool> {
        let (mut after, mut count) = (None, 0_usize);
        loop {
            let page = self
                .layout
                .s3
                .list_objects(&self.setup.bucket, "", after.as_deref())
                .await;
            let Some(page) = self.seen("all states of the bucket", page)? else {
                return ControlFlow::Continue(false);
            };
            let (locks, states): (Vec<Listed>, Vec<Listed>) = page
                .items
                .into_iter()
                .partition(|object| object.key.ends_with(LOCK_FILE_SUFFIX));
            count += states.len();
            if looked_at.len() < DOCTOR_KEYS_MAX {
                looked_at.extend(states.iter().map(|state| hash(&state.key)));
            }
            for some in states.chunks(DOCTOR_DIGESTS_MAX) {
                self.some_states(some).await?;
            }
            for lock in locks {
                let key = lock.key.strip_suffix(LOCK_FILE_SUFFIX).unwrap_or(&lock.key);
                locked.insert(hash(key));
                self.lock(key).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return ControlFlow::Continue(true),
            }
            self.progress(format!("states: {count} looked at"))?;
        }
    }

    /// What the listing tells is enough of most; those that it leaves in doubt are read.
    async fn some_states(&mut self, states: &[Listed]) -> ControlFlow<()> {
        let own = self.setup.key.clone();
        let digests = self.digests(states).await?;
        for state in states.iter().filter(|state| own.as_ref() != Some(&state.key)) {
            if state.size == 0 && state.key.ends_with(STATE_SUFFIX) {
                let (key, content) = (state.key.clone(), Content::Empty);
                self.judge(&Fact::State(State {
                    key,
                    content,
                    ..State::default()
                }))?;
            } else if digests
                .get(&state.key)
                .is_some_and(|digest| *digest != state.etag)
            {
                self.doubted(&state.key).await?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads a state whose ETag is not its digest, since not every ETag is an MD5, and the digest once more behind it.
    async fn doubted(&mut self, key: &str) -> ControlFlow<()> {
        let read = self.layout.read(key, None).await;
        let Some(object) = self.seen("a state", read)? else {
            return ControlFlow::Continue(());
        };
        let digest = self.layout.digest(key).await;
        let digest = self.seen("a digest", digest)?.flatten();
        let state = State {
            key: key.to_owned(),
            content: Content::Unread,
            digest,
            md5: Some(md5_of(&object.bytes)),
        };
        // What is being written at this moment is no mismatch: its holder is about to write the digest.
        let is_fresh = |lock: &layout::Lock| {
            let age = lock
                .since_ms
                .map_or(0, |since| self.options.now_ms.saturating_sub(since));
            age <= self.options.stale_ms
        };
        match self.layout.locks_of(key).await {
            Ok(locks) if locks.iter().any(is_fresh) => ControlFlow::Continue(()),
            _ => self.judge(&Fact::State(state)),
        }
    }

    /// The digests of some states.
    async fn digests(&mut self, states: &[Listed]) -> ControlFlow<(), Digests> {
        let Some(table) = self
            .setup
            .table
            .clone()
            .filter(|_| !states.is_empty() && !self.no_digests)
        else {
            return ControlFlow::Continue(Digests::new());
        };
        let name = |state: &Listed| json!({ "LockID": dynamodb::string(&(self.layout.item_name(&state.key) + DIGEST_SUFFIX)) });
        let keys: Vec<Value> = states.iter().map(name).collect();
        let mut wanted =
            json!({ "RequestItems": { table.as_str(): { "Keys": keys, "ConsistentRead": true } } });
        let mut found = Digests::new();
        loop {
            let answer = self.layout.dynamodb.call("BatchGetItem", &table, &wanted).await;
            let Some(mut answer) = self.seen("digests", answer)? else {
                self.no_digests = true;
                return ControlFlow::Continue(found);
            };
            let items = answer["Responses"][&table]
                .as_array_mut()
                .map(std::mem::take)
                .unwrap_or_default();
            let items = items.iter().filter_map(Value::as_object);
            found.extend(items.filter_map(|item| self.digest_of(item)));
            let rest = answer["UnprocessedKeys"].take();
            // An answer that brings nothing would be asked for ever.
            if rest.as_object().is_none_or(serde_json::Map::is_empty) || wanted["RequestItems"] == rest {
                return ControlFlow::Continue(found);
            }
            wanted = json!({ "RequestItems": rest });
        }
    }

    /// The key of a state and its digest, if the item is one of this bucket's.
    fn digest_of(&self, item: &Item) -> Option<(String, String)> {
        let name = dynamodb::text(item, dynamodb::LOCK_ID)?.strip_suffix(DIGEST_SUFFIX)?;
        let key = name.strip_prefix(&self.setup.bucket)?.strip_prefix('/')?;
        let digest = dynamodb::text(item, "Digest").filter(|digest| !digest.is_empty())?;
        Some((key.to_owned(), digest.to_owned()))
    }

    /// The table's items: locks that have no file, digests that have no state.
    async fn all_items(&mut self, looked_at: &HashSet<u64>, locked: &mut HashSet<u64>) -> ControlFlow<()> {
        let Some(table) = self.setup.table.clone() else {
            return ControlFlow::Continue(());
        };
        let (mut after, mut count) = (None, 0_usize);
        loop {
            let page = self.layout.dynamodb.scan(&table, after.as_ref()).await;
            let Some(page) = self.seen("all items of the table", page)? else {
                return ControlFlow::Continue(());
            };
            count += page.items.len();
            for item in &page.items {
                if let Some(lock) = self.layout.lock_of_item(item) {
                    if locked.insert(hash(&lock.key)) {
                        self.lock(&lock.key).await?;
                    }
                } else if let Some((key, _)) = self.digest_of(item)
                    && !looked_at.contains(&hash(&key))
                {
                    self.left_over(&key).await?;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return ControlFlow::Continue(()),
            }
            self.progress(format!("the table: {count} items looked at"))?;
        }
    }

    async fn left_over(&mut self, key: &str) -> ControlFlow<()> {
        let there = self.layout.head(key, None).await;
        match there {
            Err(error) if error.code() == Some("404") => self.judge(&Fact::LeftOverDigest(key.to_owned())),
            _ => ControlFlow::Continue(()),
        }
    }

    async fn locks_of(&mut self, key: &str) -> ControlFlow<()> {
        match self.options.one_state {
            true => self.lock(key).await,
            // It comes with all the others.
            false => ControlFlow::Continue(()),
        }
    }

    /// The lock on a state, in each of its forms, if it is held still.
    async fn lock(&mut self, key: &str) -> ControlFlow<()> {
        let locks = self.layout.locks_of(key).await;
        let Some(locks) = self.seen("a lock", locks)? else {
            return ControlFlow::Continue(());
        };
        let Some(first) = locks.first() else {
            return ControlFlow::Continue(());
        };
        let has = |facet| locks.iter().any(|lock| lock.facet == facet);
        let since = locks.iter().filter_map(|lock| lock.since_ms).min();
        let lock = Lock {
            key: key.to_owned(),
            file: has(Facet::File),
            item: has(Facet::Table),
            id: first.id().map(str::to_owned),
            who: who(first),
            age_ms: since.map_or(0, |since| self.options.now_ms.saturating_sub(since)),
            stale_ms: self.options.stale_ms,
        };
        self.judge(&Fact::Lock(lock))
    }

    /// Counts what is left of lock files, until it is too much.
    async fn lock_versions(&mut self, rules: Option<Vec<Rule>>) -> ControlFlow<()> {
        let bounded = rules.map(|rules| {
            rules
                .iter()
                .any(|rule| rule.old_days.is_some() && rule.prefix.is_empty() && !rule.narrowed)
        });
        if bounded != Some(false) {
            return ControlFlow::Continue(());
        }
        let (mut after, mut count, mut looked_at) = (None, 0, 0_usize);
        loop {
            let page = self
                .layout
                .s3
                .list_object_versions(&self.setup.bucket, "", after.as_ref())
                .await;
            let Some(page) = self.seen("versions of lock files", page)? else {
                return ControlFlow::Continue(());
            };
            looked_at += page.items.len();
            let is_left = |version: &&ListedVersion| {
                version.key.ends_with(LOCK_FILE_SUFFIX) && (version.is_delete_marker() || !version.current)
            };
            count += page.items.iter().filter(is_left).count() as u64;
            after = page.next;
            if after.is_none() || count > DOCTOR_LOCK_VERSIONS_MAX {
                return self.judge(&Fact::LockVersions(LockVersions { count, bounded }));
            }
            self.progress(format!("versions: {looked_at} looked at"))?;
        }
    }
}

fn content(bytes: &[u8]) -> Content {
    if bytes.is_empty() {
        return Content::Empty;
    }
    match StateHeader::parse(bytes) {
        Ok(_) => Content::State,
        Err(why) => Content::Foreign(why.to_string()),
    }
}

fn who(lock: &layout::Lock) -> String {
    let parsed = lock.parsed.as_ref();
    parsed.map_or_else(
        || "somebody".to_owned(),
        |info| format!("{}, {}", visible(&info.who), visible(&info.operation)),
    )
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
