//! Buckets, databases, queues, keys, names and secrets.

use serde_json::json;

use super::{
    data::policy,
    kind::{AWS, Kind, NOTHING, TIMEOUTS, VERSION_1},
    named::{ACCOUNT, Named, REGION},
};
use crate::Rng;

pub(super) static BUCKET: Kind = Kind {
    name: "aws_s3_bucket",
    private: TIMEOUTS,
    changes: &[&["tags", "tags_all"], &["policy"], &["lifecycle_rule"]],
    attributes: |named, rng| {
        let (tags, name) = (named.tags(rng), format!("{}-{ACCOUNT}", named.name));
        json!({
            "acceleration_status": "",
            "acl": null,
            "arn": format!("arn:aws:s3:::{name}"),
            "bucket": name,
            "bucket_domain_name": format!("{name}.s3.amazonaws.com"),
            "bucket_prefix": "",
            "bucket_regional_domain_name": format!("{name}.s3.{REGION}.amazonaws.com"),
            "cors_rule": [],
            "force_destroy": false,
            "grant": [{
                "id": named.shared("owner"), "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": "",
            }],
            "hosted_zone_id": "Z21DNDUVLTQW6Q",
            "id": name,
            "lifecycle_rule": [{
                "abort_incomplete_multipart_upload_days": 7, "enabled": true,
                "expiration": [{"date": "", "days": 30 + rng.below(3000), "expired_object_delete_marker": false}],
                "id": "expire", "noncurrent_version_expiration": [{"days": 30}], "noncurrent_version_transition": [],
                "prefix": "tmp/", "tags": {}, "transition": [],
            }],
            "logging": [{"target_bucket": "shared-logs-418272790583", "target_prefix": format!("s3/{name}/")}],
            "object_lock_configuration": [],
            "object_lock_enabled": false,
            "policy": policy(&["s3:GetObject"], &format!("arn:aws:s3:::{name}/{}/*", rng.hex(6))).to_string(),
            "region": REGION,
            "replication_configuration": [],
            "request_payer": "BucketOwner",
            "server_side_encryption_configuration": [{"rule": [{
                "apply_server_side_encryption_by_default": [{"kms_master_key_id": named.shared("key"), "sse_algorithm": "aws:kms"}],
                "bucket_key_enabled": true,
            }]}],
            "tags": tags,
            "tags_all": tags,
            "timeouts": null,
            "versioning": [{"enabled": true, "mfa_delete": false}],
            "website": [],
            "website_domain": null,
            "website_endpoint": null,
        })
    },
    ..AWS
};

pub(super) static ACCESS_BLOCK: Kind = Kind {
    name: "aws_s3_bucket_public_access_block",
    dependencies: &["aws_s3_bucket.data"],
    changes: &[],
    private: NOTHING,
    attributes: |named, rng| {
        let name = format!("{}-{ACCOUNT}-{}", named.name, rng.hex(8));
        json!({
            "block_public_acls": true,
            "block_public_policy": true,
            "bucket": name,
            "id": name,
            "ignore_public_acls": true,
            "restrict_public_buckets": true,
        })
    },
    ..AWS
};

pub(super) static RECORD: Kind = Kind {
    name: "aws_route53_record",
    schema_version: 2,
    private: VERSION_1,
    dependencies: &[
        "aws_instance.app",
        "aws_security_group.this",
        "aws_subnet.private",
    ],
    changes: &[&["records"], &["ttl"]],
    attributes: |named, rng| {
        let name = format!("{}.example.com", named.name.replace('_', "-"));
        json!({
            "alias": [],
            "allow_overwrite": null,
            "cidr_routing_policy": [],
            "failover_routing_policy": [],
            "fqdn": name,
            "geolocation_routing_policy": [],
            "geoproximity_routing_policy": [],
            "health_check_id": "",
            "id": format!("Z0423185E7GJ0EXAMPLE_{name}_A"),
            "latency_routing_policy": [],
            "multivalue_answer_routing_policy": false,
            "name": name,
            "records": [rng.ip(), rng.ip(), rng.ip()],
            "set_identifier": "",
            "ttl": 10 + rng.below(3600),
            "type": "A",
            "weighted_routing_policy": [],
            "zone_id": "Z0423185E7GJ0EXAMPLE",
        })
    },
    ..AWS
};

