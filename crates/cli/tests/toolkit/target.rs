//! A backend block, read by us and by real Terraform in the same environment: both end up at the same state, as the same one.

use std::{collections::BTreeMap, fs, path::Path};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidelock_operator::{
    aws::{Access, Environment, Settings},
    backend::{self, Backend},
    layout::Layout,
};
use tidelock_testkit::{Credentials, Kind, Request, Terraform};

use crate::world::{World, wait, worlds};

/// A directory, and the environment of who works in it.
struct Project<'a> {
    terraform: Terraform<'a>,
    variables: BTreeMap<String, String>,
}

impl<'a> Project<'a> {
    /// With these variables over those that name the store and its key; an empty one is as good as none.
    fn new(world: &'a World, binary: &Path, name: &str, block: &str, variables: &[(&str, &str)]) -> Self {
        let mut terraform = world.store.terraform(binary, &world.hermetic, name);
        let configuration = format!(
            "terraform {{\n backend \"s3\" {{\n{block}\n}}\n}}\noutput \"o\" {{\n value = \"{name}\"\n}}\n"
        );
        terraform.write("main.tf", configuration);
        let keys = &world.store.credentials;
        let home = world.hermetic.home().display().to_string();
        let mut all: BTreeMap<String, String> = [
            ("HOME", home.as_str()),
            ("AWS_ENDPOINT_URL", &world.store.endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (name, value) in variables {
            terraform = terraform.with(name, value);
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        Project {
            terraform,
            variables: all,
        }
    }

    fn found(&self) -> Backend {
        let variable = |name: &str| self.variables.get(name).cloned();
        backend::find(&self.terraform.path(""), &[], &variable).unwrap()
    }

    fn layout(&self, found: Backend) -> Layout {
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let settings = Settings::load(Environment::new(variables), found.wanted).unwrap();
        let bucket = found.address.bucket().to_owned();
        Layout::new(Access::new(settings).unwrap(), bucket, found.table).unwrap()
    }

    /// Terraform writes its state; what we find before `init` and after it is that state.
    fn ends_up_where_terraform_does(&self, key: &str) {
        let before = self.found();
        assert_eq!(before.address.key(), key);
        self.terraform.ok(&["init", "-input=false"]);
        self.terraform.ok(&["apply", "-auto-approve", "-input=false"]);
        for found in [before, self.found()] {
            assert_eq!(found.address.key(), key);
            let bucket = found.address.bucket().to_owned();
            let layout = self.layout(found);
            let state = wait(layout.s3.get_object(&bucket, key, None)).unwrap();
            let ours = self.terraform.ok(&["output", "-raw", "o"]).stdout;
            let state = String::from_utf8_lossy(&state.bytes).into_owned();
            assert!(state.contains(&format!("\"value\": \"{ours}\"")), "{state}");
        }
    }
}

#[test]
fn what_the_variables_give_to_init_and_the_workspace_lead_to_the_same_state() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let given = format!(
            "-reconfigure -backend-config=bucket={} '-backend-config=more.hcl'",
            world.bucket
        );
        let project = Project::new(
            &world,
            &binary,
            "variables",
            "workspace_key_prefix = \"teams//x\"",
            &[("TF_CLI_ARGS_init", &given), ("TF_WORKSPACE", "w1")],
        );
        project
            .terraform
            .write("more.hcl", "key = \"dir/../a b\"\nuse_lockfile = true\n");
        project.ends_up_where_terraform_does("teams/x/w1/a b");
    }
}

#[test]
fn a_block_that_says_all_itself_leads_to_the_same_state() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let keys = &world.store.credentials;
        let block = format!(
            "bucket = \"{bucket}\"\nkey = \"own\"\nendpoints = {{ s3 = \"{url}\", dynamodb = \"{url}\", sts = \"{url}\", iam = \"{url}\" }}\n\
             use_path_style = true\nprofile = \"own\"\nshared_config_files = [\"$HOME/config\"]\n\
             shared_credentials_files = [\"~/credentials\"]\ndynamodb_table = \"{table}\"",
            bucket = world.bucket,
            url = world.store.endpoint,
            table = world.table
        );
        let home = world.hermetic.home();
        fs::write(home.join("config"), "[profile own]\nregion = us-east-1\n").unwrap();
        let credentials = format!(
            "[own]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys.access_key_id, keys.secret_access_key
        );
        fs::write(home.join("credentials"), credentials).unwrap();
        // What is lying about is another's.
        let variables = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "AKIAOTHER"),
        ];
        Project::new(&world, &binary, "own", &block, &variables).ends_up_where_terraform_does("own");
    }
}

