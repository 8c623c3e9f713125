//! The parts of a bucket's configuration beside versioning: what each is when it was never set, and which may be set.
//!
//! What is accepted is enforced, or asks nothing of the server; anything else is refused.

use http::Method;

use super::{error::Code, route::Operation};

/// One part of a bucket's configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subresource {
    /// The query parameter that selects it, and the name it is stored under.
    pub(crate) query: &'static str,
    /// AWS's name for reading it.
    pub(crate) get: &'static str,
    /// AWS's name for writing it; empty when there is no such operation.
    pub(crate) put: &'static str,
    /// AWS's name for removing it; empty when there is no such operation.
    pub(crate) delete: &'static str,
    /// The answer when it was never set.
    pub(crate) unset: Unset,
    /// What is done with a new value.
    pub(crate) set: Set,
}

/// The answer to reading what was never set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// An error of its own.
    Error(Code),
    /// A document: the root element, and the one element in it, if any.
    Document(&'static str, Option<(&'static str, &'static str)>),
    /// Of several by ID, none: an error for one, an empty list with this root for all.
    List(&'static str),
    /// The access control list: the owner may do everything.
    Acl,
    /// The encryption that every new object has.
    Encryption,
    /// Whether the policy is public.
    PolicyStatus,
}

/// What is done with a new value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Kept and given back: a document with this root. What it asks for holds anyway (no request without a signature
    /// is served, so all public access is blocked), or asks nothing of the server.
    Keep(&'static str),
    /// Accepted when it says nothing else than what holds anyway: a document with this root, and at most this in it.
    Only(&'static str, Option<(&'static str, &'static str)>),
    /// The end of versions, by rules.
    Lifecycle,
    /// Which versions may not be deleted.
    ObjectLock,
    /// Where the access log goes.
    Logging,
    /// Who may do what.
    Policy,
    /// As the access control headers.
    Acl,
    /// Refused.
    Refuse,
}

impl Subresource {
    /// The operation that a method asks for.
    pub(crate) fn operation(&'static self, method: &Method) -> Option<Operation> {
        match *method {
            Method::GET => Some(Operation::GetSubresource(self)),
            Method::PUT if !self.put.is_empty() => Some(Operation::PutSubresource(self)),
            Method::DELETE if !self.delete.is_empty() => Some(Operation::DeleteSubresource(self)),
            _ => None,
        }
    }
}

macro_rules! subresource {
    ($query:literal $get:literal $put:literal $delete:literal $unset:expr, $set:expr) => {
        Subresource {
            query: $query,
            get: $get,
            put: $put,
            delete: $delete,
            unset: $unset,
            set: $set,
        }
    };
}

use Set::{Acl, Keep, Lifecycle, Logging, ObjectLock, Only, Policy, Refuse};
use Unset::{Document, Error, List};

/// All of them. Where two are in a query, the first counts.
#[rustfmt::skip]
pub(crate) const SUBRESOURCES: &[Subresource] = &[
    subresource!("accelerate" "GetBucketAccelerateConfiguration" "PutBucketAccelerateConfiguration" ""
        Document("AccelerateConfiguration", None), Only("AccelerateConfiguration", Some(("Status", "Suspended")))),
    subresource!("acl" "GetBucketAcl" "PutBucketAcl" "" Unset::Acl, Acl),
    subresource!("cors" "GetBucketCors" "PutBucketCors" "DeleteBucketCors"
        Error(Code::NoSuchCORSConfiguration), Refuse),
    subresource!("encryption" "GetBucketEncryption" "PutBucketEncryption" "DeleteBucketEncryption"
        Unset::Encryption, Keep("ServerSideEncryptionConfiguration")),
    subresource!("lifecycle" "GetBucketLifecycleConfiguration" "PutBucketLifecycleConfiguration" "DeleteBucketLifecycle"
        Error(Code::NoSuchLifecycleConfiguration), Lifecycle),
    subresource!("logging" "GetBucketLogging" "PutBucketLogging" ""
        Document("BucketLoggingStatus", None), Logging),
    subresource!("notification" "GetBucketNotificationConfiguration" "PutBucketNotificationConfiguration" ""
        Document("NotificationConfiguration", None), Only("NotificationConfiguration", None)),
    subresource!("object-lock" "GetObjectLockConfiguration" "PutObjectLockConfiguration" ""
        Error(Code::ObjectLockConfigurationNotFoundError), ObjectLock),
    subresource!("ownershipControls" "GetBucketOwnershipControls" "PutBucketOwnershipControls" "DeleteBucketOwnershipControls"
        Error(Code::OwnershipControlsNotFoundError), Keep("OwnershipControls")),
    subresource!("policyStatus" "GetBucketPolicyStatus" "" "" Unset::PolicyStatus, Refuse),
    subresource!("policy" "GetBucketPolicy" "PutBucketPolicy" "DeleteBucketPolicy"
        Error(Code::NoSuchBucketPolicy), Policy),
    subresource!("publicAccessBlock" "GetPublicAccessBlock" "PutPublicAccessBlock" "DeletePublicAccessBlock"
        Error(Code::NoSuchPublicAccessBlockConfiguration), Keep("PublicAccessBlockConfiguration")),
    subresource!("replication" "GetBucketReplication" "PutBucketReplication" "DeleteBucketReplication"
        Error(Code::ReplicationConfigurationNotFoundError), Refuse),
    subresource!("requestPayment" "GetBucketRequestPayment" "PutBucketRequestPayment" ""
        Document("RequestPaymentConfiguration", Some(("Payer", "BucketOwner"))),
        Only("RequestPaymentConfiguration", Some(("Payer", "BucketOwner")))),
    subresource!("tagging" "GetBucketTagging" "PutBucketTagging" "DeleteBucketTagging"
        Error(Code::NoSuchTagSet), Keep("Tagging")),
    subresource!("website" "GetBucketWebsite" "PutBucketWebsite" "DeleteBucketWebsite"
        Error(Code::NoSuchWebsiteConfiguration), Refuse),
    subresource!("analytics" "GetBucketAnalyticsConfiguration" "PutBucketAnalyticsConfiguration" "DeleteBucketAnalyticsConfiguration"
        List("ListBucketAnalyticsConfigurationResult"), Refuse),
    subresource!("intelligent-tiering" "GetBucketIntelligentTieringConfiguration" "PutBucketIntelligentTieringConfiguration" "DeleteBucketIntelligentTieringConfiguration"
        List("ListBucketIntelligentTieringConfigurationsOutput"), Refuse),
    subresource!("inventory" "GetBucketInventoryConfiguration" "PutBucketInventoryConfiguration" "DeleteBucketInventoryConfiguration"
        List("ListInventoryConfigurationsResult"), Refuse),
    subresource!("metrics" "GetBucketMetricsConfiguration" "PutBucketMetricsConfiguration" "DeleteBucketMetricsConfiguration"
        List("ListMetricsConfigurationsResult"), Refuse),
];
