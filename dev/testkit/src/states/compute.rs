//! Machines, functions, and what watches them.

use serde_json::json;

use super::{
    kind::{AWS, Kind, NOTHING, TIMEOUTS, VERSION_1},
    named::{ACCOUNT, Named, REGION, ZONES},
};
use crate::Rng;

pub(super) static INSTANCE: Kind = Kind {
    name: "aws_instance",
    schema_version: 1,
    private: TIMEOUTS,
    dependencies: &[
        "aws_iam_role.this",
        "aws_security_group.this",
        "aws_subnet.private",
        "data.aws_ami.base",
    ],
    changes: &[
        &["tags", "tags_all"],
        &["instance_type", "ebs_optimized"],
        &["user_data", "user_data_replace_on_change"],
    ],
    attributes: instance,
    ..AWS
};

// tidy: table
fn instance(named: &Named<'_>, rng: &mut Rng) -> serde_json::Value {
    let (id, ip, tags) = (rng.id("i"), rng.ip(), named.tags(rng));
    let dns = format!("ip-{}.{REGION}.compute.internal", ip.replace('.', "-"));
    json!({
        "ami": named.shared("ami"),
        "arn": named.arn("ec2", &format!("instance/{id}")),
        "associate_public_ip_address": false,
        "availability_zone": ZONES[named.number as usize % 3],
        "capacity_reservation_specification": [
            {"capacity_reservation_preference": "open", "capacity_reservation_target": []},
        ],
        "cpu_core_count": 2,
        "cpu_options": [{"amd_sev_snp": "", "core_count": 2, "threads_per_core": 2}],
        "cpu_threads_per_core": 2,
        "credit_specification": [{"cpu_credits": "unlimited"}],
        "disable_api_stop": false,
        "disable_api_termination": false,
        "ebs_block_device": [],
        "ebs_optimized": rng.below(2) == 0,
        "enable_primary_ipv6": null,
        "enclave_options": [{"enabled": false}],
        "ephemeral_block_device": [],
        "get_password_data": false,
        "hibernation": false,
        "host_id": "",
        "host_resource_group_arn": null,
        "iam_instance_profile": format!("{}-this", named.service),
        "id": id,
        "instance_initiated_shutdown_behavior": "stop",
        "instance_lifecycle": "",
        "instance_market_options": [],
        "instance_state": "running",
        "instance_type": rng.one_of(&["t3.medium", "t3.large", "m6i.large", "m6i.xlarge", "c7g.large"]),
        "ipv6_address_count": 0,
        "ipv6_addresses": [],
        "key_name": "operations",
        "launch_template": [],
        "maintenance_options": [{"auto_recovery": "default"}],
        "metadata_options": [{
            "http_endpoint": "enabled", "http_protocol_ipv6": "disabled", "http_put_response_hop_limit": 2,
            "http_tokens": "required", "instance_metadata_tags": "disabled",
        }],
        "monitoring": true,
        "network_interface": [],
        "outpost_arn": "",
        "password_data": "",
        "placement_group": "",
        "placement_partition_number": 0,
        "primary_network_interface_id": rng.id("eni"),
        "private_dns": dns,
        "private_dns_name_options": [{
            "enable_resource_name_dns_a_record": false, "enable_resource_name_dns_aaaa_record": false,
            "hostname_type": "ip-name",
        }],
        "private_ip": ip,
        "public_dns": "",
        "public_ip": "",
        "root_block_device": [{
            "delete_on_termination": true, "device_name": "/dev/xvda", "encrypted": true, "iops": 3000,
            "kms_key_id": named.arn("kms", &format!("key/{}", named.shared("key"))),
            "tags": {}, "tags_all": {}, "throughput": 125, "volume_id": rng.id("vol"), "volume_size": 40, "volume_type": "gp3",
        }],
        "secondary_private_ips": [],
        "security_groups": [],
        "source_dest_check": true,
        "spot_instance_request_id": "",
        "subnet_id": named.shared("subnet"),
        "tags": tags,
        "tags_all": tags,
        "tenancy": "default",
        "timeouts": null,
        "user_data": rng.hex(40),
        "user_data_base64": null,
        "user_data_replace_on_change": false,
        "volume_tags": null,
        "vpc_security_group_ids": [named.shared("sg"), named.shared("sg-monitoring")],
    })
}

pub(super) static FUNCTION: Kind = Kind {
    name: "aws_lambda_function",
    private: TIMEOUTS,
    dependencies: &[
        "aws_iam_role.this",
        "aws_security_group.this",
        "aws_subnet.private",
    ],
    changes: &[
        &["tags", "tags_all"],
        &[
            "source_code_hash",
            "code_sha256",
            "last_modified",
            "version",
            "qualified_arn",
            "source_code_size",
            "s3_key",
        ],
    ],
    attributes: function,
    ..AWS
};