#[test]
fn a_profile_that_is_not_there_is_said_before_anything_else() {
    let world = crate::world::tidelock_alone();
    let empty = world.workdir().join("empty");
    fs::create_dir_all(&empty).unwrap();
    for command in ["locks", "history", "doctor"] {
        let refused = world.says_in(&empty, &[command, "--profile", "nosuch"], 2).stderr;
        assert!(
            refused.contains("there is no profile nosuch"),
            "{command}: {refused}"
        );
    }
}

#[test]
fn a_role_of_the_block_is_assumed_and_nobody_else_gets_in() {
    let Some(binary) = Terraform::find() else { return };
    for world in worlds() {
        let (user, role) = user_with_a_role(&world);
        let block = format!(
            "bucket = \"{}\"\nkey = \"role\"\nuse_lockfile = true\nassume_role = {{ role_arn = \"{role}\", session_name = \"ci\", \
             duration = \"15m\", tags = {{ team = \"infra\" }} }}",
            world.bucket
        );
        let variables = [
            ("AWS_ACCESS_KEY_ID", user.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &user.secret_access_key),
        ];
        let project = Project::new(&world, &binary, "role", &block, &variables);
        project.ends_up_where_terraform_does("role");
        // moto lets everybody do everything.
        if world.store.kind == Kind::Tidelock {
            let mut found = project.found();
            found.wanted.roles.clear();
            let layout = project.layout(found);
            let refused = wait(layout.s3.get_object(&world.bucket, "role", None)).unwrap_err();
            assert_eq!(refused.code(), Some("AccessDenied"));
        }
    }
}

/// A user who may assume a role and do nothing else, and the role, which may do everything.
fn user_with_a_role(world: &World) -> (Credentials, String) {
    let statement = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
        )
    };
    let user = format!("user-of-{}", world.bucket);
    let role = format!("role-of-{}", world.bucket);
    iam(world, "CreateUser", &[("UserName", &user)]);
    let own = [
        ("UserName", user.as_str()),
        ("PolicyName", "own"),
        ("PolicyDocument", &statement("sts:*")),
    ];
    iam(world, "PutUserPolicy", &own);
    let key = iam(world, "CreateAccessKey", &[("UserName", &user)]);
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
    let made = iam(
        world,
        "CreateRole",
        &[("RoleName", &role), ("AssumeRolePolicyDocument", trust)],
    );
    let own = [
        ("RoleName", role.as_str()),
        ("PolicyName", "own"),
        ("PolicyDocument", &statement("s3:*")),
    ];
    iam(world, "PutRolePolicy", &own);
    let credentials = Credentials {
        access_key_id: element(&key, "AccessKeyId"),
        secret_access_key: element(&key, "SecretAccessKey"),
    };
    (credentials, element(&made, "Arn"))
}

fn iam(world: &World, action: &str, fields: &[(&str, &str)]) -> String {
    let mut form = format!("Action={action}&Version=2010-05-08");
    for (name, value) in fields {
        form += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    let request = Request::new("POST", "/", form).header("content-type", "application/x-www-form-urlencoded");
    let answer = world.store.client().send(&Request {
        service: "iam",
        ..request
    });
    assert_eq!(answer.status, 200, "{action}: {}", answer.text());
    answer.text()
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap().to_owned()
}
