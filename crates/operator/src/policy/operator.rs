//! What an operator may do beside a writer, and the commands of this program that need it.

use super::{
    Action, Sample, Statement, Subject,
    statements::{LIST, READ_ITEM, READ_LOCK, UNLOCK, UNLOCK_ITEM, WRITE_ACL, objects},
    subject::States,
};

pub(super) const READ_VERSION: Action = Action {
    action: "s3:GetObjectVersion",
    calls: "tidelock show, diff, blame and rollback read older versions (GetObject with a version ID)",
};

pub(super) const END_UPLOAD: Action = Action {
    action: "s3:AbortMultipartUpload",
    calls: "tidelock doctor begins an upload in parts, to see whether that is allowed, and ends it (AbortMultipartUpload)",
};

/// Settings of the bucket, each with its action.
const SETTINGS: [Action; 9] = [
    Action {
        action: "s3:ListBucketVersions",
        calls: "tidelock history and rollback (ListObjectVersions)",
    },
    Action {
        action: "s3:GetBucketLocation",
        calls: "tidelock doctor: the region (GetBucketLocation)",
    },
    Action {
        action: "s3:GetBucketVersioning",
        calls: "tidelock doctor, history, rollback: whether old versions are kept (GetBucketVersioning)",
    },
    Action {
        action: "s3:GetEncryptionConfiguration",
        calls: "tidelock doctor: encryption (GetBucketEncryption)",
    },
    Action {
        action: "s3:GetBucketPublicAccessBlock",
        calls: "tidelock doctor: public access (GetPublicAccessBlock)",
    },
    Action {
        action: "s3:GetBucketPolicy",
        calls: "tidelock doctor: whether only TLS is let in (GetBucketPolicy)",
    },
    Action {
        action: "s3:GetLifecycleConfiguration",
        calls: "tidelock doctor: rules that end versions (GetBucketLifecycleConfiguration)",
    },
    Action {
        action: "s3:GetBucketOwnershipControls",
        calls: "tidelock doctor: whether lists of access control count (GetBucketOwnershipControls)",
    },
    Action {
        action: "s3:GetBucketObjectLockConfiguration",
        calls: "tidelock doctor: whether new objects cannot be deleted (GetObjectLockConfiguration)",
    },
];

/// Settings of the table, and all its locks.
const TABLE: [Action; 3] = [
    Action {
        action: "dynamodb:Scan",
        calls: "tidelock locks, watch, doctor: every lock in the table (Scan)",
    },
    Action {
        action: "dynamodb:DescribeTable",
        calls: "tidelock doctor: its key, and its deletion protection (DescribeTable)",
    },
    Action {
        action: "dynamodb:BatchGetItem",
        calls: "tidelock doctor: the digests of many states (BatchGetItem)",
    },
];

/// What the examination of a store writes beside the state, and removes again with all of its versions.
const SCRATCH: [Action; 4] = [
    Action {
        action: "s3:PutObject",
        calls: "tidelock doctor: a scratch key, to see how the store treats writes (PutObject)",
    },
    Action {
        action: "s3:GetObject",
        calls: "tidelock doctor: what became of it (GetObject)",
    },
    Action {
        action: "s3:DeleteObject",
        calls: "tidelock doctor: it is removed (DeleteObject)",
    },
    Action {
        action: "s3:DeleteObjectVersion",
        calls: "tidelock doctor: with all of its versions (DeleteObject with a version ID)",
    },
];

pub(super) fn bucket(subject: &Subject) -> Statement {
    let mut actions = vec![Action {
        calls: "as for a writer; tidelock locks, watch and secrets also go through the whole bucket (ListObjectsV2)",
        ..LIST
    }];
    actions.extend(SETTINGS);
    let resource = subject.bucket_arn();
    Statement {
        sid: "Bucket",
        actions,
        samples: vec![sample(&resource)],
        resources: vec![resource],
        conditions: Vec::new(),
    }
}

pub(super) fn scratch(subject: &Subject, states: &[States]) -> Statement {
    let mut actions = SCRATCH.to_vec();
    actions.extend(subject.acl.then_some(WRITE_ACL));
    objects(subject, "Scratch", actions, states.iter(), ".tidelock-doctor-*")
}

pub(super) fn lock_files(subject: &Subject, states: &[States]) -> Statement {
    let own = states.iter().map(|state| format!("{}.tflock", state.sample));
    let keys = own.chain(["some/state.tflock".to_owned()]);
    Statement {
        sid: "EveryLockFile",
        actions: vec![
            Action {
                calls: "as for a writer; tidelock locks, watch and reap see every state's (GetObject)",
                ..READ_LOCK
            },
            Action {
                calls: "as for a writer; tidelock unlock and locks reap free every state's (DeleteObject)",
                ..UNLOCK
            },
        ],
        resources: vec![subject.object_arn("*.tflock")],
        samples: keys.map(|key| sample(&subject.object_arn(&key))).collect(),
        conditions: Vec::new(),
    }
}

pub(super) fn table(subject: &Subject, table: &str) -> Statement {
    let mut actions = vec![
        READ_ITEM,
        Action {
            calls: "as for a writer; tidelock unlock and locks reap free every state's (DeleteItem)",
            ..UNLOCK_ITEM
        },
    ];
    actions.extend(TABLE);
    let arn = subject.table_arn(table);
    Statement {
        sid: "EveryLockItem",
        actions,
        samples: vec![sample(&Sample::concrete(&arn))],
        resources: vec![arn],
        conditions: Vec::new(),
    }
}

fn sample(resource: &str) -> Sample {
    let (resource, keys) = (resource.to_owned(), Vec::new());
    Sample { resource, keys }
}
