//! The page of operations, `docs/reference/aws-operations.md`, names what the doors have.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use crate::{dynamodb, iam, kms, s3, sts};

const PAGE: &str = include_str!("../../../../docs/reference/aws-operations.md");

/// The operations that are named under headings which begin with this: the paragraphs that are nothing but names.
fn named(service: &str) -> BTreeSet<&'static str> {
    PAGE.split("\n## ")
        .filter(|section| section.split(['\n', ',']).next() == Some(service))
        .flat_map(|section| section.split("\n\n").map(str::trim))
        .filter(|paragraph| paragraph.starts_with('`') && paragraph.ends_with("`."))
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2))
        .collect()
}

fn is_the_page(service: &str, listed: impl Iterator<Item = String>) {
    let listed: BTreeSet<String> = listed.collect();
    let named: BTreeSet<String> = named(service).into_iter().map(str::to_owned).collect();
    assert_eq!(named, listed, "{service}");
}

#[test]
fn the_page_of_operations_names_what_the_doors_have() {
    let of = |names: &'static [&'static str]| names.iter().map(|name| (*name).to_owned());
    is_the_page("S3", s3::operations().into_iter().map(|found| found.name));
    is_the_page("DynamoDB", of(&dynamodb::OPERATIONS));
    is_the_page("IAM", iam::operation_names().map(str::to_owned));
    is_the_page("KMS", of(&kms::OPERATIONS));
    // The one that is not signed is not in the list of those that are.
    let web = "AssumeRoleWithWebIdentity".to_owned();
    is_the_page("STS", of(&sts::OPERATIONS).chain([web]));
}

#[test]
fn the_page_says_refused_of_what_is_not_served() {
    let refused = PAGE
        .split("\n## ")
        .find(|section| section.starts_with("S3, refused"));
    for found in s3::operations() {
        let is_refused = refused.unwrap().contains(&format!("`{}`", found.name));
        let settable = !found.served || found.name.starts_with("Put");
        assert!(found.served || is_refused, "{}", found.name);
        assert!(!is_refused || settable, "{}", found.name);
    }
}
