//! What is wrong on the way to the store, with who asks, and with what the store does.

use tidelock_core::{
    diff::visible,
    limits::{DOCTOR_CLOCK_OFF_MS, DOCTOR_CLOCK_WRONG_MS},
};

use crate::doctor::{
    facts::{Caller, Clock, Outcome, Permission, Race, Refusal, Setup, Wire},
    finding::{Finding, Id},
};

/// Codes by which a signature is said to be another than the request's.
const BAD_SIGNATURES: [&str; 2] = ["SignatureDoesNotMatch", "InvalidSignatureException"];

const CHECKSUM_CALCULATION: &str =
    "export AWS_REQUEST_CHECKSUM_CALCULATION=when_required, and write skip_s3_checksum = true into the block";

pub(super) fn caller(setup: &Setup, caller: &Caller) -> Option<Finding> {
    let store = setup
        .endpoint
        .as_deref()
        .map_or_else(|| "AWS".to_owned(), visible);
    match caller {
        Caller::Known(arn) if arn.ends_with(":root") => {
            let what = format!(
                "the key is that of the account's root user ({}), whom no policy limits",
                visible(arn)
            );
            Some(Finding::new(
                Id::CredentialsRoot,
                what,
                "make a user or a role with no more than it needs: tidelock policy --role writer",
            ))
        }
        Caller::Known(_) => None,
        Caller::NoKey(why) => {
            let mend = "aws configure; or aws sso login; or set AWS_PROFILE";
            Some(Finding::new(Id::CredentialsMissing, visible(why), mend))
        }
        Caller::Refused(why) if BAD_SIGNATURES.contains(&why.code.as_str()) => {
            let what = format!(
                "{store} finds the signature wrong: the secret is not the key's, or something on the way changes requests ({})",
                said(why)
            );
            let mend = "check the secret: aws sts get-caller-identity; then the proxy, which must leave host, path and headers as they are";
            Some(Finding::new(Id::SignaturesBroken, what, mend))
        }
        Caller::Refused(why) => {
            let what = format!("{store} refuses the key: {}", said(why));
            Some(Finding::new(
                Id::CredentialsRefused,
                what,
                "make a new key, or log in again: aws sso login",
            ))
        }
        Caller::Silent(why) => {
            let mend = match why.contains("certificate") {
                true => {
                    "name the file with the certificate of the authority to trust: AWS_CA_BUNDLE, ca_bundle in the profile, or \
                     custom_ca_bundle in the block"
                }
                false => {
                    "check the endpoint (endpoints in the block, AWS_ENDPOINT_URL), the network and the proxy"
                }
            };
            Some(Finding::new(Id::EndpointSilent, visible(why), mend))
        }
    }
}

pub(super) fn clock(clock: Clock) -> Option<Finding> {
    let off = clock.ahead_ms.unsigned_abs();
    let id = match off {
        off if off > DOCTOR_CLOCK_WRONG_MS => Id::ClockSkew,
        off if off > DOCTOR_CLOCK_OFF_MS => Id::ClockDrift,
        _ => return None,
    };
    let side = if clock.ahead_ms > 0 { "behind" } else { "ahead of" };
    let what = format!(
        "this machine's clock is {} s {side} the server's; signatures hold for minutes",
        off / 1_000
    );
    Some(Finding::new(id, what, "sudo timedatectl set-ntp true"))
}

pub(super) fn permissions(setup: &Setup, permissions: &[Permission]) -> Vec<Finding> {
    let policy = match &setup.key {
        Some(key) => setup.tidelock_on("policy", key),
        // A policy is for a state, and which one nobody has said.
        None => format!("{} --key=KEY", setup.tidelock("policy")),
    };
    let finding = |permission: &Permission| {
        let (action, resource) = (permission.action, visible(&permission.resource));
        let how = if permission.simulated {
            "IAM says so"
        } else {
            "tried"
        };
        let what = format!("{action} on {resource} is denied ({how}), and Terraform needs it");
        Finding::new(
            Id::PermissionMissing,
            what,
            format!("{policy} prints the policy that allows it"),
        )
    };
    permissions
        .iter()
        .filter(|permission| !permission.allowed)
        .map(finding)
        .collect()
}

