//! The command line of the audit log.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use tidelock_core::Time;
use tidelock_doors::audit::Mark;
use tidelock_service::World;

use super::Server;
use crate::{duration, world::Machine};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    #[command(flatten)]
    pub(crate) list: AuditList,
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Go over the whole chain and name the first place at which it is broken
    #[command(after_help = VERIFY_HELP)]
    Verify(AuditVerify),
}

#[derive(Args)]
pub(crate) struct AuditList {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Read the data directory of a server that is stopped
    #[arg(long, conflicts_with_all = ["profile", "follow"])]
    pub(crate) offline: bool,
    /// Only what is about a bucket, table or address that begins with this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) address: Option<String>,
    /// Only what this one asked for: an ARN, its end such as user/ann, or an access key id
    #[arg(long, value_name = "WHO")]
    pub(crate) principal: Option<String>,
    /// Only this operation or IAM action, such as PutObject, s3:PutObject, s3:Delete*
    #[arg(long, value_name = "NAME")]
    pub(crate) action: Option<String>,
    /// Only the request with this id, as answers carry it and Terraform shows it
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// Only what was refused for want of a right, or of a proof who asks
    #[arg(long)]
    pub(crate) denied: bool,
    /// Only since then: 90s, 15m, 2h, 7d ago, or a time such as 2026-11-21T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Time>,
    /// Only entries behind this number
    #[arg(long, value_name = "SEQ")]
    pub(crate) after: Option<u64>,
    /// At most so many: the newest, or the first since --since or --after [default: 50, all with --since or --after]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Go on with new entries as they come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print each entry as it is in the log, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct AuditVerify {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Look into the data directory of a server that is stopped
    #[arg(long, conflicts_with = "profile")]
    pub(crate) offline: bool,
    /// Begin behind this entry, and see that it is still the one that was noted
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) from: Option<Mark>,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A time, or how long ago it was.
fn since(text: &str) -> Result<Time, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Time(time.as_millisecond()));
    }
    let hours = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok()?.checked_mul(24));
    let ago = match hours {
        Some(hours) => duration::parse(&format!("{hours}h"))?,
        None => duration::parse(text).map_err(
            |_| "write how long ago, such as 90s, 2h or 7d, or a time such as 2026-11-21T18:00:00Z",
        )?,
    };
    let ms = i64::try_from(ago.as_millis()).map_err(|why| why.to_string())?;
    Ok(Time(Machine.now().0.saturating_sub(ms)))
}

pub(super) const AUDIT_HELP: &str = "\
Examples:
  tidelock audit
  tidelock audit --denied --since 1h
  tidelock audit --address tfstate/network/ --action PutObject --since 2026-11-01T00:00:00Z --json
  tidelock audit --follow
  tidelock audit verify

Every request of every door is in the log, also those that were refused or came from nobody known, and what the server did by
itself. Entries are written before their requests are answered. Without --since and --after the newest 50 are shown.
The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

const VERIFY_HELP: &str = "\
Examples:
  tidelock audit verify
  tidelock audit verify --from 4711:9f0c…
  tidelock audit verify --offline --data /var/lib/tidelock

Each entry carries the hash of the one before. What was changed, removed or put in is found, and so is an end that is missing,
unless who did it could rewrite everything behind it and the file `head` too. Note the printed head elsewhere now and then, and
give it to --from later: then that is found as well. Removing the oldest files of the log is no fault.

Exit status: 0 whole, 1 broken, 2 or more it could not be verified, as in `tidelock --help`.";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!(since("2026-11-21T18:00:00Z").unwrap().0, 1_795_284_000_000);
        let now = Machine.now().0;
        for (text, hours) in [("2h", 2), ("7d", 7 * 24)] {
            let ago = now - since(text).unwrap().0;
            assert!((ago - hours * 3_600_000).abs() < 60_000, "{text}: {ago}");
        }
        for text in ["", "7", "-1d", "yesterday", "9999999999d"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
