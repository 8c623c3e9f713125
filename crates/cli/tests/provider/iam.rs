//! `aws_iam_user`, `aws_iam_role`, `aws_iam_policy` and what hangs on them.

use crate::World;

/// The usual set-up of a team: a runner's user with a key, a role for CI by OIDC, a role for people, and their policies.
const TEAM: &str = r#"
data "aws_caller_identity" "me" {}

data "aws_iam_policy_document" "state" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::tfstate"]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["network/*"]
    }
  }
  statement {
    sid       = "State"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["arn:aws:s3:::tfstate/network/*"]
  }
}

resource "aws_iam_policy" "state" {
  name        = "network-state"
  path        = "/states/"
  description = "One key of the state bucket"
  policy      = data.aws_iam_policy_document.state.json
  tags        = { team = "network" }
}

resource "aws_iam_user" "runner" {
  name = "runner"
  path = "/ci/"
  tags = { team = "network" }
}

resource "aws_iam_user_policy" "runner" {
  name   = "locks"
  user   = aws_iam_user.runner.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "dynamodb:*", Resource = "*" }]
  })
}

resource "aws_iam_user_policy_attachment" "runner" {
  user       = aws_iam_user.runner.name
  policy_arn = aws_iam_policy.state.arn
}

resource "aws_iam_access_key" "runner" {
  user = aws_iam_user.runner.name
}

resource "aws_iam_openid_connect_provider" "github" {
  url             = "https://token.actions.githubusercontent.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
  tags            = { team = "network" }
}

data "aws_iam_policy_document" "ci" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }
    condition {
      test     = "StringLike"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:acme/network:*"]
    }
  }
}

resource "aws_iam_role" "ci" {
  name                 = "network-ci"
  path                 = "/ci/"
  description          = "Plans and applies the network"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.ci.json
  tags                 = { team = "network" }
}

resource "aws_iam_role_policy_attachment" "ci" {
  role       = aws_iam_role.ci.name
  policy_arn = aws_iam_policy.state.arn
}

resource "aws_iam_role" "people" {
  name = "network-people"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = [aws_iam_user.runner.arn, "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"] }
    }]
  })
}

resource "aws_iam_role_policy" "people" {
  name   = "read"
  role   = aws_iam_role.people.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "people" {
  role       = aws_iam_role.people.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
}

output "key" { value = aws_iam_access_key.runner.id }
output "policy" { value = aws_iam_policy.state.arn }
output "role" { value = aws_iam_role.ci.arn }
"#;

/// What a plan elsewhere looks up.
const LOOKED_UP: &str = r#"
data "aws_iam_user" "runner" { user_name = "runner" }
data "aws_iam_role" "ci" { name = "network-ci" }
data "aws_iam_policy" "state" { arn = "arn:aws:iam::000000000000:policy/states/network-state" }
data "aws_iam_openid_connect_provider" "github" { url = "https://token.actions.githubusercontent.com" }
data "aws_iam_policy" "aws" { name = "AdministratorAccess" }

output "user" { value = data.aws_iam_user.runner.arn }
output "role" { value = data.aws_iam_role.ci.arn }
output "seconds" { value = data.aws_iam_role.ci.max_session_duration }
output "policy" { value = data.aws_iam_policy.state.path }
output "issuer" { value = data.aws_iam_openid_connect_provider.github.client_id_list[0] }
"#;

#[test]
fn a_teams_users_roles_and_policies_are_applied_changed_imported_and_destroyed() {
    let Some(world) = World::new() else { return };
    let project = world.project("team", TEAM);
    project.apply();
    assert!(project.output("key").starts_with("AKIA"));
    let policy = project.output("policy");
    assert_eq!(policy, "arn:aws:iam::000000000000:policy/states/network-state");

    let elsewhere = world.project("elsewhere", LOOKED_UP);
    elsewhere.apply();
    assert_eq!(
        elsewhere.output("user"),
        "arn:aws:iam::000000000000:user/ci/runner"
    );
    assert_eq!(elsewhere.output("role"), project.output("role"));
    assert_eq!(elsewhere.output("seconds"), "7200");
    assert_eq!(elsewhere.output("policy"), "/states/");
    assert_eq!(elsewhere.output("issuer"), "sts.amazonaws.com");

    let issuer = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com";
    project.import(&[
        ("aws_iam_policy.state", &policy),
        ("aws_iam_user.runner", "runner"),
        ("aws_iam_openid_connect_provider.github", issuer),
        ("aws_iam_role.people", "network-people"),
        ("aws_iam_role_policy.people", "network-people:read"),
    ]);
    let changed = TEAM
        .replace("team = \"network\"", "team = \"platform\"")
        .replace("= 7200", "= 3600")
        .replace("Plans and applies", "Applies")
        .replace("\"s3:DeleteObject\"", "\"s3:DeleteObjectVersion\"")
        .replace("repo:acme/network:*", "repo:acme/*:ref:refs/heads/main")
        .replace("[\"sts.amazonaws.com\"]", "[\"sts.amazonaws.com\", \"other\"]")
        .replace("runner\"\n  path = \"/ci/\"", "runner\"\n  path = \"/runners/\"")
        .replace("dynamodb:*", "dynamodb:GetItem");
    project.change_to(&changed);
    project.destroy();
}

#[test]
fn what_iam_does_not_take_is_refused_in_its_words() {
    let Some(world) = World::new() else { return };
    let stranger = TEAM.replace(
        "aws_iam_user.runner.arn, ",
        "\"arn:aws:iam::000000000000:user/nobody\", ",
    );
    let project = world.project("stranger", &stranger);
    project.apply_is_refused("MalformedPolicyDocument: Invalid principal in policy");
    let group = world.project("group", "resource \"aws_iam_group\" \"g\" {\n name = \"g\"\n}\n");
    group.apply_is_refused("InvalidAction");
}
