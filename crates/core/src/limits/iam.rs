//! The bounds of the IAM directory and of what is asked of it: AWS's own, where nothing else is said.

/// Accounts on one server. Each is a team or an environment; all of them are in memory.
pub const IAM_ACCOUNTS_MAX: usize = 1_000;

/// Longest name of an account, in characters (AWS Organizations' own).
pub const IAM_ACCOUNT_NAME_CHARS_MAX: usize = 50;

/// Users in one account (AWS's own, as all of IAM's below).
pub const IAM_USERS_MAX: usize = 5_000;

/// Roles in one account.
pub const IAM_ROLES_MAX: usize = 1_000;

/// Policies in one account.
pub const IAM_POLICIES_MAX: usize = 1_500;

/// OIDC providers in one account.
pub const IAM_PROVIDERS_MAX: usize = 100;

/// Access keys of one user: the one in use, and the one that will replace it.
pub const IAM_KEYS_PER_USER_MAX: usize = 2;

/// Policies attached to one user or role.
pub const IAM_ATTACHED_MAX: usize = 10;

/// Versions of one policy.
pub const IAM_POLICY_VERSIONS_MAX: usize = 5;

/// Longest name of a user or role, in characters.
pub const IAM_NAME_CHARS_MAX: usize = 64;

/// Longest name of a policy, in characters.
pub const IAM_POLICY_NAME_CHARS_MAX: usize = 128;

/// Longest path, in bytes.
pub const IAM_PATH_BYTES_MAX: usize = 512;

/// Longest description, in characters.
pub const IAM_DESCRIPTION_CHARS_MAX: usize = 1_000;

/// Tags on one thing.
pub const IAM_TAGS_MAX: usize = 50;

/// Longest key of a tag, in characters.
pub const IAM_TAG_KEY_CHARS_MAX: usize = 128;

/// Longest value of a tag, in characters.
pub const IAM_TAG_VALUE_CHARS_MAX: usize = 256;

/// Longest policy that is looked at, white space and all, in bytes.
pub const IAM_DOCUMENT_CHARS_MAX: usize = 131_072;

/// Longest managed policy without its white space, in characters.
pub const IAM_POLICY_CHARS_MAX: usize = 6_144;

/// Longest trust policy without its white space, in characters: the quota that AWS raises to on request. Its first one,
/// 2,048, is too short for a role that a few dozen repositories may take.
pub const IAM_TRUST_CHARS_MAX: usize = 4_096;

/// All inline policies of a user without their white space, in characters.
pub const IAM_INLINE_USER_CHARS_MAX: usize = 2_048;

/// All inline policies of a role without their white space, in characters.
pub const IAM_INLINE_ROLE_CHARS_MAX: usize = 10_240;

/// Shortest of the longest sessions of a role, in seconds.
pub const IAM_SESSION_SECS_MIN: u32 = 3_600;

/// Longest session of a role, in seconds.
pub const IAM_SESSION_SECS_MAX: u32 = 43_200;

/// Longest URL of an OIDC provider, in characters.
pub const IAM_PROVIDER_URL_CHARS_MAX: usize = 255;

/// Longest client ID, in characters.
pub const IAM_CLIENT_ID_CHARS_MAX: usize = 255;

/// Client IDs of one OIDC provider.
pub const IAM_CLIENT_IDS_MAX: usize = 100;

/// Thumbprints of one OIDC provider.
pub const IAM_THUMBPRINTS_MAX: usize = 5;

/// Things in one page of IAM's lists.
pub const IAM_PAGE_MAX: usize = 1_000;

/// Largest request about users, roles and policies, in bytes: the longest policy, indented and percent-encoded, fits
/// several times.
pub const IAM_REQUEST_BYTES_MAX: u64 = 256 * 1_024;
