//! The edges between crates, from `cargo metadata`.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::Finding;

/// Whom each crate of `crates/` may depend on outside its tests, and why nobody else.
const DIRECTIONS: [(&str, &[&str], &str); 6] = [
    ("tidelock-core", &[], "rules know nobody"),
    (
        "tidelock-engine",
        &["tidelock-core"],
        "an engine stores bytes; what they mean is the service's business",
    ),
    (
        "tidelock-service",
        &["tidelock-core", "tidelock-engine"],
        "a use case does not know through which door it came",
    ),
    (
        "tidelock-doors",
        &["tidelock-core", "tidelock-service"],
        "a door reaches no engine, or it could pass by the rules",
    ),
    (
        "tidelock-operator",
        &["tidelock-core"],
        "the toolkit runs on stock S3 and DynamoDB, without our server",
    ),
    (
        "tidelock",
        &[
            "tidelock-core",
            "tidelock-engine",
            "tidelock-service",
            "tidelock-doors",
            "tidelock-operator",
        ],
        "the binary wires the crates, and nothing that is only for development",
    ),
];

/// All that core may use from outside: values, their text forms and errors.
const CORE_MAY_USE: [&str; 6] = ["base64", "bytes", "hex", "serde", "serde_json", "thiserror"];

/// What may not reach core even through another crate: whatever waits, and whatever reads clocks, files or dice.
const CORE_NEVER: [&str; 10] = [
    "async-trait",
    "chrono",
    "futures-core",
    "futures-util",
    "getrandom",
    "hyper",
    "jiff",
    "mio",
    "rusqlite",
    "tokio",
];

/// As much of the answer of `cargo metadata` as the check needs.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    workspace_members: HashSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`; none for an ordinary one.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Metadata {
    pub(super) fn members(&self) -> usize {
        self.workspace_members.len()
    }

    /// The crates that ship: those below `crates/`.
    fn shipped(&self) -> impl Iterator<Item = &Package> {
        let is_shipped = |package: &&Package| package.manifest_path.contains("/crates/");
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
            .filter(is_shipped)
    }

    fn member_names(&self) -> HashSet<&str> {
        let members = self
            .packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id));
        members.map(|package| package.name.as_str()).collect()
    }
}

pub(super) fn metadata(root: &Path) -> Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let members = metadata.member_names();
    let mut findings = Vec::new();
    for package in metadata.shipped() {
        let Some((_, may_know, reason)) = DIRECTIONS.iter().find(|(name, ..)| *name == package.name) else {
            findings.push(Finding::new(
                &package.manifest_path,
                "a crate without a direction: add it to DIRECTIONS",
            ));
            continue;
        };
        // Tests may wire what production code may not.
        let known = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"));
        for name in known.map(|dependency| dependency.name.as_str()) {
            if members.contains(name) && !may_know.contains(&name) {
                findings.push(edge(&package.name, name, reason));
            }
            if package.name == "tidelock-core" && !members.contains(name) && !CORE_MAY_USE.contains(&name) {
                findings.push(edge(&package.name, name, "not on the list of what core may use"));
            }
        }
    }
    findings.extend(core_reaches(metadata));
    findings
}

/// Crates of [`CORE_NEVER`] that core would pull in through its own dependencies.
fn core_reaches(metadata: &Metadata) -> Vec<Finding> {
    let names: HashMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let nodes: HashMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let core = metadata
        .packages
        .iter()
        .find(|package| package.name == "tidelock-core");
    let mut queue: Vec<&str> = core.iter().map(|package| package.id.as_str()).collect();
    let mut seen: HashSet<&str> = queue.iter().copied().collect();
    let mut findings = Vec::new();
    while let Some(id) = queue.pop() {
        let ordinary = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
        for next in nodes
            .get(id)
            .into_iter()
            .flat_map(|node| node.deps.iter().filter(ordinary))
        {
            if !seen.insert(&next.pkg) {
                continue;
            }
            queue.push(&next.pkg);
            let (from, to) = (names[id], names[next.pkg.as_str()]);
            if CORE_NEVER.contains(&to) && from != "tidelock-core" {
                findings.push(edge(
                    from,
                    to,
                    "reaches core, which neither waits nor touches the outside",
                ));
            }
        }
    }
    findings
}

