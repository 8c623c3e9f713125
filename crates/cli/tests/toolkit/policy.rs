//! `tidelock policy`: with what it prints real Terraform works, and with less it does not. On Tidelock alone: moto lets
//! everybody in.

use std::{fs, thread};

use serde_json::{Value, json};
use tidelock_operator::layout::Want;
use tidelock_testkit::{Client, Credentials, Output, Request, Terraform};

use crate::{
    common::command,
    world::{World, tidelock_alone, wait},
};

const CONFIG: &str = r#"
resource "terraform_data" "thing" {
  input = "first"
}
output "thing" {
  value = terraform_data.thing.output
}
"#;

/// What Terraform says when it may not.
const DENIALS: [&str; 4] = ["AccessDenied", "StatusCode: 403", "Forbidden", "not authorized"];

/// A user without rights, and its key.
struct User {
    name: String,
    key: Credentials,
}

impl World {
    fn user(&self, name: &str) -> User {
        self.says(&["users", "create", name], 0);
        let made = self.says(&["keys", "create", name, "--json"], 0).stdout;
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        User {
            name: name.to_owned(),
            key: Credentials {
                access_key_id: text("access_key_id"),
                secret_access_key: text("secret_access_key"),
            },
        }
    }

    fn allow(&self, user: &User, policy: &Value) {
        let file = self.hermetic.home().join(format!("{}.json", user.name));
        fs::write(&file, policy.to_string()).unwrap();
        let file = file.to_str().unwrap();
        self.says(&["users", "policy", "put", &user.name, "states", file], 0);
    }

    fn kms_key(&self) -> String {
        let request = Request {
            service: "kms",
            ..Request::new("POST", "/", "{}")
        };
        let request = request.header("x-amz-target", "TrentService.CreateKey");
        let made = self.store.client().send(&request).json();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    /// What a block has beside bucket and key when it locks in both ways and names a key.
    fn guarded(&self, kms: &str) -> String {
        format!(
            "use_lockfile = true\ndynamodb_table = \"{}\"\nencrypt = true\nkms_key_id = \"{kms}\"",
            self.table
        )
    }

    /// The policy that is printed for the configuration in this directory.
    fn printed(&self, terraform: &Terraform<'_>, role: &str) -> Value {
        let dir = terraform.path("");
        let printed = self.says_in(&dir, &["policy", "--role", role, "--account", "000000000000"], 0);
        serde_json::from_str(&printed.stdout).unwrap()
    }
}

fn without(policy: &Value, sid: &str) -> Value {
    let mut less = policy.clone();
    let statements = less["Statement"].as_array_mut().unwrap();
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != sid);
    assert_eq!(statements.len() + 1, before);
    less
}

fn sids(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let sid = |statement: &Value| statement["Sid"].as_str().unwrap().to_owned();
    statements.iter().map(sid).collect()
}

fn want(id: &str) -> Want {
    Want {
        id: id.to_owned(),
        operation: "rollback".to_owned(),
        who: "ann@desk".to_owned(),
        info: String::new(),
        created: "2026-11-21T09:00:00Z".to_owned(),
    }
}

/// What a writer does, to the end or to what it may not do.
fn write(world: &World, terraform: &Terraform<'_>, key: &str) -> Result<(), Output> {
    let run = |arguments: &[&str]| -> Result<(), Output> {
        let ran = terraform.run(arguments);
        if ran.status.success() { Ok(()) } else { Err(ran) }
    };
    run(&["init", "-input=false"])?;
    run(&["apply", "-auto-approve", "-input=false"])?;
    run(&["workspace", "new", "w"])?;
    run(&["workspace", "select", "default"])?;
    run(&["workspace", "delete", "w"])?;
    let id = "11111111-2222-3333-4444-555555555555";
    let held = wait(world.layout().take(key, &want(id))).unwrap();
    let refused = terraform.run(&["plan", "-input=false"]);
    assert!(refused.stderr.contains(id), "{}", refused.text());
    let freed = run(&["force-unlock", "-force", id]);
    drop(held);
    freed?;
    run(&["plan", "-input=false", "-detailed-exitcode"])
}

