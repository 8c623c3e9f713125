//! `aws_kms_key`, `aws_kms_alias`, `aws_kms_key_policy`.

use std::thread;

use crate::World;

const KEY: &str = r#"
data "aws_caller_identity" "current" {}

resource "aws_kms_key" "state" {
  description             = "seals the states of the platform team"
  enable_key_rotation     = true
  deletion_window_in_days = 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "The account decides"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })

  tags = { team = "platform" }
}

resource "aws_kms_alias" "state" {
  name          = "alias/platform/state"
  target_key_id = aws_kms_key.state.key_id
}

output "id" {
  value = aws_kms_key.state.key_id
}
"#;

/// Both at once: the provider mostly waits by itself, for a change to spread as on AWS.
#[test]
fn keys_with_aliases_and_policies_are_applied_changed_imported_and_destroyed() {
    thread::scope(|both| {
        both.spawn(a_key_with_its_alias);
        both.spawn(a_key_policy_which_must_not_lock_out);
    });
}

fn a_key_with_its_alias() {
    let Some(world) = World::new() else { return };
    let project = world.project("key", KEY);
    project.apply();
    let id = project.output("id");
    let switched = KEY.replace("enable_key_rotation     = true", "is_enabled = false");
    project.change_to(&switched.replace("platform\" }", "network\" }"));
    project.change_to(&KEY.replace("seals the states", "sealed states"));
    project.change_to(&KEY.replace(
        "enable_key_rotation     = true",
        "enable_key_rotation = true\n  rotation_period_in_days = 90",
    ));
    project.import_and_apply(&[
        ("aws_kms_key.state", id.as_str()),
        ("aws_kms_alias.state", "alias/platform/state"),
    ]);
    project.destroy();
}

const POLICY: &str = r#"
resource "aws_kms_key" "state" {
  deletion_window_in_days = 30
}

resource "aws_kms_key_policy" "state" {
  key_id = aws_kms_key.state.id
  policy = jsonencode({
    Version = "2012-10-17"
    Id      = "states"
    Statement = [{
      Sid       = "Everything"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::000000000000:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

output "id" {
  value = aws_kms_key.state.key_id
}
"#;

fn a_key_policy_which_must_not_lock_out() {
    let Some(world) = World::new() else { return };
    let project = world.project("key-policy", POLICY);
    project.apply();
    let id = project.output("id");
    project.change_to(&POLICY.replace("\"Everything\"", "\"All\""));
    project.import(&[("aws_kms_key_policy.state", id.as_str())]);
    project.rewrite(&POLICY.replace("000000000000:root", "111111111111:root"));
    project.apply_is_refused("will not allow you to update the key policy");
    project.change_to(POLICY);
    project.destroy();
}
