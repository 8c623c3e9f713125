//! The command line of setting up a bucket, and a table, for states.

use clap::{Args, ValueEnum};

use super::Stock;

#[derive(Args)]
pub(crate) struct Bootstrap {
    #[command(flatten)]
    pub(crate) stock: Stock,
    /// Encrypt states with this KMS key: an ARN, an ID or alias/NAME [default: the backend block's kms_key_id, else keys of S3's own]
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
    /// Encrypt the table with this KMS key; who locks then needs the key too [default: DynamoDB's own key]
    #[arg(long, value_name = "KEY")]
    pub(crate) table_kms_key: Option<String>,
    /// Let nobody but this user or role read and write objects; can be repeated, and may have * in it
    #[arg(long, value_name = "ARN", value_parser = arn)]
    pub(crate) allow: Vec<String>,
    /// Tag bucket and table; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// Keep every replaced version for this many days [default: 90; all of them where a bucket keeps all]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) keep_days: Option<u32>,
    /// Keep this many replaced versions of each object, however old [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) keep_versions: Option<u32>,
    /// Print it as code, and change nothing
    #[arg(long, value_name = "FORM", conflicts_with_all = ["yes", "dry_run", "json"])]
    pub(crate) print: Option<Form>,
    /// Show what would change, and change nothing; status 1 if something would
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the settings as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `--print` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Resources of the AWS provider for Terraform, with import blocks
    Hcl,
    /// A template, with the commands that import
    Cloudformation,
    /// A shell script
    AwsCli,
    /// The backend block of a configuration that keeps its state there
    Backend,
}

fn arn(text: &str) -> Result<String, String> {
    let is_one = text.starts_with("arn:") && text.split(':').count() >= 6;
    let is_plain = |char: char| char.is_ascii_graphic() && !"\"\\$".contains(char);
    match is_one && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("it is no ARN, such as arn:aws:iam::111122223333:role/ci".to_owned()),
    }
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is not of the form KEY=VALUE".to_owned()),
    }
}

pub(super) const BOOTSTRAP_HELP: &str = "\
Examples:
  tidelock bootstrap --bucket my-tfstate --region eu-central-1
  tidelock bootstrap --bucket my-tfstate --table my-locks --kms-key alias/tfstate --allow 'arn:aws:iam::111122223333:role/ci-*'
  tidelock bootstrap                          in a directory with a backend \"s3\" block: what that block names
  tidelock bootstrap --bucket my-tfstate --dry-run
  tidelock bootstrap --bucket my-tfstate --print hcl > state.tf

Shows every setting with what is wanted and what is there, asks, makes the changes, and looks until they are so. What is
there and stricter stays, and so do policy statements, lifecycle rules and tags of others. Doing it again changes nothing.

A bucket that is reached by plain HTTP is given no policy that demands TLS: it would refuse every request.

With --json one object is printed: settings (name, wanted, found, verdict, why), notes, changed.

Exit status:
  0  everything is as wanted, or was made so
  1  failed, not confirmed, something cannot be so (another region, another table key), or --dry-run found a difference
  2  wrong arguments or configuration, or nobody can be asked and --yes is missing; nothing was changed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_tags_are_read_strictly() {
        assert!(arn("arn:aws:iam::111122223333:role/ci-*").is_ok());
        for wrong in [
            "ann",
            "arn:aws:iam",
            "arn:aws:iam::1:role/${aws:username}",
            "arn:aws:iam::1:role/a b",
        ] {
            assert!(arn(wrong).is_err(), "{wrong}");
        }
        assert_eq!(tag("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(tag("=b").is_err() && tag("a").is_err());
    }
}
