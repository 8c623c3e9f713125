//! Thirty applies, each of another configuration: every version is what was pulled at its time, and what is said of them
//! is what Terraform itself shows.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use tidelock_core::chain;
use tidelock_testkit::{BUCKET, Backend, BackendConfig, Request, Terraform, wait_until};

use crate::{
    World,
    shown::{self, Differences},
};

const APPLIES: u64 = 30;

/// One apply, as Terraform showed it right after.
struct Applied {
    pulled: String,
    shown: Value,
    /// The number of the version that holds it.
    version: u64,
}

#[test]
fn thirty_applies_are_kept_compared_and_told_as_terraform_shows_them() {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(Backend::Both, "env:/blue/history.tfstate");
    let history = History::of_applies(&world, &config);
    history.every_version_is_what_was_pulled();
    history.differences_are_those_that_terraform_shows();
    history.the_list_counts_what_each_apply_changed();
    history.the_last_change_of_each_resource_is_found();
}

struct History<'a> {
    world: &'a World,
    config: &'a BackendConfig,
    address: String,
    applies: Vec<Applied>,
}

impl<'a> History<'a> {
    fn of_applies(world: &'a World, config: &'a BackendConfig) -> Self {
        let terraform = world.directory("a");
        fs::create_dir(terraform.path("app")).unwrap();
        terraform.write("app/main.tf", MODULE);
        terraform.write("main.tf", config.hcl(&world.server) + &configuration(0));
        terraform.ok(&["init"]);
        let applies = (1..=APPLIES).map(|number| apply(world, config, &terraform, number));
        Self {
            world,
            config,
            address: format!("{BUCKET}/{}", config.key),
            applies: applies.collect(),
        }
    }

    fn tidelock(&self, arguments: &[&str]) -> String {
        self.world.tidelock(arguments).succeeded().stdout
    }

    fn every_version_is_what_was_pulled(&self) {
        wait_until("the versions are stored as they are to be", || {
            let entries = entries(self.world, self.config);
            let newest = entries.len() as u64;
            let mut places = (1..=newest).rev().zip(&entries);
            places.all(|(place, entry)| (entry["form"] == "delta") == chain::base(place, newest).is_some())
        });
        let ids = entries(self.world, self.config);
        for applied in &self.applies {
            let version = applied.version.to_string();
            let state = self.tidelock(&["show", &self.address, &version, "--state"]);
            assert!(
                state.trim_end() == applied.pulled.trim_end(),
                "version {version} is shown"
            );
            let what = format!("body?version={version}");
            let body = self.world.admin("GET", &what, self.config, &Value::Null);
            assert!(body.text() == state, "the admin door gives version {version}");
            let entry = ids
                .iter()
                .find(|entry| entry["version"] == applied.version)
                .unwrap();
            let target = format!(
                "{}?versionId={}",
                self.config.s3_path(),
                entry["id"].as_str().unwrap()
            );
            let object = self.world.server.client().send(&Request::new("GET", &target, ""));
            assert!(object.text() == state, "S3 gives version {version}");
        }
    }

    fn differences_are_those_that_terraform_shows(&self) {
        let mut pairs: Vec<_> = (1..self.applies.len()).map(|at| (at - 1, at)).collect();
        pairs.extend([(0, self.applies.len() - 1), (self.applies.len() - 1, 0), (7, 19)]);
        for (from, to) in pairs {
            let (old, new) = (&self.applies[from], &self.applies[to]);
            let expected = shown::between(&old.shown, &new.shown);
            let (from, to) = (old.version.to_string(), new.version.to_string());
            let differ = self.diff(&[&from, &to, "--sensitive", "--json"]);
            assert_eq!(told(&differ), expected, "{from} -> {to}");

            let hidden = self.diff(&[&from, &to, "--json"]);
            assert!(!hidden.contains(SECRET), "{from} -> {to}: {hidden}");
            assert_eq!(told(&hidden), without_secrets(expected), "{from} -> {to}");
            let text = self.diff(&[&from, &to]);
            assert!(!text.contains(SECRET), "{from} -> {to}: {text}");
        }
        let version = self.applies[0].version.to_string();
        let same = self.world.tidelock(&["diff", &self.address, &version, &version]);
        let _ = same.succeeded();
    }

