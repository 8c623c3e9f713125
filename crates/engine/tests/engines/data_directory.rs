//! The data directory of the embedded engine: whose it is, and what is refused.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use tidelock_engine::{Engine, OpenError};

use crate::{
    child,
    embedded_file::{open, put, sqlite},
};

fn refusal(dir: &Path) -> OpenError {
    tidelock_engine::EmbeddedEngine::open(dir).unwrap_err()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_directory() {
    if let Some(dir) = child::dir() {
        return writeln!(io::stdout(), "{}", refusal(&dir)).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    let test = "data_directory::a_second_process_is_refused_and_told_who_holds_the_directory";
    let output = child::command(test, dir.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let (dir, pid) = (dir.path(), std::process::id());
    let expected = format!(
        "the data directory {} is in use by process {pid} since 2",
        dir.display()
    );
    assert!(said.contains(&expected), "{said}");
    drop(engine);
    open(dir);
}

#[test]
fn a_second_engine_in_the_same_process_is_refused_until_the_first_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(
        refusal(dir.path()),
        OpenError::InUse {
            pid: Some(_),
            since: Some(_),
            ..
        }
    ));
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn everything_made_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new").join("data");
    let engine = open(&dir);
    engine.commit(put("k", "v")).await.unwrap();
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    open(dir.path());
    assert_eq!(mode(dir.path()), 0o750);
}

#[test]
fn an_older_format_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    sqlite(&dir)
        .execute("UPDATE meta SET value = 1 WHERE name = 'format'", [])
        .unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::Older { found: 1, .. }));
    assert!(refused.to_string().contains("terraform state pull"), "{refused}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    sqlite(&dir)
        .execute("UPDATE meta SET value = 99 WHERE name = 'format'", [])
        .unwrap();
    let before = fs::read(dir.path().join("tidelock.db")).unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }));
    assert!(
        refused
            .to_string()
            .contains("format 99, this release reads up to format 2"),
        "{refused}"
    );
    assert!(fs::read(dir.path().join("tidelock.db")).unwrap() == before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = "my diary\n".repeat(1000);
    fs::write(dir.path().join("tidelock.db"), &text).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Foreign { .. }));
    assert_eq!(fs::read_to_string(dir.path().join("tidelock.db")).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    sqlite(&dir)
        .execute_batch("CREATE TABLE photo (id INTEGER)")
        .unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Foreign { .. }));
}

#[test]
fn a_directory_that_cannot_be_made_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = refusal(&file.join("data")).to_string();
    assert!(
        refused.starts_with("cannot make the data directory") && refused.contains("file/data"),
        "{refused}"
    );
}
