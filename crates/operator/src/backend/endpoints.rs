//! Where each of AWS's services is: as the block says, then the variables, then the profile.

use std::collections::BTreeMap;

use super::{Environment, Settings};
use crate::profile::Profile;

/// A service, by its name in `endpoints`, with the argument and the variable that named its endpoint before.
const SERVICES: [(&str, &str, &str); 5] = [
    ("dynamodb", "dynamodb_endpoint", "AWS_DYNAMODB_ENDPOINT"),
    ("iam", "iam_endpoint", "AWS_IAM_ENDPOINT"),
    ("kms", "", ""),
    ("s3", "endpoint", "AWS_S3_ENDPOINT"),
    ("sts", "sts_endpoint", "AWS_STS_ENDPOINT"),
];

/// The endpoints that are not AWS's own.
///
/// Source: `Configure` in `internal/backend/remote-state/s3/backend.go` of Terraform; where that leaves it to AWS's SDK for
/// Go, "Service-specific endpoints" in the SDKs and Tools Reference Guide.
pub(super) fn found(
    settings: &Settings,
    environment: Environment<'_>,
    profile: &Profile,
) -> BTreeMap<String, String> {
    let ignored = environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let of_sdk = |service: &str| {
        let of_all = environment("AWS_ENDPOINT_URL");
        of_all.or_else(|| profile.endpoints.get(service).cloned())
    };
    let found = SERVICES.iter().filter_map(|(service, argument, variable)| {
        let upper = service.to_ascii_uppercase();
        let endpoint = settings
            .text(&format!("endpoints.{service}"))
            .or_else(|| settings.text(argument))
            .or_else(|| environment(&format!("AWS_ENDPOINT_URL_{upper}")))
            .or_else(|| environment(variable))
            .or_else(|| of_sdk(service).filter(|_| !ignored))?;
        Some(((*service).to_owned(), endpoint))
    });
    found.collect()
}
