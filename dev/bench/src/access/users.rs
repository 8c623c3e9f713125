//! A user and a role that may do what a state needs and no more, as the guides write it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidelock_testkit::{BUCKET, Client, Credentials, Request, TABLE, TestServer};

const USER: &str = "bench";
const ROLE: &str = "bench-role";

/// The credentials of a new user.
pub(crate) fn user(server: &TestServer) -> Result<Credentials> {
    let mut operator = server.client();
    ask(
        &mut operator,
        "iam",
        &[("Action", "CreateUser"), ("UserName", USER)],
    )?;
    let mut statements = of_states();
    statements.push(allow(json!("sts:AssumeRole"), json!(role_arn())));
    let policy = document(&json!(statements));
    let fields = [
        ("Action", "PutUserPolicy"),
        ("UserName", USER),
        ("PolicyName", "states"),
        ("PolicyDocument", &policy),
    ];
    ask(&mut operator, "iam", &fields)?;
    let made = ask(
        &mut operator,
        "iam",
        &[("Action", "CreateAccessKey"), ("UserName", USER)],
    )?;
    credentials(&made)
}

/// The credentials of a session that the user takes of a new role, and its token.
pub(crate) fn session(server: &TestServer, user: &Credentials) -> Result<(Credentials, String)> {
    let mut operator = server.client();
    let trust = document(&json!([{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::000000000000:user/{USER}")},
    }]));
    let fields = [
        ("Action", "CreateRole"),
        ("RoleName", ROLE),
        ("AssumeRolePolicyDocument", &trust),
    ];
    ask(&mut operator, "iam", &fields)?;
    let policy = document(&json!(of_states()));
    let fields = [
        ("Action", "PutRolePolicy"),
        ("RoleName", ROLE),
        ("PolicyName", "states"),
        ("PolicyDocument", &policy),
    ];
    ask(&mut operator, "iam", &fields)?;
    let mut user = Client::new(server.authority(), user.clone());
    let (arn, action) = (role_arn(), ("Action", "AssumeRole"));
    let begun = ask(
        &mut user,
        "sts",
        &[action, ("RoleArn", &arn), ("RoleSessionName", "bench")],
    )?;
    Ok((credentials(&begun)?, element(&begun, "SessionToken")?))
}

fn of_states() -> Vec<Value> {
    let object = |end: &str| json!(format!("arn:aws:s3:::{BUCKET}/bench/*{end}"));
    let actions = |names: &[&str]| json!(names);
    vec![
        allow(json!("s3:ListBucket"), json!(format!("arn:aws:s3:::{BUCKET}"))),
        allow(
            actions(&["s3:GetObject", "s3:PutObject"]),
            object("/terraform.tfstate"),
        ),
        allow(
            actions(&["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
            object("/terraform.tfstate.tflock"),
        ),
        allow(
            actions(&[
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:DeleteItem",
            ]),
            json!(format!("arn:aws:dynamodb:*:*:table/{TABLE}")),
        ),
    ]
}

fn allow(action: Value, resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn document(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn role_arn() -> String {
    format!("arn:aws:iam::000000000000:role/{ROLE}")
}

fn credentials(answer: &str) -> Result<Credentials> {
    Ok(Credentials {
        access_key_id: element(answer, "AccessKeyId")?,
        secret_access_key: element(answer, "SecretAccessKey")?,
    })
}

/// Asks one of the services that take forms.
fn ask(client: &mut Client, service: &'static str, fields: &[(&str, &str)]) -> Result<String> {
    let version = match service {
        "iam" => "2010-05-08",
        _ => "2011-06-15",
    };
    let mut form = format!("Version={version}");
    for (name, value) in fields {
        form += &format!("&{name}={}", encoded(value));
    }
    let request = Request::new("POST", "/", form).header("content-type", "application/x-www-form-urlencoded");
    let answer = client.try_send(&Request { service, ..request })?;
    ensure!(answer.status == 200, "{fields:?}: {}", answer.text());
    Ok(answer.text())
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn element(xml: &str, name: &str) -> Result<String> {
    let rest = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let text = rest.and_then(|rest| rest.split_once('<')).map(|(text, _)| text);
    Ok(text
        .with_context(|| format!("no {name} in the answer"))?
        .to_owned())
}