pub(super) static QUEUE: Kind = Kind {
    name: "aws_sqs_queue",
    dependencies: &["aws_iam_role.this", "aws_kms_key.this"],
    changes: &[
        &["tags", "tags_all"],
        &["policy"],
        &["visibility_timeout_seconds", "delay_seconds"],
    ],
    private: NOTHING,
    attributes: |named, rng| {
        let tags = named.tags(rng);
        let url = format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", named.name);
        let arn = named.arn("sqs", &named.name);
        json!({
            "arn": arn,
            "content_based_deduplication": false,
            "deduplication_scope": "",
            "delay_seconds": rng.below(900),
            "fifo_queue": false,
            "fifo_throughput_limit": "",
            "id": url,
            "kms_data_key_reuse_period_seconds": 300,
            "kms_master_key_id": named.shared("key"),
            "max_message_size": 262_144,
            "message_retention_seconds": 345_600,
            "name": named.name,
            "name_prefix": "",
            "policy": policy(&["sqs:ReceiveMessage", "sqs:SendMessage"], &format!("{arn}/{}", rng.hex(6))).to_string(),
            "receive_wait_time_seconds": 20,
            "redrive_allow_policy": "",
            "redrive_policy": json!({"deadLetterTargetArn": format!("{arn}-dead"), "maxReceiveCount": 5}).to_string(),
            "sqs_managed_sse_enabled": false,
            "tags": tags,
            "tags_all": tags,
            "url": url,
            "visibility_timeout_seconds": 30 + rng.below(43_000),
        })
    },
    ..AWS
};

pub(super) static KEY: Kind = Kind {
    name: "aws_kms_key",
    private: TIMEOUTS,
    changes: &[&["tags", "tags_all"], &["policy"]],
    attributes: |named, rng| {
        let (tags, id) = (named.tags(rng), rng.uuid());
        json!({
            "arn": named.arn("kms", &format!("key/{id}")),
            "bypass_policy_lockout_safety_check": false,
            "custom_key_store_id": "",
            "customer_master_key_spec": "SYMMETRIC_DEFAULT",
            "deletion_window_in_days": 30,
            "description": format!("Data of {}", named.service),
            "enable_key_rotation": true,
            "id": id,
            "is_enabled": true,
            "key_id": id,
            "key_usage": "ENCRYPT_DECRYPT",
            "multi_region": false,
            "policy": policy(&["kms:Decrypt", "kms:GenerateDataKey"], &format!("*/{}", rng.hex(6))).to_string(),
            "rotation_period_in_days": 365,
            "tags": tags,
            "tags_all": tags,
            "timeouts": null,
            "xks_key_id": "",
        })
    },
    ..AWS
};

pub(super) static PARAMETER: Kind = Kind {
    name: "aws_ssm_parameter",
    sensitive: &["value"],
    dependencies: &["aws_kms_key.this"],
    changes: &[&["tags", "tags_all"], &["value", "version"]],
    private: NOTHING,
    attributes: |named, rng| {
        let (tags, path) = (named.tags(rng), format!("/production/{}", named.name));
        json!({
            "allowed_pattern": "",
            "arn": named.arn("ssm", &format!("parameter{path}")),
            "data_type": "text",
            "description": "",
            "id": path,
            "insecure_value": null,
            "key_id": named.shared("key"),
            "name": path,
            "overwrite": null,
            "tags": tags,
            "tags_all": tags,
            "tier": "Standard",
            "type": "SecureString",
            "value": rng.text(32),
            "version": rng.below(1000),
        })
    },
    ..AWS
};

pub(super) static PASSWORD: Kind = Kind {
    name: "random_password",
    provider: "hashicorp/random",
    schema_version: 3,
    private: None,
    sensitive: &["bcrypt_hash", "result"],
    changes: &[],
    attributes: |_, rng| {
        json!({
            "bcrypt_hash": format!("$2a$10${}", rng.text(53)),
            "id": "none",
            "keepers": null,
            "length": 32,
            "lower": true,
            "min_lower": 0,
            "min_numeric": 0,
            "min_special": 0,
            "min_upper": 0,
            "number": true,
            "numeric": true,
            "override_special": "!&<>-_",
            "result": rng.text(32),
            "special": true,
            "upper": true,
        })
    },
    ..AWS
};

