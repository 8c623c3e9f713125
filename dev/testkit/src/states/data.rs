//! Data sources, identities and policies; and the outputs.

use serde_json::{Value, json};

use super::{
    kind::{AWS, Kind, NOTHING},
    named::{ACCOUNT, REGION, ZONES},
};

pub(super) static CALLER_IDENTITY: Kind = Kind {
    mode: "data",
    name: "aws_caller_identity",
    private: None,
    changes: &[&["arn", "user_id"]],
    attributes: |_, rng| {
        let session = rng.hex(12);
        json!({
            "account_id": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{session}"),
            "id": ACCOUNT,
            "user_id": format!("AROAWCZFBJVLR2EXAMPLE:{session}"),
        })
    },
    ..AWS
};

pub(super) static REGION_DATA: Kind = Kind {
    mode: "data",
    name: "aws_region",
    private: None,
    changes: &[],
    attributes: |_, rng| {
        json!({
            "description": format!("Europe (Frankfurt) {}", rng.hex(4)),
            "endpoint": format!("ec2.{REGION}.amazonaws.com"),
            "id": REGION,
            "name": REGION,
        })
    },
    ..AWS
};

pub(super) static POLICY_DOCUMENT: Kind = Kind {
    mode: "data",
    name: "aws_iam_policy_document",
    private: None,
    changes: &[&["json", "minified_json", "statement", "id"]],
    attributes: |named, rng| {
        let resource = format!("arn:aws:s3:::{}-data/{}/*", named.service, rng.hex(6));
        let document = policy(&["s3:GetObject", "s3:ListBucket", "s3:PutObject"], &resource);
        json!({
            "id": (rng.bits() % 4_000_000_000).to_string(),
            "json": serde_json::to_string_pretty(&document).unwrap_or_default(),
            "minified_json": document.to_string(),
            "override_json": null,
            "override_policy_documents": null,
            "policy_id": null,
            "source_json": null,
            "source_policy_documents": null,
            "statement": [{
                "actions": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
                "condition": [{"test": "StringEquals", "values": [ACCOUNT], "variable": "aws:SourceAccount"}],
                "effect": "Allow",
                "not_actions": [],
                "not_principals": [],
                "not_resources": [],
                "principals": [],
                "resources": [resource],
                "sid": "Data",
            }],
            "version": "2012-10-17",
        })
    },
    ..AWS
};

pub(super) static AMI: Kind = Kind {
    mode: "data",
    name: "aws_ami",
    private: None,
    changes: &[&[
        "id",
        "image_id",
        "arn",
        "creation_date",
        "name",
        "block_device_mappings",
    ]],
    attributes: |_, rng| {
        let (id, snapshot) = (rng.id("ami"), rng.id("snap"));
        let name = format!("al2023-ami-2023.6.{}-kernel-6.1-x86_64", rng.below(99_999_999));
        json!({
            "architecture": "x86_64",
            "arn": format!("arn:aws:ec2:{REGION}::image/{id}"),
            "block_device_mappings": [{
                "device_name": "/dev/xvda",
                "ebs": {
                    "delete_on_termination": "true", "encrypted": "false", "iops": "3000",
                    "snapshot_id": snapshot, "throughput": "125", "volume_size": "8", "volume_type": "gp3",
                },
                "no_device": "",
                "virtual_name": "",
            }],
            "boot_mode": "uefi-preferred",
            "creation_date": rng.date(),
            "description": "Amazon Linux 2023 AMI 2023 x86_64 HVM kernel-6.1",
            "ena_support": true,
            "executable_users": null,
            "filter": [
                {"name": "name", "values": ["al2023-ami-2023*"]},
                {"name": "virtualization-type", "values": ["hvm"]},
            ],
            "hypervisor": "xen",
            "id": id,
            "image_id": id,
            "image_location": format!("amazon/{name}"),
            "image_owner_alias": "amazon",
            "image_type": "machine",
            "imds_support": "v2.0",
            "include_deprecated": false,
            "kernel_id": "",
            "most_recent": true,
            "name": name,
            "name_regex": null,
            "owner_id": "137112412989",
            "owners": ["amazon"],
            "platform_details": "Linux/UNIX",
            "product_codes": [],
            "public": true,
            "root_device_name": "/dev/xvda",
            "root_device_type": "ebs",
            "state": "available",
            "state_reason": {"code": "UNSET", "message": "UNSET"},
            "tags": {},
            "timeouts": null,
            "virtualization_type": "hvm",
        })
    },
    ..AWS
};