#[test]
fn a_writer_works_with_the_printed_policy_and_with_each_statement_taken_out_something_fails() {
    let Some(binary) = Terraform::find() else { return };
    let world = tidelock_alone();
    let (key, world, binary) = (world.kms_key(), &world, &binary);
    let directory = |name: &str| {
        let state = format!("{name}/terraform.tfstate");
        let terraform = world.terraform(binary, name, &state, &world.guarded(&key));
        terraform.write("main.tf", CONFIG);
        (terraform, state)
    };
    let all = sids(&world.printed(&directory("all").0, "writer"));
    assert_eq!(
        all,
        [
            "ListStates",
            "ReadAndWriteStates",
            "DeleteWorkspaces",
            "LockFiles",
            "LockTable",
            "StateKey"
        ]
    );
    let attempt = |name: &str, taken: Option<&str>| {
        let (terraform, state) = directory(name);
        let policy = world.printed(&terraform, "writer");
        let user = world.user(name);
        world.allow(&user, &taken.map_or(policy.clone(), |sid| without(&policy, sid)));
        let terraform = terraform.with_key(&user.key.access_key_id, &user.key.secret_access_key);
        write(world, &terraform, &state)
    };
    thread::scope(|scope| {
        let attempt = &attempt;
        scope.spawn(move || {
            if let Err(stopped) = attempt("exact", None) {
                panic!("{}: {}", stopped.command, stopped.text());
            }
        });
        for sid in &all {
            scope.spawn(move || {
                let stopped = attempt(&format!("no-{}", sid.to_lowercase()), Some(sid));
                let stopped = stopped.expect_err(&format!("{sid} is not needed"));
                let said = stopped.flowing();
                assert!(
                    DENIALS.iter().any(|denial| said.contains(denial)),
                    "without {sid}: {said}"
                );
            });
        }
    });
}

#[test]
fn a_reader_reads_with_the_printed_policy_and_not_with_less_and_never_writes() {
    let Some(binary) = Terraform::find() else { return };
    let world = tidelock_alone();
    let key = world.kms_key();
    let lines = world.guarded(&key);
    let owner = world.terraform(&binary, "owner", "app.tfstate", &lines);
    owner.write("main.tf", CONFIG);
    owner.ok(&["init", "-input=false"]);
    for workspace in [
        &["workspace", "select", "default"][..],
        &["workspace", "new", "w"],
    ] {
        owner.ok(workspace);
        owner.ok(&["apply", "-auto-approve", "-input=false"]);
    }
    let reader = world.terraform(&binary, "reader", "app.tfstate", &lines);
    reader.write("main.tf", CONFIG);
    let policy = world.printed(&reader, "reader");
    assert_eq!(
        sids(&policy),
        ["ListStates", "ReadStates", "ReadDigests", "StateKey"]
    );
    let user = world.user("reader");
    let reader = reader
        .with_key(&user.key.access_key_id, &user.key.secret_access_key)
        .with("TF_LOG", "DEBUG");
    let reads = || {
        let steps: [&[&str]; 4] = [
            &["init", "-input=false", "-reconfigure"],
            &["workspace", "select", "w"],
            &["output", "-raw", "thing"],
            &["workspace", "select", "default"],
        ];
        steps.iter().all(|step| {
            let ran = reader.run(step);
            // Terraform goes on without the digest, and says so in its log alone.
            ran.status.success() && !ran.stderr.contains("AccessDeniedException")
        })
    };
    world.allow(&user, &policy);
    assert!(reads());
    let refused = reader.run(&["apply", "-auto-approve", "-input=false"]).failed();
    assert!(
        refused.flowing().contains("Error acquiring the state lock"),
        "{}",
        refused.text()
    );
    for sid in sids(&policy) {
        world.allow(&user, &without(&policy, &sid));
        assert!(!reads(), "{sid} is not needed");
        // What a failed step has left behind is no part of the next one.
        let _ = fs::remove_dir_all(reader.path(".terraform"));
    }
}

/// A call for each action that an operator has beside a writer.
fn calls(world: &World) -> Vec<(&'static str, Request)> {
    let (bucket, table) = (&world.bucket, &world.table);
    let on_bucket = |query: &str| Request::new("GET", &format!("/{bucket}?{query}"), "");
    let on_table = |operation: &str, more: Value| {
        let mut fields = json!({ "TableName": table });
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Request::dynamodb(operation, fields.to_string())
    };
    let item = || json!({ "Key": { "LockID": { "S": "elsewhere/a.tfstate" } } });
    let lock = format!("/{bucket}/elsewhere/a.tfstate.tflock");
    let scratch = format!("/{bucket}/app.tfstate.tidelock-doctor-1");
    let many =
        json!({ "RequestItems": { table: { "Keys": [{ "LockID": { "S": "elsewhere/a.tfstate" } }] } } });
    vec![
        ("s3:ListBucket", on_bucket("list-type=2")),
        ("s3:ListBucketVersions", on_bucket("versions")),
        ("s3:GetBucketLocation", on_bucket("location")),
        ("s3:GetBucketVersioning", on_bucket("versioning")),
        ("s3:GetEncryptionConfiguration", on_bucket("encryption")),
        ("s3:GetBucketPublicAccessBlock", on_bucket("publicAccessBlock")),
        ("s3:GetBucketPolicy", on_bucket("policy")),
        ("s3:GetLifecycleConfiguration", on_bucket("lifecycle")),
        ("s3:GetBucketOwnershipControls", on_bucket("ownershipControls")),
        ("s3:GetBucketObjectLockConfiguration", on_bucket("object-lock")),
        (
            "s3:GetObjectVersion",
            Request::new("GET", &format!("/{bucket}/app.tfstate?versionId=none"), ""),
        ),
        (
            "s3:AbortMultipartUpload",
            Request::new("DELETE", &format!("/{bucket}/app.tfstate?uploadId=none"), ""),
        ),
        ("s3:GetObject", Request::new("GET", &lock, "")),
        ("s3:DeleteObject", Request::new("DELETE", &lock, "")),
        ("dynamodb:GetItem", on_table("GetItem", item())),
        ("dynamodb:DeleteItem", on_table("DeleteItem", item())),
        ("dynamodb:Scan", on_table("Scan", json!({}))),
        ("dynamodb:DescribeTable", on_table("DescribeTable", json!({}))),
        (
            "dynamodb:BatchGetItem",
            Request::dynamodb("BatchGetItem", many.to_string()),
        ),
        (
            "s3:DeleteObjectVersion",
            Request::new("DELETE", &format!("{scratch}?versionId=none"), ""),
        ),
    ]
}