fn function(named: &Named<'_>, rng: &mut Rng) -> serde_json::Value {
    let (digest, tags, version) = (rng.digest(), named.tags(rng), rng.below(900).to_string());
    let arn = named.arn("lambda", &format!("function:{}", named.name));
    let url = format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions");
    json!({
        "architectures": ["arm64"],
        "arn": arn,
        "code_sha256": digest,
        "code_signing_config_arn": "",
        "dead_letter_config": [],
        "description": "",
        "environment": [{"variables": {
            "DATABASE_HOST": format!("{}.internal.example.com", named.service), "LOG_LEVEL": "info",
            "QUEUE_URL": format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}-jobs-0", named.service),
        }}],
        "ephemeral_storage": [{"size": 512}],
        "file_system_config": [],
        "filename": null,
        "function_name": named.name,
        "handler": "bootstrap",
        "id": named.name,
        "image_config": [],
        "image_uri": "",
        "invoke_arn": format!("{url}/{arn}/invocations"),
        "kms_key_arn": "",
        "last_modified": rng.date(),
        "layers": [],
        "logging_config": [{
            "application_log_level": "", "log_format": "Text", "log_group": format!("/aws/lambda/{}", named.name),
            "system_log_level": "",
        }],
        "memory_size": 512,
        "package_type": "Zip",
        "publish": true,
        "qualified_arn": format!("{arn}:{version}"),
        "qualified_invoke_arn": format!("{url}/{arn}:{version}/invocations"),
        "replace_security_groups_on_destroy": null,
        "reserved_concurrent_executions": -1,
        "role": format!("arn:aws:iam::{ACCOUNT}:role/{}-this", named.service),
        "runtime": "provided.al2023",
        "s3_bucket": "releases-418272790583",
        "s3_key": format!("{}/{}.zip", named.service, rng.hex(40)),
        "skip_destroy": false,
        "snap_start": [],
        "source_code_hash": digest,
        "source_code_size": rng.below(40_000_000),
        "tags": tags,
        "tags_all": tags,
        "timeout": 60,
        "timeouts": null,
        "tracing_config": [{"mode": "Active"}],
        "version": version,
        "vpc_config": [{
            "ipv6_allowed_for_dual_stack": false, "security_group_ids": [named.shared("sg")],
            "subnet_ids": [named.shared("subnet"), named.shared("subnet-b")], "vpc_id": named.shared("vpc"),
        }],
    })
}

pub(super) static LOG_GROUP: Kind = Kind {
    name: "aws_cloudwatch_log_group",
    changes: &[&["tags", "tags_all"], &["retention_in_days"]],
    private: NOTHING,
    attributes: |named, rng| {
        let (tags, name) = (named.tags(rng), format!("/aws/lambda/{}", named.name));
        json!({
            "arn": named.arn("logs", &format!("log-group:{name}")),
            "id": name,
            "kms_key_id": "",
            "log_group_class": "STANDARD",
            "name": name,
            "name_prefix": "",
            "retention_in_days": 1 + rng.below(365),
            "skip_destroy": false,
            "tags": tags,
            "tags_all": tags,
        })
    },
    ..AWS
};

pub(super) static ALARM: Kind = Kind {
    name: "aws_cloudwatch_metric_alarm",
    schema_version: 1,
    private: VERSION_1,
    dependencies: &[
        "aws_instance.app",
        "aws_security_group.this",
        "aws_subnet.private",
    ],
    changes: &[&["tags", "tags_all"], &["threshold", "evaluation_periods"]],
    attributes: |named, rng| {
        let tags = named.tags(rng);
        let topic = named.arn("sns", "alerts");
        json!({
            "actions_enabled": true,
            "alarm_actions": [topic],
            "alarm_description": format!("{} is above its threshold for too long (>= 3 of 5 periods)", named.name),
            "alarm_name": named.name,
            "arn": named.arn("cloudwatch", &format!("alarm:{}", named.name)),
            "comparison_operator": "GreaterThanOrEqualToThreshold",
            "datapoints_to_alarm": 3,
            "dimensions": {"AutoScalingGroupName": named.service, "LoadBalancer": named.shared("lb")},
            "evaluate_low_sample_count_percentiles": "",
            "evaluation_periods": 2 + rng.below(20),
            "extended_statistic": "",
            "id": named.name,
            "insufficient_data_actions": [],
            "metric_name": "CPUUtilization",
            "metric_query": [],
            "namespace": "AWS/EC2",
            "ok_actions": [topic],
            "period": 60,
            "statistic": "Average",
            "tags": tags,
            "tags_all": tags,
            "threshold": rng.below(100),
            "threshold_metric_id": "",
            "treat_missing_data": "missing",
            "unit": "",
        })
    },
    ..AWS
};