pub(super) static ROLE: Kind = Kind {
    name: "aws_iam_role",
    dependencies: &["data.aws_iam_policy_document.this"],
    changes: &[&["tags", "tags_all"], &["max_session_duration", "description"]],
    attributes: |named, rng| {
        let tags = named.tags(rng);
        let trust = json!({
            "Statement": [{
                "Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Sid": "",
            }],
            "Version": "2012-10-17",
        });
        json!({
            "arn": format!("arn:aws:iam::{ACCOUNT}:role/{}", named.name),
            "assume_role_policy": trust.to_string(),
            "create_date": rng.date(),
            "description": format!("Role of {} since {}", named.service, rng.date()),
            "force_detach_policies": false,
            "id": named.name,
            "inline_policy": [],
            "managed_policy_arns": [format!("arn:aws:iam::{ACCOUNT}:policy/{}", named.name)],
            "max_session_duration": 3600 * (1 + rng.below(12)),
            "name": named.name,
            "name_prefix": "",
            "path": "/",
            "permissions_boundary": "",
            "tags": tags,
            "tags_all": tags,
            "unique_id": format!("AROA{}", rng.hex(17).to_uppercase()),
        })
    },
    ..AWS
};

pub(super) static POLICY: Kind = Kind {
    name: "aws_iam_policy",
    dependencies: &["data.aws_iam_policy_document.this"],
    changes: &[&["tags", "tags_all"], &["policy"]],
    attributes: |named, rng| {
        let tags = named.tags(rng);
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{}", named.name);
        let resource = format!("arn:aws:s3:::{}-data/{}/*", named.service, rng.hex(6));
        json!({
            "arn": arn,
            "attachment_count": rng.below(3),
            "description": "",
            "id": arn,
            "name": named.name,
            "name_prefix": "",
            "path": "/",
            "policy": policy(&["s3:GetObject", "s3:ListBucket", "s3:PutObject"], &resource).to_string(),
            "policy_id": format!("ANPA{}", rng.hex(17).to_uppercase()),
            "tags": tags,
            "tags_all": tags,
        })
    },
    ..AWS
};

pub(super) static ATTACHMENT: Kind = Kind {
    name: "aws_iam_role_policy_attachment",
    dependencies: &[
        "aws_iam_policy.this",
        "aws_iam_role.this",
        "data.aws_iam_policy_document.this",
    ],
    changes: &[],
    private: NOTHING,
    attributes: |named, rng| {
        json!({
            "id": format!("{}-{}", named.name, rng.hex(26)),
            "policy_arn": format!("arn:aws:iam::{ACCOUNT}:policy/{}", named.name),
            "role": named.name,
        })
    },
    ..AWS
};

/// A policy that allows these actions; `<` and `&` in it, since Go escapes them.
pub(super) fn policy(actions: &[&str], resource: &str) -> Value {
    json!({
        "Statement": [
            {
                "Action": actions,
                "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                "Effect": "Allow",
                "Resource": resource,
                "Sid": "Data",
            },
            {
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Effect": "Allow",
                "Resource": format!("arn:aws:logs:{REGION}:{ACCOUNT}:*"),
                "Sid": "R&D<logs>",
            },
        ],
        "Version": "2012-10-17",
    })
}

/// The outputs of the root module: name, value, type, and whether it is sensitive.
pub(super) fn outputs(
    release: &str,
    password: &str,
    services: &[String],
) -> [(&'static str, Value, Value, bool); 5] {
    let endpoint = |service: &String| {
        (
            service.clone(),
            format!("https://{service}.internal.example.com").into(),
        )
    };
    let endpoints: serde_json::Map<_, _> = services.iter().map(endpoint).collect();
    [
        ("account_id", ACCOUNT.into(), "string".into(), false),
        ("endpoints", endpoints.into(), json!(["map", "string"]), false),
        ("master_password", password.into(), "string".into(), true),
        ("release", release.into(), "string".into(), false),
        ("zones", json!(ZONES), json!(["list", "string"]), false),
    ]
}
