//! `assume_role_with_web_identity`: a job with a token of its CI and no key at all.

use serde_json::json;

use crate::world::World;

const MAIN: &str = "repo:org/app:ref:refs/heads/main";

fn with_role() -> Option<(World, String)> {
    let world = World::new()?;
    let provider = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com";
    let trust = json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:repository": "org/app",
            "token.actions.githubusercontent.com:sub": MAIN}}});
    let role = world.role("ci", trust, "app/terraform.tfstate");
    Some((world, role))
}

#[test]
fn a_backend_with_a_token_of_its_ci_needs_no_key() {
    let Some((world, role)) = with_role() else { return };
    let settings = format!(
        r#"
    assume_role_with_web_identity = {{
      role_arn                = "{role}"
      session_name            = "GitHubActions"
      web_identity_token_file = "token"
    }}"#
    );
    let terraform = world.project("job", None, "app/terraform.tfstate", &settings);
    terraform.write("token", world.token("repo:org/app:pull_request"));
    let refused = terraform.run(&["init"]).failed();
    let expected = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    assert!(refused.flowing().contains(expected), "{}", refused.text());
    terraform.write("token", world.token(MAIN));
    terraform.ok(&["init"]);
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["plan", "-detailed-exitcode"]);
    let writer = world.writer("app/terraform.tfstate");
    assert!(writer.contains("assumed-role/ci/GitHubActions"), "{writer}");
}

#[test]
fn the_variables_of_aws_clients_do_the_same() {
    let Some((world, role)) = with_role() else { return };
    let terraform = world.project("job", None, "app/terraform.tfstate", "");
    terraform.write("token", world.token(MAIN));
    let token = terraform.path("token");
    let terraform = terraform
        .with("AWS_ROLE_ARN", &role)
        .with("AWS_ENDPOINT_URL_STS", world.server.endpoint())
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    terraform.ok(&["init"]);
    terraform.ok(&["apply", "-auto-approve"]);
    terraform.ok(&["plan", "-detailed-exitcode"]);
}
