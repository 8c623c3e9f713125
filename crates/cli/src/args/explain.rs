//! The command line of questions about rights.

use clap::Args;

use super::Server;

#[derive(Args)]
#[command(
    override_usage = "tidelock explain [OPTIONS] REQUEST-ID\n       tidelock explain [OPTIONS] --principal ARN ACTION RESOURCE"
)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The id of a request; or an action such as s3:PutObject and a resource: an ARN, BUCKET/KEY or *
    #[arg(required = true, num_args = 1..=2, value_name = "REQUEST-ID | ACTION RESOURCE")]
    pub(crate) words: Vec<String>,
    /// Whether this one may: the ARN of a user, a role or a role's session
    #[arg(long, value_name = "ARN")]
    pub(crate) principal: Option<String>,
    /// A condition key and its value, such as aws:SourceIp=10.0.0.7; any number of times
    #[arg(long, value_name = "KEY=VALUE", requires = "principal")]
    pub(crate) context: Vec<String>,
    /// Print the decision as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct WhoCan {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The action with its service, such as s3:GetObject or tidelock:ForceUnlock
    pub(crate) action: String,
    /// BUCKET/KEY of a state, or an ARN, or *
    pub(crate) resource: String,
    /// A condition key and its value, such as aws:SourceIp=10.0.0.7; any number of times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  tidelock explain FB38815F338C8623
  tidelock explain --principal arn:aws:iam::000000000000:user/ci s3:PutObject tfstate/app/terraform.tfstate
  tidelock explain --principal arn:aws:iam::000000000000:role/plan --context aws:SourceIp=10.0.0.7 s3:GetObject tfstate/app

The first says which statement decided a request, from the audit log; its id stands in the error that Terraform and the AWS
CLI show. The second asks the policies as they are now. A condition on what is not given with --context does not hold, except that
the connection counts as encrypted and the time is now. Both take the right tidelock:Explain.

Exit status: 0 allowed, 7 not allowed or no such request; others as in `tidelock --help`.
The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";

pub(super) const WHO_CAN_HELP: &str = "\
Examples:
  tidelock who-can s3:PutObject tfstate/app/terraform.tfstate
  tidelock who-can tidelock:ForceUnlock tfstate/app/terraform.tfstate
  tidelock who-can kms:Decrypt arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab

Asks the policies as they are now for every user and role of every account. A role stands for its sessions, as far as no
session policy takes rights from them. A condition on what is not given with --context does not hold, except that the connection
counts as encrypted and the time is now. Takes the right tidelock:Explain.
The server is that of --profile or --data, else that of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
