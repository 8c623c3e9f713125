//! What there is to ask of IAM: one line an operation.
//!
//! What is not here is refused as an operation that IAM does not have. Of groups, instance profiles, devices and the like,
//! none of which can be made here, it is truly told that there are none.

use tidelock_core::iam::Command;

use super::{Ask, changes, keys, lists, policies, reads};
use crate::{aws_common::error::AwsError, query::Xml};

/// An operation.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) on: On,
    pub(super) does: Does,
}

/// What an operation is about, for whoever decides whether it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// The user that is named, or the caller.
    User,
    /// The role that is named.
    Role,
    /// The policy that is named, by ARN or, when it is made, by path and name.
    Policy,
    /// The OIDC provider that is named.
    Provider,
    /// The user whose access key is named.
    Key,
    /// Nothing in particular.
    Any,
}

type Read = fn(&Ask<'_>) -> Result<Xml, AwsError>;
type Make = fn(&Ask<'_>) -> Result<Command, AwsError>;

/// What it does.
#[derive(Clone, Copy)]
pub(super) enum Does {
    /// Tells what is in the directory.
    Read(Read),
    /// Changes it, and tells nothing.
    Change(Make),
    /// Changes it, and tells what came of it.
    Make(Make, Read),
    /// Makes an access key, whose secret is told this once.
    MakeKey,
}

/// The operation of a name.
pub(super) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

const fn read(name: &'static str, on: On, read: Read) -> Operation {
    let does = Does::Read(read);
    Operation { name, on, does }
}

const fn change(name: &'static str, on: On, command: Make) -> Operation {
    let does = Does::Change(command);
    Operation { name, on, does }
}

const fn make(name: &'static str, on: On, command: Make, shown: Read) -> Operation {
    let does = Does::Make(command, shown);
    Operation { name, on, does }
}

/// All of them.
#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    make("CreateUser", On::User, changes::create_user, reads::user_made),
    read("GetUser", On::User, reads::user),
    change("UpdateUser", On::User, changes::update_user),
    change("DeleteUser", On::User, changes::delete_user),
    read("ListUsers", On::Any, lists::users),
    change("TagUser", On::User, changes::tag_user),
    change("UntagUser", On::User, changes::untag_user),
    read("ListUserTags", On::User, lists::user_tags),
    change("PutUserPolicy", On::User, changes::put_user_policy),
    read("GetUserPolicy", On::User, reads::user_policy),
    change("DeleteUserPolicy", On::User, changes::delete_user_policy),
    read("ListUserPolicies", On::User, lists::user_policies),
    change("AttachUserPolicy", On::User, changes::attach_user_policy),
    change("DetachUserPolicy", On::User, changes::detach_user_policy),
    read("ListAttachedUserPolicies", On::User, lists::attached_user_policies),

    Operation { name: "CreateAccessKey", on: On::User, does: Does::MakeKey },
    change("UpdateAccessKey", On::Key, keys::update),
    change("DeleteAccessKey", On::Key, keys::delete),
    read("ListAccessKeys", On::User, keys::list),
    read("GetAccessKeyLastUsed", On::Key, keys::last_used),

    make("CreateRole", On::Role, changes::create_role, reads::role),
    read("GetRole", On::Role, reads::role),
    make("UpdateRole", On::Role, changes::update_role, reads::nothing),
    make("UpdateRoleDescription", On::Role, changes::update_role_description, reads::role),
    change("UpdateAssumeRolePolicy", On::Role, changes::update_trust),
    change("DeleteRole", On::Role, changes::delete_role),
    read("ListRoles", On::Any, lists::roles),
    change("TagRole", On::Role, changes::tag_role),
    change("UntagRole", On::Role, changes::untag_role),
    read("ListRoleTags", On::Role, lists::role_tags),
    change("PutRolePolicy", On::Role, changes::put_role_policy),
    read("GetRolePolicy", On::Role, reads::role_policy),
    change("DeleteRolePolicy", On::Role, changes::delete_role_policy),
    read("ListRolePolicies", On::Role, lists::role_policies),
    change("AttachRolePolicy", On::Role, changes::attach_role_policy),
    change("DetachRolePolicy", On::Role, changes::detach_role_policy),
    read("ListAttachedRolePolicies", On::Role, lists::attached_role_policies),

    make("CreatePolicy", On::Policy, changes::create_policy, policies::made),
    read("GetPolicy", On::Policy, policies::policy),
    change("DeletePolicy", On::Policy, changes::delete_policy),
    read("ListPolicies", On::Any, policies::list),
    make("CreatePolicyVersion", On::Policy, changes::create_policy_version, policies::version_made),
    read("GetPolicyVersion", On::Policy, policies::version),
    read("ListPolicyVersions", On::Policy, policies::versions),
    change("SetDefaultPolicyVersion", On::Policy, changes::set_default_policy_version),
    change("DeletePolicyVersion", On::Policy, changes::delete_policy_version),
    read("ListEntitiesForPolicy", On::Policy, policies::entities),
    change("TagPolicy", On::Policy, changes::tag_policy),
    change("UntagPolicy", On::Policy, changes::untag_policy),
    read("ListPolicyTags", On::Policy, lists::policy_tags),

    make("CreateOpenIDConnectProvider", On::Provider, changes::create_provider, reads::provider_made),
    read("GetOpenIDConnectProvider", On::Provider, reads::provider),
    change("DeleteOpenIDConnectProvider", On::Provider, changes::delete_provider),
    read("ListOpenIDConnectProviders", On::Any, lists::providers),
    change("AddClientIDToOpenIDConnectProvider", On::Provider, changes::add_client_id),
    change("RemoveClientIDFromOpenIDConnectProvider", On::Provider, changes::remove_client_id),
    change("UpdateOpenIDConnectProviderThumbprint", On::Provider, changes::update_thumbprints),
    change("TagOpenIDConnectProvider", On::Provider, changes::tag_provider),
    change("UntagOpenIDConnectProvider", On::Provider, changes::untag_provider),
    read("ListOpenIDConnectProviderTags", On::Provider, lists::provider_tags),

    read("GetAccountSummary", On::Any, reads::summary),
    read("ListAccountAliases", On::Any, |_| Ok(lists::none("AccountAliases"))),

    read("ListGroups", On::Any, |_| Ok(lists::none("Groups"))),
    read("GetGroup", On::Any, |ask| reads::no_such(ask, "GroupName", "The group with name")),
    read("ListGroupsForUser", On::User, |ask| lists::none_of_user(ask, "Groups")),
    read("ListInstanceProfiles", On::Any, |_| Ok(lists::none("InstanceProfiles"))),
    read("GetInstanceProfile", On::Any, |ask| reads::no_such(ask, "InstanceProfileName", "Instance Profile")),
    read("ListInstanceProfilesForRole", On::Role, |ask| lists::none_of_role(ask, "InstanceProfiles")),
    read("GetLoginProfile", On::User, reads::no_login_profile),
    read("DeleteLoginProfile", On::User, reads::no_login_profile),
    read("ListMFADevices", On::User, |ask| lists::none_of_user(ask, "MFADevices")),
    read("ListVirtualMFADevices", On::Any, |_| Ok(lists::none("VirtualMFADevices"))),
    read("ListSSHPublicKeys", On::User, |ask| lists::none_of_user(ask, "SSHPublicKeys")),
    read("ListSigningCertificates", On::User, |ask| lists::none_of_user(ask, "Certificates")),
    read("ListServiceSpecificCredentials", On::User, |ask| lists::none_of_user(ask, "ServiceSpecificCredentials")),
    read("ListSAMLProviders", On::Any, |_| Ok(lists::none("SAMLProviderList"))),
    read("ListServerCertificates", On::Any, |_| Ok(lists::none("ServerCertificateMetadataList"))),
];
