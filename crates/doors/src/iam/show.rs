//! How users, roles, policies and the like look in answers. Source: the data types of the IAM API reference.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidelock_core::{
    Time,
    iam::{Role, Tags, User},
};

use crate::{aws_common::time::iso, query::Xml};

/// What RFC 3986 leaves as it is: documents come so.
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn document(xml: &mut Xml, name: &str, document: &str) {
    xml.leaf(name, &utf8_percent_encode(document, DOCUMENT).to_string());
}

pub(super) fn time(xml: &mut Xml, name: &str, at: Time) {
    xml.leaf(name, &iso(at));
}

pub(super) fn tags(xml: &mut Xml, tags: &Tags) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.leaf("Key", key);
        xml.leaf("Value", value);
    });
}

/// Tags where they are shown only if there are any.
pub(super) fn some_tags(xml: &mut Xml, of: &Tags) {
    if !of.is_empty() {
        tags(xml, of);
    }
}

/// A user, as lists show it; alone it shows its tags too.
pub(super) fn user(xml: &mut Xml, account: &str, user: &User) {
    xml.leaf("Path", &user.path);
    xml.leaf("UserName", &user.name);
    xml.leaf("UserId", &user.id);
    xml.leaf("Arn", &user.arn(account));
    time(xml, "CreateDate", user.created);
}

/// A role, as lists show it; alone it shows its tags too.
pub(super) fn role(xml: &mut Xml, account: &str, role: &Role) {
    xml.leaf("Path", &role.path);
    xml.leaf("RoleName", &role.name);
    xml.leaf("RoleId", &role.id);
    xml.leaf("Arn", &role.arn(account));
    time(xml, "CreateDate", role.created);
    document(xml, "AssumeRolePolicyDocument", &role.trust);
    xml.maybe(
        "Description",
        Some(role.description.as_str()).filter(|text| !text.is_empty()),
    );
    xml.leaf("MaxSessionDuration", &role.max_session_secs.to_string());
}