#[test]
fn every_action_that_an_operator_has_beside_a_writer_lets_its_call_through_and_nothing_else_does() {
    let world = tidelock_alone();
    let arguments = [
        "--bucket",
        &world.bucket,
        "--table",
        &world.table,
        "--key",
        "app.tfstate",
        "--lock-file",
    ];
    let policy = |role: &str| -> Value {
        let printed = world.says(&[&["policy", "--role", role][..], &arguments].concat(), 0);
        serde_json::from_str(&printed.stdout).unwrap()
    };
    let (operator, user) = (policy("operator"), world.user("ann"));
    let is_denied = |request: &Request| {
        let mut client = Client::new(
            world.store.endpoint.trim_start_matches("http://"),
            user.key.clone(),
        );
        let answer = client.send(request);
        answer.code().starts_with("AccessDenied")
    };
    world.allow(&user, &operator);
    for (action, request) in calls(&world) {
        assert!(!is_denied(&request), "{action}");
    }
    let mut doctor = command(
        &world.hermetic,
        &[&["doctor", "--json"][..], &arguments[..6]].concat(),
    );
    world
        .store
        .apply(&mut doctor)
        .env("AWS_ACCESS_KEY_ID", &user.key.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &user.key.secret_access_key);
    let examined = Output::of(doctor).text();
    let is_refused = |line: &&str| line.contains("AccessDenied") || line.contains("\"permission");
    let refused: Vec<_> = examined.lines().filter(is_refused).collect();
    assert!(refused.is_empty() && examined.contains('{'), "{refused:#?}");
    for (action, request) in calls(&world) {
        let mut less = operator.clone();
        for statement in less["Statement"].as_array_mut().unwrap() {
            statement["Action"]
                .as_array_mut()
                .unwrap()
                .retain(|own| own != action);
        }
        let statements = less["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| {
            statement["Action"]
                .as_array()
                .is_some_and(|actions| !actions.is_empty())
        });
        world.allow(&user, &less);
        assert!(is_denied(&request), "{action} is not needed");
    }
    // All of it is tried: a writer's own actions are the other test's.
    let mut own: Vec<String> = Vec::new();
    for statement in operator["Statement"].as_array().unwrap() {
        let actions = statement["Action"].as_array().unwrap().iter();
        own.extend(actions.map(|action| action.as_str().unwrap().to_owned()));
    }
    let tried: Vec<_> = calls(&world).into_iter().map(|(action, _)| action).collect();
    own.retain(|action| !tried.contains(&action.as_str()));
    own.sort();
    own.dedup();
    assert_eq!(own, ["dynamodb:PutItem", "s3:PutObject"]);
}

#[test]
fn another_policy_is_compared_and_the_exit_status_says_whether_it_fits() {
    let world = tidelock_alone();
    let arguments = [
        "policy",
        "--bucket",
        "states",
        "--key",
        "app.tfstate",
        "--workspace",
        "default",
    ];
    let exact = world.says(&arguments, 0).stdout;
    let file = world.hermetic.home().join("given.json");
    let check = |text: &str, status| {
        fs::write(&file, text).unwrap();
        let given = ["--check", file.to_str().unwrap()];
        world.says(&[&arguments[..], &given].concat(), status).text()
    };
    assert!(check(&exact, 0).contains("allows what the role writer needs, and nothing else"));
    let wide = r#"{"Version":"2012-10-17","Statement":{"Sid":"S3","Effect":"Allow",
        "Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":"*"}}"#;
    let said = check(wide, 1);
    for words in [
        "missing   s3:DeleteObject\n          on arn:aws:s3:::states/app.tfstate.tflock",
        "too much  S3: s3:GetObject, s3:PutObject\n          in other buckets",
        "1 missing,",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(check("{}", 2).contains("it has no Statement"));
    let explained = world.says(&[&arguments[..], &["--explain"]].concat(), 0).stdout;
    assert!(
        explained.contains(
            "s3:PutObject\n      plan, apply and all else that locks (PutObject with If-None-Match)"
        )
    );
}
