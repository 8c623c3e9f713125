//! The command line of moving states, with all their versions, in and out.

use std::path::PathBuf;

use clap::Args;

use super::Server;

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) server: Server,
    /// BUCKET or BUCKET/KEY-PREFIX of the states; all of them when absent
    pub(crate) prefix: Option<String>,
    /// Where to: a directory, or s3://BUCKET[/PREFIX]
    #[arg(long, value_name = "DIR|s3://BUCKET[/PREFIX]")]
    pub(crate) to: Elsewhere,
    /// The S3 endpoint to write to, such as http://127.0.0.1:9000
    #[arg(long, value_name = "URL")]
    pub(crate) to_endpoint: Option<String>,
    /// The AWS profile to write with
    #[arg(long, value_name = "NAME")]
    pub(crate) to_profile: Option<String>,
    /// Only the newest version of each state
    #[arg(long)]
    pub(crate) current: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Where from: a directory that `tidelock export` wrote, or s3://BUCKET[/PREFIX]
    #[arg(value_name = "DIR|s3://BUCKET[/PREFIX]")]
    pub(crate) from: Elsewhere,
    /// The S3 endpoint to read from, such as http://127.0.0.1:9000
    #[arg(long, value_name = "URL")]
    pub(crate) from_endpoint: Option<String>,
    /// The AWS profile to read with
    #[arg(long, value_name = "NAME")]
    pub(crate) from_profile: Option<String>,
    /// The bucket that the states go to [default: the one they are from]
    #[arg(long, value_name = "BUCKET")]
    pub(crate) into: Option<String>,
    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where states are kept outside of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Directory(PathBuf),
    Bucket { bucket: String, prefix: String },
}

impl std::str::FromStr for Elsewhere {
    type Err = String;

    fn from_str(text: &str) -> Result<Elsewhere, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.is_empty() || text.contains("://") {
                true => Err("it is neither a directory nor s3://BUCKET[/PREFIX]".to_owned()),
                false => Ok(Elsewhere::Directory(text.into())),
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        tidelock_core::address::check_bucket(bucket).map_err(|why| why.to_string())?;
        Ok(Elsewhere::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

pub(super) const EXPORT_HELP: &str = concat!(
    "\
Examples:
  tidelock export --to backup/
  tidelock export tfstate/network/ --to network/ --current
  tidelock export tfstate --to s3://old-bucket --to-profile prod

States hold secrets, and so does what is exported: a directory is made for your eyes only (0700, files 0600); keep it so.

A directory has one folder a state, BUCKET/KEY/, with every version as it was written (000012.tfstate) and history.json
beside them: who wrote which, when, under which lock. What is there already is not fetched again. A bucket must be
versioned to take more than the newest of each; each version goes in as an object of the state's key, oldest first.
Objects that are no states are left out.

The bucket is that of --to-endpoint and --to-profile, else where AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile or
AWS itself say; with --to-profile the endpoints and keys of the environment do not count.

Exit status: 0 done, 1 failed, 7 there is no such state, or a state was left as it is; others as in `tidelock --help`.
",
    server_help!()
);

pub(super) const IMPORT_HELP: &str = concat!(
    "\
Examples:
  tidelock import backup/
  tidelock import s3://my-state-bucket/prod/ --from-profile prod --into tfstate
  tidelock import s3://states --from-endpoint http://127.0.0.1:9000

Every version of every state becomes a version here, oldest first, with its own time, and its writer where that is known.
Behind something newer, or something that it does not follow, nothing is put: that state is left as it is and named.
Importing the same again changes nothing. The bucket must be there: aws s3 mb s3://BUCKET.

The source bucket is that of --from-endpoint and --from-profile, else where AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the
profile or AWS itself say; with --from-profile the endpoints and keys of the environment do not count.

Exit status: 0 done, 1 failed, 7 a state was left as it is; others as in `tidelock --help`.
",
    server_help!()
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_a_bucket() {
        let bucket = |bucket: &str, prefix: &str| Elsewhere::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (text, place) in [
            ("out", Elsewhere::Directory("out".into())),
            ("s3", Elsewhere::Directory("s3".into())),
            ("s3://tfstate", bucket("tfstate", "")),
            ("s3://tfstate/", bucket("tfstate", "")),
            ("s3://tfstate/a/b", bucket("tfstate", "a/b")),
        ] {
            assert_eq!(text.parse::<Elsewhere>().unwrap(), place);
        }
        for text in ["", "s3://", "s3://A", "s3:///k", "http://x/y"] {
            assert!(text.parse::<Elsewhere>().is_err(), "{text}");
        }
    }
}
