//! The race, step by step, with the clients' own words where they were refused.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;

use crate::{
    commands::demo::terraform::{self, Ran, Terraform},
    exit::{Failure, Status},
    server::Server,
};

/// What both have in their directory. The provisioner makes an apply last long enough to be met by another.
const CONFIGURATION: &str = r#"terraform {
  backend "s3" {
    bucket       = "tfstate"
    key          = "demo/terraform.tfstate"
    region       = "us-east-1"
    use_lockfile = true
  }
}

variable "who" {}
variable "seconds" {}

resource "terraform_data" "release" {
  triggers_replace = var.who
  provisioner "local-exec" {
    command = "sleep ${var.seconds}"
  }
}

output "applied_by" {
  value = terraform_data.release.triggers_replace
}
"#;

/// How long the first apply holds the lock: longer than two starts of Terraform can lie apart on a slow machine.
const HELD_SECONDS: u32 = 4;
/// In Terraform's and OpenTofu's message alike.
const REFUSAL: &str = "Error acquiring the state lock";

/// Who waits asks again after 1, 2, 4, 8 s; the lock is free before the third of these.
const WAIT: &str = "-lock-timeout=30s";

struct Person {
    name: &'static str,
    directory: PathBuf,
}

/// What a run needs besides the person.
struct Stage<'a> {
    terraform: &'a Terraform,
    variables: [(&'static str, String); 4],
    start: Instant,
}

/// Tells the whole story, or fails with what a client said when it went another way.
pub(super) async fn tell(
    terraform: &Terraform,
    server: &Server,
    directory: &Path,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let stage = Stage {
        terraform,
        variables: terraform::variables(server),
        start: Instant::now(),
    };
    writeln!(
        out,
        "Two people, one state: {} against {}\n",
        terraform.version,
        server.endpoint().url
    )?;
    let (alice, bob) = (person("alice", directory)?, person("bob", directory)?);

    stage.step(out, "both", "init, then apply at the same moment")?;
    let (one, other) = tokio::join!(stage.init(&alice), stage.init(&bob));
    expect(one?, "an init")?;
    expect(other?, "an init")?;
    let second = race(&stage, &alice, &bob, out).await?;

    let applied_by = stage
        .run(second, &["output", "-no-color", "-raw", "applied_by"])
        .await?;
    let state = stage.run(second, &["state", "pull"]).await?;
    let state: serde_json::Value = serde_json::from_str(&expect(state, "the state pull")?.said)
        .context("what the state pull gave is no state")?;
    let applied_by = expect(applied_by, "the output")?;
    stage.step(
        out,
        "state",
        &format!(
            "serial {}, last applied by {}",
            state["serial"],
            applied_by.said.trim()
        ),
    )?;
    writeln!(
        out,
        "\nNothing was lost, nothing was left locked. Your own state: `tidelock serve`"
    )?;
    Ok(())
}

/// Both apply; the one who is refused comes back with a lock timeout, waits, and is answered with that one.
async fn race<'p>(
    stage: &Stage<'_>,
    alice: &'p Person,
    bob: &'p Person,
    out: &mut (dyn Write + Send),
) -> Result<&'p Person, Failure> {
    let (mut by_alice, mut by_bob) = (
        Box::pin(stage.apply(alice, HELD_SECONDS, &[])),
        Box::pin(stage.apply(bob, HELD_SECONDS, &[])),
    );
    let (refused, second, first, mut applied) = tokio::select! {
        refused = &mut by_alice => (refused?, alice, bob, by_bob),
        refused = &mut by_bob => (refused?, bob, alice, by_alice),
    };
    if refused.status.success() || !refused.said.contains(REFUSAL) {
        return Err(unexpected(
            &refused,
            "one of the two applies should have been refused",
        ));
    }
    let status = refused.status.code().unwrap_or_default();
    stage.step(
        out,
        second.name,
        &format!("refused, exit status {status}, and told who holds the lock:"),
    )?;
    writeln!(out, "\n{}\n", holder(&refused.said))?;
    stage.step(out, second.name, &format!("applies again with {WAIT}, and waits"))?;

    let mut waiting = Box::pin(stage.apply(second, 0, &[WAIT]));
    let applied = tokio::select! {
        applied = &mut applied => applied?,
        early = &mut waiting => return Err(unexpected(&early?, "the second apply ended before the first")),
    };
    expect(applied, "the first apply")?;
    stage.step(out, first.name, "applied, lock released")?;
    expect(waiting.await?, "the second apply")?;
    stage.step(out, second.name, "got the lock, applied")?;
    Ok(second)
}

impl Stage<'_> {
    async fn init(&self, person: &Person) -> Result<Ran, Failure> {
        self.run(person, &["init", "-input=false", "-no-color"]).await
    }

    async fn apply(&self, person: &Person, seconds: u32, more: &[&str]) -> Result<Ran, Failure> {
        let who = format!("-var=who={}", person.name);
        let seconds = format!("-var=seconds={seconds}");
        let words = [
            "apply",
            "-auto-approve",
            "-input=false",
            "-no-color",
            &who,
            &seconds,
        ];
        self.run(person, &[&words[..], more].concat()).await
    }

    async fn run(&self, person: &Person, words: &[&str]) -> Result<Ran, Failure> {
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.terraform.run(&person.directory, &variables, words).await
    }

    fn step(&self, out: &mut (dyn Write + Send), who: &str, what: &str) -> io::Result<()> {
        writeln!(
            out,
            "{:5.1} s  {who:<6} {what}",
            self.start.elapsed().as_secs_f32()
        )?;
        out.flush()
    }
}

fn person(name: &'static str, directory: &Path) -> Result<Person, Failure> {
    let directory = directory.join(name);
    fs::create_dir(&directory)?;
    fs::write(directory.join("main.tf"), CONFIGURATION)?;
    Ok(Person { name, directory })
}

/// The lines of the refusal that say what happened and who holds the lock, indented below the step.
fn holder(said: &str) -> String {
    let plain = said
        .lines()
        .map(|line| line.trim_start_matches(['│', '╷', '╵', ' ']).trim_end());
    let shown = |line: &&str| {
        line.contains(REFUSAL)
            || ["ID:", "Path:", "Operation:", "Who:", "Created:"]
                .iter()
                .any(|key| line.starts_with(key))
    };
    let lines: Vec<_> = plain
        .filter(shown)
        .map(|line| format!("           | {line}"))
        .collect();
    lines.join("\n")
}

fn expect(ran: Ran, what: &str) -> Result<Ran, Failure> {
    if ran.status.success() {
        Ok(ran)
    } else {
        Err(unexpected(&ran, &format!("{what} failed")))
    }
}

fn unexpected(ran: &Ran, what: &str) -> Failure {
    Failure::new(
        Status::Failed,
        format!("{what}; the client said ({}):\n\n{}", ran.status, ran.said.trim()),
    )
}
