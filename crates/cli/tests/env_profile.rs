//! `tidelock env` and `tidelock profile`: how clients find the server.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::{fs, path::Path};

use common::{BINARY, Serving, command, credentials, tidelock};
use tidelock_testkit::{Hermetic, Output, Terraform};

/// A server on a directory whose name a shell would take apart.
fn serving(hermetic: &Hermetic) -> (Serving, std::path::PathBuf) {
    let data = hermetic.workdir("it's $HOME").join("data");
    (Serving::start(hermetic, &data), data)
}

fn shell(hermetic: &Hermetic, script: &str) -> Output {
    let mut command = hermetic.command("sh", &hermetic.workdir("work"));
    command.args(["-c", script]).env("TIDELOCK", BINARY);
    Output::of(command)
}

#[test]
fn a_shell_that_evaluates_env_has_the_variables_and_no_foreign_session_token() {
    let hermetic = Hermetic::new();
    let (server, data) = serving(&hermetic);
    let script = r#"
        AWS_SESSION_TOKEN=of-another-account; export AWS_SESSION_TOKEN
        eval "$("$TIDELOCK" env --data "../it's \$HOME/data")" && sh -c 'echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_REGION $AWS_DEFAULT_REGION [$AWS_SESSION_TOKEN]"'
    "#;
    let output = shell(&hermetic, script).succeeded();
    let pair = credentials(&data);
    let expected = format!(
        "{} {} {} us-east-1 us-east-1 []\n",
        server.endpoint, pair.access_key_id, pair.secret_access_key
    );
    assert_eq!(output.stdout, expected);
    assert!(
        output.stderr.contains("provider \"aws\" included") && output.stderr.contains("tidelock profile")
    );
}

