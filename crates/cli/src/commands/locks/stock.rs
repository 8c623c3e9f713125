//! The locks in a bucket and a table: printed as they are found, however many states there are.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use tidelock_core::diff::visible;
use tidelock_operator::layout::{Error, Facet, United};

use crate::{
    commands::held::Held,
    exit::{Failure, Status},
    progress::Progress,
    shell,
    stock::{Found, wait},
};

/// What is printed of a state.
#[derive(Serialize)]
struct Shown {
    address: String,
    now_ms: i64,
    locks: Vec<ShownLock>,
}

#[derive(Serialize)]
struct ShownLock {
    #[serde(flatten)]
    held: Held,
    /// What its holder wrote, byte for byte.
    info: String,
}

/// The locks of one state.
pub(super) fn one(
    found: &Found,
    key: &str,
    again: &str,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let locks = wait(async { Ok(found.layout.held(key).await?) })?;
    let now_ms = now_ms(found);
    if json {
        return crate::commands::print_json(&shown(found, key, now_ms, &locks), out);
    }
    if locks.is_empty() {
        writeln!(out, "{} is not locked.", visible(&found.layout.item_name(key)))?;
    }
    Ok(print(&found.layout.bucket, &locks, now_ms, again, out)?)
}

/// The locks of all states.
pub(super) fn all(found: &Found, again: &str, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut count = 0_u64;
    if json {
        write!(out, "{{\"locks\":[")?;
    }
    let seen = wait(each(found, "", |locks| {
        let now_ms = now_ms(found);
        for state in locks.chunk_by(|one, other| one.key == other.key) {
            count += 1;
            if json {
                let text = serde_json::to_string(&shown(found, &state[0].key, now_ms, state));
                let text = text.map_err(anyhow::Error::from)?;
                write!(out, "{}\n{text}", if count == 1 { "" } else { "," })?;
                continue;
            }
            if count > 1 {
                writeln!(out)?;
            }
            print(&found.layout.bucket, state, now_ms, again, out)?;
        }
        Ok(out.flush()?)
    }));
    let seen = seen.and_then(|left_out| left_out.map_or(Ok(()), Err));
    match (json, count) {
        (true, _) => writeln!(out, "\n],\"more\":{}}}", seen.is_err())?,
        (false, 0) if seen.is_ok() => writeln!(out, "Nothing is locked.")?,
        (false, _) => {}
    }
    seen
}

/// Now by the store's clock, as far as it has told: by ours, which may be hours ahead, every lock would look old.
pub(crate) fn now_ms(found: &Found) -> i64 {
    let ours = Timestamp::now().as_millisecond();
    ours.saturating_add(found.layout.access.ahead_ms())
}

/// Goes through the locks of all states whose key begins with `prefix`, a page at a time; answers which may not be read, where
/// there are such.
pub(crate) async fn each(
    found: &Found,
    prefix: &str,
    mut take: impl FnMut(&[United]) -> Result<(), Failure>,
) -> Result<Option<Failure>, Failure> {
    let mut progress = Progress::start();
    let mut locks = found.layout.locks(prefix);
    let mut unreadable = Vec::new();
    while let Some(page) = locks.more().await.map_err(of_many)? {
        if !page.is_empty() {
            take(&page)?;
        }
        unreadable.extend(locks.unreadable());
        progress.show(|| format!("looked at {} objects and items", locks.looked_at()));
    }
    drop(progress);
    Ok(unreadable.first().map(|(key, why)| {
        let address = found.layout.item_name(key);
        let message = match unreadable.len() {
            1 => format!("the lock file of {address} may not be read, so that state is left out: {why}"),
            some => format!(
                "{some} locked states whose lock file may not be read are left out, {address} among them: {why}"
            ),
        };
        Failure::new(Status::Failed, visible(&message))
    }))
}

/// To look at all takes rights that nobody needs who only works on one state.
fn of_many(error: Error) -> Failure {
    let code = match &error {
        Error::S3(error) => error.code(),
        Error::DynamoDb(error) => error.code(),
        Error::LockStays { .. } => None,
    };
    let is_denied = matches!(code, Some("AccessDenied" | "AccessDeniedException" | "403"));
    let failure = Failure::from(error);
    if !is_denied {
        return failure;
    }
    let message = format!(
        "{}\n\nTo list all locks takes s3:ListBucket on the bucket and dynamodb:Scan on the table; one state needs neither: {} \
         locks BUCKET/KEY",
        failure.error,
        shell::own_name()
    );
    Failure::new(Status::Failed, message)
}

fn shown(found: &Found, key: &str, now_ms: i64, locks: &[United]) -> Shown {
    let lock = |lock: &United| ShownLock {
        held: Held::of_stock(&found.layout.bucket, lock),
        info: lock.text().to_owned(),
    };
    Shown {
        address: found.layout.item_name(key),
        now_ms,
        locks: locks.iter().map(lock).collect(),
    }
}

/// A state and its locks.
fn print(bucket: &str, locks: &[United], now_ms: i64, again: &str, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = locks.first() else {
        return Ok(());
    };
    writeln!(out, "{}", visible(&format!("{bucket}/{}", first.key)))?;
    for lock in locks {
        print_lock(&Held::of_stock(bucket, lock), lock, now_ms, out)?;
    }
    if let [_, _, ..] = locks {
        let warning = "two holders at once: lock files and lock tables do not keep each other out";
        super::line(out, "BEWARE", warning)?;
    }
    for lock in locks {
        super::line(out, "if gone", &unlock(bucket, lock, again))?;
    }
    Ok(())
}

/// What is known of a lock and its holder.
pub(crate) fn print_lock(held: &Held, lock: &United, now_ms: i64, out: &mut dyn Write) -> io::Result<()> {
    super::line(out, "held by", &held.said())?;
    let means = match (lock.is_in(Facet::File), lock.is_in(Facet::Table)) {
        (true, true) => "a lock file and a lock table",
        (true, false) => "a lock file",
        (false, _) => "a lock table",
    };
    super::line(out, "", &format!("{}, with {means}", held.age(now_ms)))?;
    super::line(out, "", &format!("lock {}", visible(&held.id)))?;
    match lock.info() {
        Some(info) if !info.version.is_empty() => {
            super::line(out, "", &format!("version {}", visible(&info.version)))
        }
        Some(_) => Ok(()),
        None => super::line(out, "", "what it says is nothing that Terraform writes"),
    }
}

fn unlock(bucket: &str, lock: &United, again: &str) -> String {
    let (address, id) = (format!("{bucket}/{}", lock.key), shell::quoted(&lock.id));
    let command = format!(
        "{} unlock{again} {} {id}",
        shell::own_name(),
        shell::quoted(&address)
    );
    visible(&command)
}
