//! The statements for each role. Each is here because a command fails without it.

use super::{
    Action, Role, Sample, Statement, Subject, operator,
    subject::{States, escaped},
};

const PREFIX: &str = "s3:prefix";
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";
const VIA_SERVICE: &str = "kms:ViaService";
const ALIASES: &str = "kms:ResourceAliases";

pub(super) const LIST: Action = Action {
    action: "s3:ListBucket",
    calls: "init and workspace list look for workspaces (ListObjectsV2); a state that is not there yet is \"not found\" \
            instead of \"forbidden\" (HeadObject)",
};
const READ: Action = Action {
    action: "s3:GetObject",
    calls: "every command reads the state (HeadObject, GetObject)",
};
const WRITE: Action = Action {
    action: "s3:PutObject",
    calls: "apply, import, state and workspace new write the state (PutObject; above 5 MiB CreateMultipartUpload, \
            UploadPart, CompleteMultipartUpload)",
};
pub(super) const WRITE_ACL: Action = Action {
    action: "s3:PutObjectAcl",
    calls: "the block's `acl` goes with everything that is written (PutObject)",
};
const DELETE: Action = Action {
    action: "s3:DeleteObject",
    calls: "workspace delete removes the workspace's state (DeleteObject)",
};
pub(super) const READ_LOCK: Action = Action {
    action: "s3:GetObject",
    calls: "who finds the state locked reads by whom, and who unlocks compares the ID (GetObject)",
};
const LOCK: Action = Action {
    action: "s3:PutObject",
    calls: "plan, apply and all else that locks (PutObject with If-None-Match)",
};
pub(super) const UNLOCK: Action = Action {
    action: "s3:DeleteObject",
    calls: "the end of each command that locks, and force-unlock (DeleteObject)",
};
pub(super) const READ_ITEM: Action = Action {
    action: "dynamodb:GetItem",
    calls: "the digest of the state that is read, and who holds the lock (GetItem)",
};
const LOCK_ITEM: Action = Action {
    action: "dynamodb:PutItem",
    calls: "plan, apply and all else that locks, and the digest of what was written (PutItem)",
};
pub(super) const UNLOCK_ITEM: Action = Action {
    action: "dynamodb:DeleteItem",
    calls: "the end of each command that locks, force-unlock, and the digest of a deleted workspace (DeleteItem)",
};
const DIGEST: Action = Action {
    action: "dynamodb:GetItem",
    calls: "the digest of the state that is read: without it nobody notices a state that is out of date (GetItem)",
};
const DECRYPT: Action = Action {
    action: "kms:Decrypt",
    calls: "S3 opens the state and the lock file, also a state above 5 MiB while it is written",
};
const SEAL: Action = Action {
    action: "kms:GenerateDataKey",
    calls: "S3 seals the state and the lock file that are written",
};

/// The statements of the policy of this role.
#[must_use]
pub fn statements(subject: &Subject, role: Role) -> Vec<Statement> {
    let states = subject.states();
    let mut found = match role {
        Role::Reader | Role::Writer => vec![list(subject, &states)],
        Role::Operator => vec![operator::bucket(subject)],
    };
    found.push(of_states(subject, &states, role));
    if role != Role::Reader && states.iter().any(|state| state.is_workspace) {
        let of_workspaces = states.iter().filter(|state| state.is_workspace);
        found.push(objects(
            subject,
            "DeleteWorkspaces",
            vec![DELETE],
            of_workspaces,
            "",
        ));
    }
    if role != Role::Reader && subject.lock_file {
        found.push(lock_files(subject, &states, role));
        found.extend((role == Role::Operator).then(|| operator::lock_files(subject, &states)));
    }
    found.extend((role == Role::Operator).then(|| operator::scratch(subject, &states)));
    if let Some(table) = &subject.table {
        found.push(items(subject, table, &states, role));
        found.extend((role == Role::Operator).then(|| operator::table(subject, table)));
    }
    if let Some(key) = &subject.kms_key {
        found.push(key_of_states(subject, key, role));
    }
    found
}

fn list(subject: &Subject, states: &[States]) -> Statement {
    let own = subject.workspaces_prefix();
    let mut prefixes: Vec<String> = states.iter().map(|state| state.pattern.clone()).collect();
    prefixes.push(escaped(&own));
    let asked = states.iter().map(|state| state.sample.clone()).chain([own]);
    let samples = asked.map(|prefix| Sample {
        resource: subject.bucket_arn(),
        keys: vec![(PREFIX, prefix)],
    });
    Statement {
        sid: "ListStates",
        actions: vec![LIST],
        resources: vec![subject.bucket_arn()],
        samples: samples.collect(),
        conditions: vec![("StringLike", PREFIX, prefixes)],
    }
}

