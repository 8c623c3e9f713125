//! As the block that a configuration needs to keep its state there.

use std::fmt::Write as _;

use super::{Reached, hcl::quoted};
use crate::bootstrap::Target;

/// `terraform { backend "s3" { … } }`, with a lock file and, where there is a table, with that too.
#[must_use]
pub fn backend(target: &Target, key: &str, reached: &Reached) -> String {
    let mut arguments = vec![
        ("bucket", quoted(&target.bucket)),
        ("key", quoted(key)),
        ("region", quoted(&target.region)),
        ("encrypt", "true".to_owned()),
    ];
    let kms_key = target.encryption.as_ref().and_then(|own| own.kms_key.as_deref());
    arguments.extend(kms_key.map(|key| ("kms_key_id", quoted(key))));
    arguments.push(("use_lockfile", "true".to_owned()));
    arguments.extend(
        target
            .table
            .as_ref()
            .map(|table| ("dynamodb_table", quoted(&table.name))),
    );
    let width = arguments
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let mut out = "terraform {\n  backend \"s3\" {\n".to_owned();
    for (name, value) in arguments {
        let _ = writeln!(out, "    {name:width$} = {value}");
    }
    let dynamodb = reached.dynamodb.as_deref().filter(|_| target.table.is_some());
    let endpoints = [("s3", reached.s3.as_deref()), ("dynamodb", dynamodb)];
    let told: Vec<_> = endpoints
        .into_iter()
        .filter_map(|(service, url)| Some((service, url?)))
        .collect();
    let width = told
        .iter()
        .map(|(service, _)| service.len())
        .max()
        .unwrap_or_default();
    if !told.is_empty() {
        // Terraform asks AWS's STS and IAM who it is, unless told otherwise, and knows no key of another store there.
        out += "\n    skip_credentials_validation = true\n    skip_requesting_account_id  = true\n    \
                use_path_style              = true\n    endpoints = {\n";
        for (service, url) in told {
            let _ = writeln!(out, "      {service:width$} = {}", quoted(url));
        }
        out += "    }\n";
    }
    out + "  }\n}\n"
}
