//! `tidelock env`: the variables for this shell.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
};

use serde_json::json;

use crate::{args, exit::Failure, running::Running, shell};

/// The server takes any region; a client insists on having one.
pub(crate) const REGION: &str = "us-east-1";

/// Prints the exports, for `eval "$(tidelock env)"`.
pub(crate) fn run(arguments: args::Env, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
    let named = arguments.place.data.clone();
    let running = match Running::of(arguments.place) {
        Ok(running) => running,
        Err(failure) => {
            if !arguments.json && !io::stdout().is_terminal() {
                // So that `eval "$(tidelock env)" && terraform apply` stops instead of going to real AWS.
                writeln!(out, "false")?;
            }
            return Err(failure);
        }
    };
    let variables = variables(&running);
    if arguments.json {
        let object: serde_json::Map<_, _> = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), json!(value)))
            .collect();
        return super::print_json(&object, out);
    }
    for (name, value) in variables {
        writeln!(out, "export {name}={}", shell::quoted(value))?;
    }
    // A token of another account would be sent along, and refused.
    writeln!(out, "unset AWS_SESSION_TOKEN")?;
    let named = named.map_or_else(String::new, |data| {
        format!(" --data {}", shell::quoted(&data.to_string_lossy()))
    });
    writeln!(
        err,
        "note: AWS_ENDPOINT_URL sends every AWS client in this shell to Tidelock, Terraform's provider \"aws\" included.\n      \
         Where the configuration uses that provider, type `tidelock profile{named}` instead."
    )?;
    Ok(())
}

/// What points an AWS client at the server.
fn variables(running: &Running) -> Vec<(&'static str, &str)> {
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", running.endpoint.url.as_str()),
        ("AWS_ACCESS_KEY_ID", &running.credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &running.credentials.secret_access_key),
        ("AWS_REGION", REGION),
        // The AWS CLI and boto3 know the region by this name only.
        ("AWS_DEFAULT_REGION", REGION),
    ];
    if let Some(ca) = running.endpoint.ca.as_deref().and_then(Path::to_str) {
        variables.push(("AWS_CA_BUNDLE", ca));
    }
    variables
}