    /// The status is that of diff: 1 where there is a difference.
    fn diff(&self, arguments: &[&str]) -> String {
        let output = self
            .world
            .tidelock(&[&["diff", &self.address], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{}", output.text());
        output.stdout
    }

    fn the_list_counts_what_each_apply_changed(&self) {
        wait_until("every version has been compared", || {
            let entries = entries(self.world, self.config);
            entries.iter().all(|entry| !entry["changes"].is_null())
        });
        let entries = entries(self.world, self.config);
        let nothing = Value::Null;
        for (at, applied) in self.applies.iter().enumerate() {
            let before = at
                .checked_sub(1)
                .map_or(&nothing, |before| &self.applies[before].shown);
            let entry = entries
                .iter()
                .find(|entry| entry["version"] == applied.version)
                .unwrap();
            let expected = shown::counts(&shown::between(before, &applied.shown));
            assert_eq!(entry["changes"], expected, "{entry}");
            assert_eq!(entry["lock"]["operation"], "OperationTypeApply", "{entry}");
            let state: Value = serde_json::from_str(&applied.pulled).unwrap();
            for name in ["serial", "lineage", "terraform_version"] {
                assert_eq!(entry[name], state[name], "{entry}");
            }
        }
        let listed = self.tidelock(&["history", &self.address]);
        let lines = listed.lines().filter(|line| line.contains(" apply "));
        assert_eq!(lines.count(), self.applies.len(), "{listed}");
        let newest = self.tidelock(&["history", &self.address, "--limit", "3"]);
        let lines = newest.lines().filter(|line| line.contains(" apply "));
        assert_eq!(lines.count(), 3, "{newest}");
    }

    fn the_last_change_of_each_resource_is_found(&self) {
        let mut changed_by = BTreeMap::new();
        for pair in self.applies.windows(2) {
            let differences = shown::between(&pair[0].shown, &pair[1].shown);
            changed_by.extend(differences.into_keys().map(|address| (address, pair[1].version)));
        }
        let last = self.applies.last().unwrap();
        for resource in shown::resources(&last.shown).keys() {
            let blamed = self.tidelock(&["blame", &self.address, resource, "--json"]);
            let blamed: Value = serde_json::from_str(&blamed).unwrap();
            let expected = changed_by
                .get(resource)
                .copied()
                .unwrap_or(self.applies[0].version);
            assert_eq!(blamed["version"]["version"], expected, "{resource}: {blamed}");
        }
    }
}

fn apply(world: &World, config: &BackendConfig, terraform: &Terraform<'_>, number: u64) -> Applied {
    terraform.write("main.tf", config.hcl(&world.server) + &configuration(number));
    terraform.ok(&["apply", "-auto-approve"]);
    let shown = terraform.ok(&["show", "-json"]).stdout;
    Applied {
        pulled: terraform.ok(&["state", "pull"]).stdout,
        shown: serde_json::from_str(&shown).unwrap(),
        version: entries(world, config)[0]["version"].as_u64().unwrap(),
    }
}

/// The whole history, newest first, by way of pages.
pub(crate) fn entries(world: &World, config: &BackendConfig) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let what = format!("history?limit=7{before}");
        let page = world.admin("GET", &what, config, &Value::Null);
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        all.extend(page["versions"].as_array().unwrap().iter().cloned());
        match page["next"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

fn told(diff: &str) -> Differences {
    shown::told(&serde_json::from_str(diff).unwrap_or_else(|error| panic!("{error}: {diff}")))
}

fn without_secrets(mut differences: Differences) -> Differences {
    let values = differences
        .values_mut()
        .flat_map(|difference| difference.values.values_mut());
    for (old, new, _) in values.filter(|(_, _, sensitive)| *sensitive) {
        (*old, *new) = (Value::Null, Value::Null);
    }
    differences
}

/// What the secret output begins with, and nothing else. (The output of `terraform_data` is not sensitive where its input is.)
const SECRET: &str = "s3cr3t";

const MODULE: &str = r#"
variable "size" { type = number }
variable "label" { type = string }
resource "terraform_data" "node" {
  count = var.size
  input = { label = var.label, place = count.index, "odd key" = var.size }
}
output "nodes" { value = [for node in terraform_data.node : node.id] }
"#;

/// The configuration of the apply of this number: something comes, changes or goes with each.
fn configuration(number: u64) -> String {
    [resources(number), one_of_two(number), outputs(number)].concat()
}

fn resources(number: u64) -> String {
    let kept = |names: &[&str], bits: u64| {
        let names = names.iter().enumerate();
        let names = names.filter(|(at, _)| bits >> at & 1 == 0);
        names
            .map(|(_, name)| format!("{name:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let apps = kept(&["blue", "green", "re d"], number / 3);
    let sites = kept(&["a", "b.c", "d e", "f"], number * 5);
    let (size, single, epoch) = (number % 3, u64::from(!number.is_multiple_of(5)), number / 7);
    format!(
        r#"
module "app" {{
  source   = "./app"
  for_each = toset([{apps}])
  size     = {size}
  label    = "{size} of ${{each.key}}"
}}
resource "terraform_data" "single" {{
  count = {single}
  input = {{ list = [{list}], same = "same", half = {half}, deep = {{ er = [{{ epoch = {epoch} }}] }} }}
}}
resource "terraform_data" "site" {{
  for_each         = toset([{sites}])
  input            = "${{each.key}} {epoch}"
  triggers_replace = {epoch}
}}
"#,
        half = number / 2,
        list = list(number),
    )
}

fn one_of_two(number: u64) -> String {
    let depends = if number % 6 < 3 {
        "terraform_data.secret"
    } else {
        ""
    };
    let bare = if number % 10 < 5 {
        "null"
    } else {
        "[\"something\"]"
    };
    format!(
        r#"
variable "password" {{
  default   = "of {number}"
  sensitive = true
}}
resource "terraform_data" "secret" {{
  input = {{ user = "admin", password = var.password, since = {} }}
}}
resource "terraform_data" "bare" {{
  input      = {bare}
  depends_on = [{depends}]
}}
"#,
        number / 7,
    )
}

fn outputs(number: u64) -> String {
    let sometimes = match number % 3 {
        0 => format!(
            "output \"sometimes\" {{ value = {{ number = {number}, list = [{}] }} }}",
            list(number)
        ),
        _ => String::new(),
    };
    format!(
        r#"
{sometimes}
output "number" {{ value = {number} }}
output "nodes" {{ value = {{ for name, app in module.app : name => app.nodes }} }}
output "secret" {{
  value     = "{SECRET}-{}"
  sensitive = true
}}
output "marked" {{
  value     = "marked at times"
  sensitive = {}
}}
"#,
        number / 4,
        number % 8 > 5,
    )
}

fn list(number: u64) -> String {
    let numbers: Vec<_> = (0..number % 4).map(|n| n.to_string()).collect();
    numbers.join(", ")
}
