//! A test that plays a second process starts itself again as that process.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const DIR: &str = "TIDELOCK_TEST_DIR";

/// In the child: the directory to work in.
pub fn dir() -> Option<PathBuf> {
    env::var_os(DIR).map(PathBuf::from)
}

/// The command that runs the test of this full name as a child, printing as it goes.
pub fn command(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(DIR, dir);
    command
}