#[test]
fn env_as_json_is_one_object() {
    let hermetic = Hermetic::new();
    let (server, data) = serving(&hermetic);
    let output = tidelock(&hermetic, &["env", "--json", "--data", data.to_str().unwrap()]).succeeded();
    let pair = credentials(&data);
    let expected = serde_json::json!({
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": pair.access_key_id,
        "AWS_SECRET_ACCESS_KEY": pair.secret_access_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap(),
        expected
    );
}

#[test]
fn without_a_server_env_says_what_to_type_and_a_shell_does_not_go_on_to_real_aws() {
    let hermetic = Hermetic::new();
    let missing = tidelock(&hermetic, &["env"]);
    let place = hermetic.workdir("work").join("tidelock-data");
    let expected = format!(
        "tidelock: no server is running on {0}; start one in another terminal:\n\n  {BINARY} serve --data {0}\n\n\
         or name the directory of the one that is running: --data DIR\n",
        place.display()
    );
    assert_eq!((missing.status.code(), missing.stderr), (Some(4), expected));
    let output = shell(&hermetic, r#"eval "$("$TIDELOCK" env)" && echo reached"#);
    assert_eq!((output.status.success(), output.stdout.as_str()), (false, ""));
    let json = tidelock(&hermetic, &["env", "--json"]);
    assert_eq!((json.status.code(), json.stdout.as_str()), (Some(4), ""));
}

#[test]
fn a_server_that_died_is_not_taken_for_a_running_one() {
    let hermetic = Hermetic::new();
    let (server, data) = serving(&hermetic);
    server.signal("KILL");
    server.finish();
    assert!(data.join("endpoint").exists());
    let missing = tidelock(&hermetic, &["env", "--data", data.to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(4));
    assert!(
        missing.stderr.contains("no server answers at http://127.0.0.1:"),
        "{}",
        missing.stderr
    );
}

#[test]
fn the_data_directory_of_the_configuration_file_holds_for_env_too() {
    let hermetic = Hermetic::new();
    let place = hermetic.workdir("place");
    let _server = Serving::start(&hermetic, &place.join("data"));
    let config = place.join("t.toml");
    fs::write(&config, "data = 'data'\n").unwrap();
    let _ = tidelock(&hermetic, &["env", "--config", config.to_str().unwrap()]).succeeded();
}

#[test]
fn profile_prints_its_plan_and_a_dry_run_changes_nothing() {
    let hermetic = Hermetic::new();
    let (_server, data) = serving(&hermetic);
    let (place, aws) = (data.to_str().unwrap(), hermetic.home().join(".aws"));
    let shown = |verb: &str| {
        format!(
            "{0}/credentials {verb}:\n  add      [tidelock]\n\
             {0}/config {verb}:\n  add      [profile tidelock]\n  add      [services tidelock]\n",
            aws.display()
        )
    };
    let next = "\nIn the backend block:\n\n  profile = \"tidelock\"\n";
    let dry = tidelock(&hermetic, &["profile", "--dry-run", "--data", place]).succeeded();
    assert_eq!(dry.stdout, shown("would change"));
    assert!(!aws.exists());
    let done = tidelock(&hermetic, &["profile", "--data", place]).succeeded();
    assert_eq!(done.stdout, shown("changed") + next);
    let again = tidelock(&hermetic, &["profile", "--data", place]).succeeded();
    let kept = format!(
        "{0}/credentials is as wanted\n{0}/config is as wanted\n{next}",
        aws.display()
    );
    assert_eq!(again.stdout, kept);
    assert!(!done.text().contains(&credentials(&data).secret_access_key));
}

#[test]
fn profile_as_json_names_files_and_sections() {
    let hermetic = Hermetic::new();
    let (server, data) = serving(&hermetic);
    let arguments = [
        "profile",
        "--json",
        "--name",
        "team",
        "--data",
        data.to_str().unwrap(),
    ];
    let output = tidelock(&hermetic, &arguments).succeeded();
    let aws = hermetic.home().join(".aws");
    let file = |name: &str, sections: &[&str]| {
        let sections: Vec<_> = sections
            .iter()
            .map(|header| serde_json::json!({ "section": header, "change": "add" }))
            .collect();
        serde_json::json!({ "path": aws.join(name), "creates": true, "tightens": false, "sections": sections })
    };
    let expected = serde_json::json!({
        "profile": "team",
        "endpoint": server.endpoint,
        "dry_run": false,
        "files": [file("credentials", &["team"]), file("config", &["profile team", "services team"])],
    });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap(),
        expected
    );
}

#[test]
fn a_profile_of_the_user_is_refused_without_force() {
    let hermetic = Hermetic::new();
    let (_server, data) = serving(&hermetic);
    let (place, work) = (data.to_str().unwrap(), hermetic.workdir("work"));
    let theirs = "[profile tidelock]\nrole_arn = arn:aws:iam::111122223333:role/x\n";
    fs::write(work.join("config"), theirs).unwrap();
    let run = |more: &[&str]| {
        let mut command = command(&hermetic, &["profile", "--data", place]);
        command.args(more).env("AWS_CONFIG_FILE", work.join("config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", work.join("keys"));
        Output::of(command)
    };
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(5));
    assert!(
        refused.stderr.contains("config:1:") && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(work.join("config")).unwrap(), theirs);
    let _ = run(&["--force"]).succeeded();
    assert!(
        !fs::read_to_string(work.join("config"))
            .unwrap()
            .contains("role_arn")
    );
    assert!(work.join("keys").exists() && !hermetic.home().join(".aws").exists());
}

#[test]
fn a_backend_with_the_profile_comes_here_and_nothing_else_is_set() {
    let Some(terraform) = Terraform::find() else {
        return;
    };
    let hermetic = Hermetic::new();
    let (server, data) = serving(&hermetic);
    let _ = tidelock(&hermetic, &["profile", "--data", data.to_str().unwrap()]).succeeded();
    let work = hermetic.workdir("terraform");
    let backend = r#"bucket = "tfstate", key = "profile", region = "us-east-1", profile = "tidelock", use_lockfile = true"#;
    let backend = backend.replace(", ", "\n");
    let text = format!(
        "terraform {{\n backend \"s3\" {{\n{backend}\n}}\n}}\nresource \"terraform_data\" \"x\" {{}}\n"
    );
    fs::write(work.join("main.tf"), text).unwrap();
    let run = |words: &[&str]| run(&hermetic, &terraform, &work, words);
    let _ = run(&["init", "-input=false"]).succeeded();
    let _ = run(&["apply", "-auto-approve", "-input=false"]).succeeded();
    assert!(server.log().contains("tfstate/profile"), "{}", server.log());
}

fn run(hermetic: &Hermetic, terraform: &Path, work: &Path, words: &[&str]) -> Output {
    let mut command = hermetic.command(terraform, work);
    command.args(words);
    Output::of(command)
}