pub(super) static DATABASE: Kind = Kind {
    name: "aws_db_instance",
    schema_version: 2,
    private: TIMEOUTS,
    sensitive: &["password"],
    dependencies: &["aws_security_group.database", "random_password.master"],
    changes: &[
        &["tags", "tags_all"],
        &["instance_class", "allocated_storage"],
        &["engine_version_actual", "latest_restorable_time"],
    ],
    attributes: database,
    ..AWS
};

// tidy: table
fn database(named: &Named<'_>, rng: &mut Rng) -> serde_json::Value {
    let (tags, resource) = (named.tags(rng), format!("db-{}", rng.hex(26).to_uppercase()));
    let host = format!("{}.c{}.{REGION}.rds.amazonaws.com", named.name, rng.hex(11));
    let key = named.arn("kms", &format!("key/{}", named.shared("key")));
    json!({
        "address": host,
        "allocated_storage": 20 + rng.below(2000),
        "allow_major_version_upgrade": null,
        "apply_immediately": false,
        "arn": named.arn("rds", &format!("db:{}", named.name)),
        "auto_minor_version_upgrade": true,
        "availability_zone": "eu-central-1a",
        "backup_retention_period": 14,
        "backup_target": "region",
        "backup_window": "03:11-03:41",
        "blue_green_update": [],
        "ca_cert_identifier": "rds-ca-rsa2048-g1",
        "character_set_name": "",
        "copy_tags_to_snapshot": true,
        "custom_iam_instance_profile": "",
        "customer_owned_ip_enabled": false,
        "database_insights_mode": "standard",
        "db_name": named.service.replace('-', "_"),
        "db_subnet_group_name": "private",
        "dedicated_log_volume": false,
        "delete_automated_backups": true,
        "deletion_protection": true,
        "domain": "",
        "domain_auth_secret_arn": "",
        "domain_dns_ips": [],
        "domain_fqdn": "",
        "domain_iam_role_name": "",
        "domain_ou": "",
        "enabled_cloudwatch_logs_exports": ["postgresql", "upgrade"],
        "endpoint": format!("{host}:5432"),
        "engine": "postgres",
        "engine_lifecycle_support": "open-source-rds-extended-support",
        "engine_version": "16",
        "engine_version_actual": format!("16.{}", rng.below(12)),
        "final_snapshot_identifier": null,
        "hosted_zone_id": "Z1RLNUO7B9Q6NB",
        "iam_database_authentication_enabled": true,
        "id": resource,
        "identifier": named.name,
        "identifier_prefix": "",
        "instance_class": rng.one_of(&["db.t4g.medium", "db.m7g.large", "db.r7g.xlarge"]),
        "iops": 3000,
        "kms_key_id": key,
        "latest_restorable_time": rng.date(),
        "license_model": "postgresql-license",
        "listener_endpoint": [],
        "maintenance_window": "sun:04:30-sun:05:00",
        "manage_master_user_password": null,
        "master_user_secret": [],
        "master_user_secret_kms_key_id": null,
        "max_allocated_storage": 4000,
        "monitoring_interval": 60,
        "monitoring_role_arn": format!("arn:aws:iam::{ACCOUNT}:role/rds-monitoring"),
        "multi_az": true,
        "nchar_character_set_name": "",
        "network_type": "IPV4",
        "option_group_name": "default:postgres-16",
        "parameter_group_name": format!("{}-postgres16", named.service),
        "password": rng.text(32),
        "performance_insights_enabled": true,
        "performance_insights_kms_key_id": key,
        "performance_insights_retention_period": 7,
        "port": 5432,
        "publicly_accessible": false,
        "replica_mode": "",
        "replicas": [],
        "replicate_source_db": "",
        "resource_id": resource,
        "restore_to_point_in_time": [],
        "s3_import": [],
        "skip_final_snapshot": false,
        "snapshot_identifier": null,
        "status": "available",
        "storage_encrypted": true,
        "storage_throughput": 125,
        "storage_type": "gp3",
        "tags": tags,
        "tags_all": tags,
        "timeouts": null,
        "timezone": "",
        "upgrade_storage_config": null,
        "username": "master",
        "vpc_security_group_ids": [named.shared("sg-database")],
    })
}