fn edge(from: &str, to: &str, reason: &str) -> Finding {
    Finding::new(format!("{from} -> {to}"), reason)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A workspace from `crate: dependencies`; every name that appears only as a dependency is from outside.
    fn workspace(crates: &[(&str, &[&str])], kind: Option<&str>, outside: &[(&str, &[&str])]) -> Metadata {
        let package = |(name, uses): &(&str, &[&str])| -> Value {
            let dependencies: Vec<Value> = uses.iter().map(|to| json!({"name": to, "kind": kind})).collect();
            json!({"id": name, "name": name, "manifest_path": format!("/w/crates/{name}/Cargo.toml"),
                   "dependencies": dependencies})
        };
        let node = |(name, uses): &(&str, &[&str])| -> Value {
            let deps: Vec<Value> = uses
                .iter()
                .map(|to| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": name, "deps": deps})
        };
        let all = || crates.iter().chain(outside);
        serde_json::from_value(json!({
            "packages": all().map(package).collect::<Vec<_>>(),
            "workspace_members": crates.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "resolve": {"nodes": all().map(node).collect::<Vec<_>>()},
        }))
        .unwrap()
    }

    fn findings(metadata: &Metadata) -> Vec<String> {
        check(metadata)
            .iter()
            .map(|finding| finding.place.clone())
            .collect()
    }

    const FOUR: [(&str, &[&str]); 4] = [
        ("tidelock-core", &["serde"]),
        ("tidelock-engine", &["tidelock-core"]),
        ("tidelock-service", &["tidelock-core", "tidelock-engine"]),
        ("tidelock-doors", &["tidelock-core", "tidelock-service", "tokio"]),
    ];

    fn with(changed: (&'static str, &'static [&'static str]), kind: Option<&str>) -> Metadata {
        let mut crates = FOUR.to_vec();
        crates.retain(|(name, _)| *name != changed.0);
        crates.push(changed);
        workspace(
            &crates,
            kind,
            &[
                ("serde", &[]),
                ("tokio", &["mio"]),
                ("mio", &[]),
                ("bytes", &["tokio"]),
            ],
        )
    }

    #[test]
    fn the_designed_directions_pass() {
        assert_eq!(findings(&with(FOUR[0], None)), Vec::<String>::new());
    }

    #[test]
    fn a_door_that_reaches_an_engine_is_found() {
        let bad = with(("tidelock-doors", &["tidelock-service", "tidelock-engine"]), None);
        assert_eq!(findings(&bad), ["tidelock-doors -> tidelock-engine"]);
        assert!(check(&bad)[0].reason.contains("pass by the rules"));
    }

    #[test]
    fn tests_of_a_door_may_use_an_engine() {
        let tests = with(("tidelock-doors", &["tidelock-engine"]), Some("dev"));
        assert_eq!(findings(&tests), Vec::<String>::new());
    }

    #[test]
    fn a_dependency_that_core_may_not_have_is_found() {
        assert_eq!(
            findings(&with(("tidelock-core", &["tokio"]), None)),
            ["tidelock-core -> tokio", "tokio -> mio"]
        );
    }

    #[test]
    fn a_waiting_crate_that_reaches_core_through_an_allowed_one_is_found() {
        assert_eq!(
            findings(&with(("tidelock-core", &["bytes"]), None)),
            ["bytes -> tokio", "tokio -> mio"]
        );
    }

    #[test]
    fn a_crate_nobody_gave_a_direction_is_found() {
        assert_eq!(
            findings(&with(("tidelock-new", &[]), None)),
            ["/w/crates/tidelock-new/Cargo.toml"]
        );
    }
}