pub(super) fn race(setup: &Setup, race: &Race) -> Option<Finding> {
    let with_table = "lock in a table (dynamodb_table), or keep the states where If-None-Match holds";
    if race.second == Outcome::Done {
        let what = "the store ignores If-None-Match: a lock file is overwritten by whoever comes next, so use_lockfile locks nothing";
        return Some(Finding::new(Id::ConditionsIgnored, what, with_table));
    }
    if race.won > 1 {
        let what = format!(
            "of {} writes at once that may only make an object, {} made it: two applies can get the same lock file",
            race.tried, race.won
        );
        return Some(Finding::new(Id::ConditionsRaced, what, with_table));
    }
    if race.won == 0 {
        let why = race
            .odd
            .as_ref()
            .map_or_else(|| "every one was refused".to_owned(), said);
        let what = format!("the store takes no If-None-Match, so that use_lockfile cannot lock: {why}");
        let mend = match setup.table {
            Some(_) => "lock in the table alone: take use_lockfile out of the block",
            None => with_table,
        };
        return Some(Finding::new(Id::ConditionsRefused, what, mend));
    }
    None
}

pub(super) fn wire(setup: &Setup, wire: &Wire) -> Vec<Finding> {
    let mut found = paths_and_headers(wire);
    found.extend(checksums(setup, wire));
    if wire.reads_back == Some(false) {
        let what =
            "a read right after a write gave what was there before: Terraform would plan with an old state";
        found.push(Finding::new(
            Id::ReadsStale,
            what,
            "take the cache off the way, or read from where is written",
        ));
    }
    if wire.ranges == Some(false) {
        let what = "the store, or something on the way, does not answer a request for a part of an object with that part: Terraform 1.6 and newer read states in parts";
        found.push(Finding::new(
            Id::RangesIgnored,
            what,
            "let Range pass through the proxy, or use another store",
        ));
    }
    found
}

fn paths_and_headers(wire: &Wire) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Outcome::Refused(why) = &wire.odd_path {
        let what = format!(
            "a key with a space, a plus and a percent sign is refused, which a plain one is not: something on the way rewrites paths ({})",
            said(why)
        );
        let mend = "have the proxy pass the path on as it came (nginx: proxy_pass without a path); until then, no such keys and no workspaces of such names";
        found.push(Finding::new(Id::PathsRewritten, what, mend));
    }
    if let Outcome::Refused(why) = &wire.signed_header {
        let what = format!(
            "a request with a signed Accept-Encoding is refused, as Terraform sends it: something on the way rewrites that header ({})",
            said(why)
        );
        found.push(Finding::new(
            Id::HeadersRewritten,
            what,
            "have the proxy pass Accept-Encoding on as it came, and not compress on its own",
        ));
    }
    found
}

fn checksums(setup: &Setup, wire: &Wire) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Outcome::Refused(why) = &wire.checksum {
        let what = format!(
            "the store refuses a checksum in a header (x-amz-checksum-sha256), as Terraform sends one with every state: {}",
            said(why)
        );
        found.push(Finding::new(Id::ChecksumsRefused, what, CHECKSUM_CALCULATION));
    } else if wire.wrong_checksum == Outcome::Done && setup.is_over_tls() {
        let what = "the store takes a body whose checksum is wrong: a state that is damaged on the way is not noticed";
        found.push(Finding::new(
            Id::ChecksumsUnchecked,
            what,
            "ask the store's maker; until then tidelock doctor finds what the table's digest shows",
        ));
    }
    if let Outcome::Refused(why) = &wire.trailer {
        let what = format!(
            "the store refuses a checksum at the end of a body, as Terraform 1.11.2 and newer send it over TLS: {}",
            said(why)
        );
        found.push(Finding::new(Id::TrailersRefused, what, CHECKSUM_CALCULATION));
    }
    if let Outcome::Refused(why) = &wire.checksum_mode {
        let what = format!(
            "the store refuses to be asked for a checksum (x-amz-checksum-mode), as Terraform 1.11.2 and newer do with every read: {}",
            said(why)
        );
        found.push(Finding::new(
            Id::ChecksumModeRefused,
            what,
            "export AWS_RESPONSE_CHECKSUM_VALIDATION=when_required",
        ));
    }
    found
}

fn said(why: &Refusal) -> String {
    format!("{}: {}", visible(&why.code), visible(&why.message))
}
