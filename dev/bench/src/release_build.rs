//! How long a release build takes from nothing on two cores, and which crates it goes to.

use std::{collections::HashMap, fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{progress, servers};

const CRATES_SHOWN: usize = 10;

/// Seconds of wall time, and of the most costly crates, build scripts included.
pub(crate) struct ReleaseBuild {
    pub(crate) seconds: f64,
    pub(crate) binary_bytes: u64,
    pub(crate) crates: usize,
    pub(crate) costly: Vec<(String, f64)>,
}

/// One unit of cargo's `--timings` report.
#[derive(Deserialize)]
struct Unit {
    name: String,
    version: String,
    duration: f64,
}

/// Builds the binary into a directory of its own that is removed first.
pub(crate) fn measure() -> Result<ReleaseBuild> {
    progress("a clean release build with two jobs; this takes minutes");
    let target = servers::root().join("target/bench/release-build");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    // The build is measured, not the download.
    cargo(&["fetch", "--locked"], &target)?;
    let begun = Instant::now();
    cargo(
        &[
            "build",
            "--release",
            "--locked",
            "--package",
            "tidelock",
            "--jobs",
            "2",
            "--timings",
        ],
        &target,
    )?;
    let seconds = begun.elapsed().as_secs_f64();
    let page = fs::read_to_string(target.join("cargo-timings/cargo-timing.html"))
        .context("cargo's timing report")?;
    let units = units(&page)?;
    let binary_bytes = fs::metadata(target.join("release/tidelock"))?.len();
    fs::remove_dir_all(&target)?;
    let mut cost: HashMap<String, f64> = HashMap::new();
    for unit in &units {
        *cost.entry(format!("{} {}", unit.name, unit.version)).or_default() += unit.duration;
    }
    let crates = cost.len();
    let mut costly: Vec<(String, f64)> = cost.into_iter().collect();
    costly.sort_by(|a, b| b.1.total_cmp(&a.1));
    costly.truncate(CRATES_SHOWN);
    Ok(ReleaseBuild {
        seconds,
        binary_bytes,
        crates,
        costly,
    })
}

fn cargo(arguments: &[&str], target: &Path) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .env("CARGO_TARGET_DIR", target)
        .current_dir(servers::root())
        .status()
        .context("cargo")?;
    ensure!(status.success(), "cargo {}: {status}", arguments.join(" "));
    Ok(())
}

/// The page carries its data as `const UNIT_DATA = [...];`.
fn units(page: &str) -> Result<Vec<Unit>> {
    let data = page
        .split_once("const UNIT_DATA = ")
        .context("no UNIT_DATA in cargo's timing report")?
        .1;
    let end = data.find("];").context("UNIT_DATA does not end")? + 1;
    Ok(serde_json::from_str(&data[..end])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_are_read_out_of_cargos_page() {
        let page = "x\nconst UNIT_DATA = [\n {\"i\":0,\"name\":\"a\",\"version\":\"1.0.0\",\"mode\":\"todo\",\"duration\":1.5}\n];\nlet y = [];";
        let units = units(page).unwrap();
        assert_eq!((units[0].name.as_str(), units[0].duration), ("a", 1.5));
    }
}