fn of_states(subject: &Subject, states: &[States], role: Role) -> Statement {
    let mut actions = vec![READ];
    actions.extend((role != Role::Reader).then_some(WRITE));
    actions.extend((role != Role::Reader && subject.acl).then_some(WRITE_ACL));
    if role == Role::Operator {
        actions.extend([operator::READ_VERSION, operator::END_UPLOAD]);
    }
    let sid = if role == Role::Reader {
        "ReadStates"
    } else {
        "ReadAndWriteStates"
    };
    objects(subject, sid, actions, states.iter(), "")
}

fn lock_files(subject: &Subject, states: &[States], role: Role) -> Statement {
    let mut actions = match role {
        // Those of every state are there for reading and removing.
        Role::Operator => vec![LOCK],
        Role::Reader | Role::Writer => vec![READ_LOCK, LOCK, UNLOCK],
    };
    actions.extend(subject.acl.then_some(WRITE_ACL));
    objects(subject, "LockFiles", actions, states.iter(), ".tflock")
}

/// Actions on the objects of these states.
pub(super) fn objects<'s>(
    subject: &Subject,
    sid: &'static str,
    actions: Vec<Action>,
    states: impl Iterator<Item = &'s States> + Clone,
    suffix: &str,
) -> Statement {
    let resources = states
        .clone()
        .map(|state| subject.object_arn(&format!("{}{suffix}", state.pattern)));
    let samples = states.map(|state| Sample {
        resource: subject.object_arn(&format!("{}{}", state.sample, suffix.replace('*', "some-name"))),
        keys: Vec::new(),
    });
    Statement {
        sid,
        actions,
        resources: resources.collect(),
        conditions: Vec::new(),
        samples: samples.collect(),
    }
}

fn items(subject: &Subject, table: &str, states: &[States], role: Role) -> Statement {
    let (sid, actions) = match role {
        Role::Reader => ("ReadDigests", vec![DIGEST]),
        Role::Writer => ("LockTable", vec![READ_ITEM, LOCK_ITEM, UNLOCK_ITEM]),
        // Those of every state are there for reading and removing.
        Role::Operator => ("LockTable", vec![LOCK_ITEM]),
    };
    // The lock's item and the digest's; who locks nothing needs the digest alone.
    let suffixes: &[&str] = if role == Role::Reader {
        &["-md5"]
    } else {
        &["", "-md5"]
    };
    let bucket = &subject.bucket;
    let each = |key: &dyn Fn(&States) -> String| -> Vec<String> {
        let mut ids = Vec::new();
        for state in states {
            ids.extend(
                suffixes
                    .iter()
                    .map(|suffix| format!("{bucket}/{}{suffix}", key(state))),
            );
        }
        ids
    };
    let arn = subject.table_arn(table);
    let sample = |item| Sample {
        resource: Sample::concrete(&arn),
        keys: vec![(LEADING_KEYS, item)],
    };
    Statement {
        sid,
        actions,
        samples: each(&|state| state.sample.clone())
            .into_iter()
            .map(sample)
            .collect(),
        resources: vec![arn.clone()],
        conditions: vec![(
            "ForAllValues:StringLike",
            LEADING_KEYS,
            each(&|state| state.pattern.clone()),
        )],
    }
}

/// A policy cannot be about an alias, so a condition says which alias the key has to have.
fn key_of_states(subject: &Subject, key: &str, role: Role) -> Statement {
    let (arn, alias) = subject.kms_arn(key);
    let via = subject.s3_endpoints();
    let mut keys = vec![(VIA_SERVICE, Sample::concrete(&via[0]))];
    let mut conditions = vec![("StringLike", VIA_SERVICE, via)];
    if let Some(alias) = alias {
        keys.push((ALIASES, alias.clone()));
        conditions.push(("ForAnyValue:StringEquals", ALIASES, vec![alias]));
    }
    let resource = Sample::concrete(&arn);
    Statement {
        sid: "StateKey",
        actions: match role {
            Role::Reader => vec![DECRYPT],
            Role::Writer | Role::Operator => vec![DECRYPT, SEAL],
        },
        samples: vec![Sample { resource, keys }],
        resources: vec![arn],
        conditions,
    }
}
