//! The actions that a policy about a backend could have, by what they are on: what a wildcard in somebody's policy reaches
//! is found among these.
//!
//! Source: "Actions defined by Amazon S3", "by Amazon DynamoDB" and "by AWS Key Management Service" in the Service
//! Authorization Reference; those of access points, jobs, Outposts and the like are not on buckets and left out.

/// What an action is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Account,
    Bucket,
    Object,
    Table,
    Key,
}

/// All of them, each service's name with its actions.
pub(super) fn all() -> impl Iterator<Item = (String, On)> {
    let of = |service: &'static str, on: On, names: &'static str| {
        let names = names.split_whitespace();
        names.map(move |name| (format!("{service}:{name}"), on))
    };
    of("s3", On::Account, S3_ACCOUNT)
        .chain(of("s3", On::Bucket, S3_BUCKET))
        .chain(of("s3", On::Object, S3_OBJECT))
        .chain(of("dynamodb", On::Account, DYNAMODB_ACCOUNT))
        .chain(of("dynamodb", On::Table, DYNAMODB_TABLE))
        .chain(of("kms", On::Account, KMS_ACCOUNT))
        .chain(of("kms", On::Key, KMS_KEY))
}

const S3_ACCOUNT: &str = "ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock";

const S3_BUCKET: &str = "
    CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration
    GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketNotification
    GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
    GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
    GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration
    GetMetricsConfiguration GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions
    PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging
    PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy
    PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning PutBucketWebsite
    PutEncryptionConfiguration PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration
    PutMetricsConfiguration PutReplicationConfiguration";

const S3_OBJECT: &str = "
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
    DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention
    GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication
    GetObjectVersionTagging ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl
    PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete
    ReplicateObject ReplicateTags RestoreObject";

const DYNAMODB_ACCOUNT: &str = "ListTables ListBackups ListExports ListGlobalTables DescribeLimits";

const DYNAMODB_TABLE: &str = "
    BatchGetItem BatchWriteItem ConditionCheckItem CreateBackup CreateTable DeleteItem DeleteResourcePolicy DeleteTable
    DescribeContinuousBackups DescribeTable DescribeTimeToLive ExportTableToPointInTime GetItem GetResourcePolicy
    ListTagsOfResource PartiQLDelete PartiQLInsert PartiQLSelect PartiQLUpdate PutItem PutResourcePolicy Query
    RestoreTableToPointInTime Scan TagResource UntagResource UpdateContinuousBackups UpdateItem UpdateTable
    UpdateTimeToLive";

const KMS_ACCOUNT: &str = "CreateKey ListAliases ListKeys";

const KMS_KEY: &str = "
    CancelKeyDeletion CreateAlias CreateGrant Decrypt DeleteAlias DescribeKey DisableKey DisableKeyRotation EnableKey
    EnableKeyRotation Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateMac GetKeyPolicy
    GetKeyRotationStatus GetPublicKey ListGrants ListKeyPolicies ListResourceTags ListRetirableGrants PutKeyPolicy
    ReEncryptFrom ReEncryptTo RevokeGrant ScheduleKeyDeletion Sign TagResource UntagResource UpdateAlias
    UpdateKeyDescription Verify";
