//! Networks, and who may speak to whom in them.

use serde_json::json;

use super::{
    kind::{AWS, Kind, TIMEOUTS},
    named::{ACCOUNT, ZONES},
};

pub(super) static SECURITY_GROUP: Kind = Kind {
    name: "aws_security_group",
    schema_version: 1,
    private: TIMEOUTS,
    changes: &[&["tags", "tags_all"], &["ingress"]],
    attributes: |named, rng| {
        let (id, tags) = (rng.id("sg"), named.tags(rng));
        let rule = |port: u64, cidr: String, description: &str| {
            json!({
                "cidr_blocks": [cidr], "description": description, "from_port": port, "ipv6_cidr_blocks": [],
                "prefix_list_ids": [], "protocol": "tcp", "security_groups": [], "self": false, "to_port": port,
            })
        };
        json!({
            "arn": named.arn("ec2", &format!("security-group/{id}")),
            "description": format!("Traffic of {}", named.service),
            "egress": [rule(443, "0.0.0.0/0".to_owned(), "To anywhere, over TLS"), rule(5432, "10.0.0.0/8".to_owned(), "To databases")],
            "id": id,
            "ingress": [
                rule(22, format!("{}/32", rng.ip()), "Bastion"),
                rule(443, "10.0.0.0/8".to_owned(), "Clients <-> load balancer"),
                rule(8000 + rng.below(1000), format!("{}/32", rng.ip()), "Metrics & probes"),
            ],
            "name": named.name,
            "name_prefix": "",
            "owner_id": ACCOUNT,
            "revoke_rules_on_delete": false,
            "tags": tags,
            "tags_all": tags,
            "timeouts": null,
            "vpc_id": named.shared("vpc"),
        })
    },
    ..AWS
};

pub(super) static RULE: Kind = Kind {
    name: "aws_security_group_rule",
    schema_version: 2,
    private: TIMEOUTS,
    dependencies: &["aws_security_group.this"],
    changes: &[&["cidr_blocks", "id"], &["from_port", "to_port", "id"]],
    attributes: |named, rng| {
        let port = 1024 + rng.below(60_000);
        json!({
            "cidr_blocks": [format!("{}/32", rng.ip())],
            "description": format!("From {}", named.name),
            "from_port": port,
            "id": format!("sgrule-{}", rng.below(4_000_000_000)),
            "ipv6_cidr_blocks": [],
            "prefix_list_ids": [],
            "protocol": "tcp",
            "security_group_id": named.shared("sg"),
            "security_group_rule_id": rng.id("sgr"),
            "self": false,
            "source_security_group_id": null,
            "timeouts": null,
            "to_port": port,
            "type": "ingress",
        })
    },
    ..AWS
};

pub(super) static SUBNET: Kind = Kind {
    name: "aws_subnet",
    schema_version: 1,
    private: TIMEOUTS,
    attributes: |named, rng| {
        let (id, tags) = (rng.id("subnet"), named.tags(rng));
        json!({
            "arn": named.arn("ec2", &format!("subnet/{id}")),
            "assign_ipv6_address_on_creation": false,
            "availability_zone": ZONES[named.number as usize % 3],
            "availability_zone_id": format!("euc1-az{}", named.number % 3 + 1),
            "cidr_block": format!("10.{}.{}.0/24", rng.below(64), rng.below(256)),
            "customer_owned_ipv4_pool": "",
            "enable_dns64": false,
            "enable_lni_at_device_index": 0,
            "enable_resource_name_dns_a_record_on_launch": false,
            "enable_resource_name_dns_aaaa_record_on_launch": false,
            "id": id,
            "ipv6_cidr_block": "",
            "ipv6_cidr_block_association_id": "",
            "ipv6_native": false,
            "map_customer_owned_ip_on_launch": false,
            "map_public_ip_on_launch": false,
            "outpost_arn": "",
            "owner_id": ACCOUNT,
            "private_dns_hostname_type_on_launch": "ip-name",
            "tags": tags,
            "tags_all": tags,
            "timeouts": null,
            "vpc_id": named.shared("vpc"),
        })
    },
    ..AWS
};

pub(super) static TARGET_GROUP: Kind = Kind {
    name: "aws_lb_target_group",
    dependencies: &["aws_subnet.private"],
    changes: &[&["tags", "tags_all"], &["health_check", "deregistration_delay"]],
    attributes: |named, rng| {
        let tags = named.tags(rng);
        let arn = named.arn(
            "elasticloadbalancing",
            &format!("targetgroup/{}/{}", named.name, rng.hex(16)),
        );
        json!({
            "arn": arn,
            "arn_suffix": arn.rsplit(':').next(),
            "connection_termination": null,
            "deregistration_delay": rng.below(300).to_string(),
            "health_check": [{
                "enabled": true, "healthy_threshold": 2 + rng.below(8), "interval": 5 + rng.below(200), "matcher": "200-299",
                "path": "/healthz", "port": "traffic-port", "protocol": "HTTP", "timeout": 4, "unhealthy_threshold": 3,
            }],
            "id": arn,
            "ip_address_type": "ipv4",
            "lambda_multi_value_headers_enabled": false,
            "load_balancer_arns": [],
            "load_balancing_algorithm_type": "round_robin",
            "load_balancing_anomaly_mitigation": "off",
            "load_balancing_cross_zone_enabled": "use_load_balancer_configuration",
            "name": named.name,
            "name_prefix": "",
            "port": 8080,
            "preserve_client_ip": null,
            "protocol": "HTTP",
            "protocol_version": "HTTP1",
            "proxy_protocol_v2": false,
            "slow_start": 0,
            "stickiness": [{"cookie_duration": 86_400, "cookie_name": "", "enabled": false, "type": "lb_cookie"}],
            "tags": tags,
            "tags_all": tags,
            "target_failover": [{"on_deregistration": null, "on_unhealthy": null}],
            "target_group_health": [{
                "dns_failover": [{"minimum_healthy_targets_count": "1", "minimum_healthy_targets_percentage": "off"}],
                "unhealthy_state_routing": [
                    {"minimum_healthy_targets_count": 1, "minimum_healthy_targets_percentage": "off"},
                ],
            }],
            "target_health_state": [],
            "target_type": "instance",
            "vpc_id": named.shared("vpc"),
        })
    },
    ..AWS
};
