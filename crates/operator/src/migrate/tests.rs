//! Fifty directories on their way to lock files and back, and what stops one.
#![allow(clippy::unwrap_used)]
use std::{fs, path::Path};

use super::{edits::apply, *};

/// A file of a configuration: its name and its lines. `T|` is before a line that says the table, `L|` before one that says
/// the lock file; `1|`, `2|` and `3|` before what stands there only at first, after phase 1, and after phase 3.
type File = (&'static str, &'static str);

const PARTIAL: &str = "bucket = \"states\"\nkey = \"k\"\nregion = \"us-east-1\"\n";

const SHAPES: [&[File]; 10] = [
    &[(
        "main.tf",
        "terraform {\n  backend \"s3\" {\n    bucket         = \"states\"\n    key            = \"k\"\nT|    dynamodb_table = \"locks\"\nL|    use_lockfile   = true\n    encrypt        = true\n  }\n}\n",
    )],
    &[(
        "backend.tf",
        "terraform{\n  backend \"s3\"{\n    bucket=\"states\"\nT|    dynamodb_table=\"locks\"\nL|    use_lockfile=true\n    key=\"k\"\n  }\n}\n",
    )],
    &[(
        "main.tf",
        "# dynamodb_table = \"no\"\n/* backend \"s3\" {\n*/\nterraform {\n  // the states\n  backend \"s3\" {\n    bucket = \"states\" # ours\n\n    # who locks\nT|    dynamodb_table = \"locks\" // one for all\nL|    use_lockfile   = true\n    /* which */ key = \"k\"\n  } # end\n}\n",
    )],
    &[
        (
            "main.tf",
            "terraform {\n1|  backend \"s3\" { dynamodb_table = \"locks\" }\n2|  backend \"s3\" {\n2|    dynamodb_table = \"locks\"\n2|    use_lockfile   = true\n2|  }\n3|  backend \"s3\" {\n3|    use_lockfile   = true\n3|  }\n}\n",
        ),
        ("prod.s3.tfbackend", PARTIAL),
    ],
    &[
        (
            "main.tf",
            "terraform {\n1|  backend \"s3\" {}\n2|  backend \"s3\" { use_lockfile = true }\n3|  backend \"s3\" { use_lockfile = true }\n}\n",
        ),
        (
            "dev.tfbackend",
            "bucket = \"states\"\nT|dynamodb_table = \"locks\" # dev\nkey = \"dev\"\n",
        ),
        (
            "prod.tfbackend",
            "bucket = \"states\"\nkey = \"prod\"\nT|dynamodb_table = \"locks\"\n1|use_lockfile = false\n2|use_lockfile = true\n3|use_lockfile = true\n",
        ),
    ],
    &[(
        "main.tf.json",
        "{\n  \"terraform\": {\n    \"backend\": {\n      \"s3\": {\n        \"bucket\": \"states\",\nT|        \"dynamodb_table\": \"locks\",\nL|        \"use_lockfile\": true,\n        \"key\": \"k\"\n      }\n    }\n  }\n}\n",
    )],
    &[(
        "main.tf.json",
        "[{\"terraform\":[{\"backend\":\n1|[{\"s3\":{\"bucket\":\"states\",\"key\":\"k\",\"dynamodb_table\":\"locks\"}}]\n2|[{\"s3\":{\"bucket\":\"states\",\"key\":\"k\",\"dynamodb_table\":\"locks\",\"use_lockfile\":true}}]\n3|[{\"s3\":{\"bucket\":\"states\",\"key\":\"k\",\"use_lockfile\":true}}]\n}]}]\n",
    )],
    &[
        (
            "main.tofu",
            "variable \"dynamodb_table\" {}\n\nterraform {\n  required_version = \">= 1.10\"\n\n  backend \"s3\" {\n    key    = \"k\"\n    bucket = \"states\"\nT|    dynamodb_table = \"locks\"\nL|    use_lockfile   = true\n  }\n}\n",
        ),
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\nT|    dynamodb_table = \"locks\"\nL|    use_lockfile   = true\n    key = \"k\"\n    bucket = \"states\"\n  }\n}\n",
        ),
    ],
    &[
        (
            "main.tf",
            "locals {\n  text = <<-EOT\n    terraform {\n      backend \"s3\" { dynamodb_table = \"no\" }\n    }\n  EOT\n}\nterraform {\n  backend \"s3\" {\n    bucket = \"states\"\n    key = \"k\"\nT|    dynamodb_table   =   \"locks\"\nL|    use_lockfile     =   true\n    endpoints = {\n      s3 = \"http://127.0.0.1:1\"\n    }\n  }\n}\n",
        ),
        (
            "backend_override.tf",
            "terraform {\n  backend \"s3\" {\n    bucket = \"states\"\n    key = \"other\"\nT|    dynamodb_table = \"locks\"\nL|    use_lockfile   = true\n  }\n}\n",
        ),
    ],
    &[(
        "main.tf",
        "terraform {\n  required_version = \"~> 1.11\"\n}\n\nresource \"x\" \"y\" {\n  dynamodb_table = \"locks\"\n  backend \"s3\" {\n    dynamodb_table = \"locks\"\n  }\n}\n\nterraform {\n  backend \"s3\" {\n1|    use_lockfile = false // not yet\n2|    use_lockfile = true // not yet\n3|    use_lockfile = true // not yet\n    bucket = \"states\"\n    key = \"k\"\nT|    dynamodb_table = \"locks\"\n  }\n}\n",
    )],
];

/// What an editor does to all the bytes of a file.
const EDITORS: [fn(String) -> String; 5] = [
    |text| text,
    |text| text.replace('\n', "\r\n"),
    |text| format!("\u{feff}{text}"),
    tabs,
    |text| text.trim_end().to_owned(),
];

fn tabs(text: String) -> String {
    let line = |line: &str| {
        let rest = line.trim_start_matches(' ');
        "\t".repeat((line.len() - rest.len()) / 2) + rest
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The text of a file before (1), after phase 1 (2) and after phase 3 (3).
fn text(lines: &str, stage: char) -> String {
    let line = |line: &str| match line.split_at_checked(2) {
        Some(("T|", rest)) => (stage != '3').then(|| rest.to_owned()),
        Some(("L|", rest)) => (stage != '1').then(|| rest.to_owned()),
        Some((mark, rest)) if mark.ends_with('|') => mark.starts_with(stage).then(|| rest.to_owned()),
        _ => Some(line.to_owned()),
    };
    lines.split_inclusive('\n').filter_map(line).collect()
}

/// Fifty directories in mixed formatting.
fn fifty(root: &Path) {
    for (shape, files) in SHAPES.iter().enumerate() {
        for (editor, edit) in EDITORS.iter().enumerate() {
            let dir = root.join(format!("{shape}/{editor}"));
            fs::create_dir_all(&dir).unwrap();
            for (name, lines) in *files {
                fs::write(dir.join(name), edit(text(lines, '1'))).unwrap();
            }
        }
    }
}

fn survey_of(root: &Path) -> Survey {
    survey(root, &[], &|_| None).unwrap()
}

fn take(root: &Path, step: Step) -> usize {
    let survey = survey_of(root);
    let plan = plan(&survey, step).unwrap();
    for planned in &plan.directories {
        assert!(planned.stops.is_empty(), "{planned:?}");
        apply(&planned.edits).unwrap();
    }
    plan.directories
        .iter()
        .filter(|planned| !planned.edits.is_empty())
        .count()
}

fn stands(root: &Path) -> Vec<Stand> {
    let survey = survey_of(root);
    let mut stands: Vec<Stand> = survey.directories.iter().flat_map(Directory::stands).collect();
    assert!(
        survey
            .directories
            .iter()
            .all(|directory| directory.troubles.is_empty())
    );
    stands.sort();
    stands.dedup();
    stands
}

#[track_caller]
fn all_are(root: &Path, stage: char) {
    for (shape, files) in SHAPES.iter().enumerate() {
        for (editor, edit) in EDITORS.iter().enumerate() {
            for (name, lines) in *files {
                let path = root.join(format!("{shape}/{editor}/{name}"));
                let found = fs::read_to_string(&path).unwrap();
                assert_eq!(found, edit(text(lines, stage)), "{}", path.display());
            }
        }
    }
}

#[test]
fn fifty_directories_change_in_the_lines_about_the_lock_and_in_no_other_byte() {
    let root = tempfile::tempdir().unwrap();
    fifty(root.path());
    assert_eq!(stands(root.path()), [Stand::Table]);
    assert_eq!(take(root.path(), Step::AddLockFile), 50);
    all_are(root.path(), '2');
    assert_eq!(stands(root.path()), [Stand::Both]);
    // Again, nothing is left to do.
    assert_eq!(take(root.path(), Step::AddLockFile), 0);
    assert_eq!(take(root.path(), Step::DropTable), 50);
    all_are(root.path(), '3');
    assert_eq!(stands(root.path()), [Stand::LockFile]);
    assert_eq!(take(root.path(), Step::DropTable), 0);
}

#[test]
fn the_way_back_ends_with_the_table_alone_and_leaves_every_other_line() {
    let root = tempfile::tempdir().unwrap();
    fifty(root.path());
    let others = |stage: &str| {
        let mut lines = Vec::new();
        for shape in (0..SHAPES.len()).filter(|shape| ![3, 4, 6].contains(shape)) {
            for (name, _) in SHAPES[shape] {
                let text = fs::read_to_string(root.path().join(format!("{shape}/1/{name}"))).unwrap();
                let is_lock = |line: &str| {
                    line.contains("use_lockfile") || line.contains("dynamodb_table") && line.contains("locks")
                };
                let kept = text.split_inclusive('\n').filter(|line| !is_lock(line));
                lines.extend(kept.map(|line| format!("{shape} {line}")));
            }
        }
        assert!(lines.len() > 50, "{stage}");
        lines
    };
    let before = others("before");
    take(root.path(), Step::AddLockFile);
    take(root.path(), Step::DropTable);
    assert_eq!(take(root.path(), Step::AddTable("back".to_owned())), 50);
    assert_eq!(stands(root.path()), [Stand::Both]);
    assert_eq!(take(root.path(), Step::DropLockFile), 50);
    assert_eq!(stands(root.path()), [Stand::Table]);
    let kept = others("after");
    let kept: Vec<&String> = kept.iter().filter(|line| !line.contains("\"back\"")).collect();
    assert_eq!(kept, before.iter().collect::<Vec<_>>());
}

/// A directory with this block.
fn one(block: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("main.tf"),
        format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"states\"\n    key = \"k\"\n{block}  }}\n}}\n"
        ),
    )
    .unwrap();
    root
}

fn only_stop(root: &Path, step: Step) -> String {
    let survey = survey_of(root);
    let plan = plan(&survey, step).unwrap();
    let [planned] = plan.directories.as_slice() else {
        panic!("{plan:?}")
    };
    assert!(planned.edits.is_empty());
    planned.stops.join("\n")
}

#[test]
fn a_lock_goes_only_where_the_other_one_is_there() {
    let table = one("    dynamodb_table = \"t\"\n");
    assert!(only_stop(table.path(), Step::DropTable).contains("phase 1 first"));
    let file = one("    use_lockfile = true\n");
    assert!(only_stop(file.path(), Step::DropLockFile).contains("--reverse --phase 3 first"));
    let neither = one("");
    for step in [
        Step::AddLockFile,
        Step::DropTable,
        Step::AddTable("t".to_owned()),
        Step::DropLockFile,
    ] {
        assert_eq!(only_stop(neither.path(), step), "");
    }
}

#[test]
fn a_table_that_init_was_given_on_the_command_line_is_told_and_not_looked_for() {
    let root = one("    use_lockfile = true\n");
    let given = ["dynamodb_table=t".to_owned()];
    let survey = survey(root.path(), &given, &|_| None).unwrap();
    assert_eq!(survey.directories[0].stands(), [Stand::Both]);
    let plan = plan(&survey, Step::DropTable).unwrap();
    assert!(
        plan.directories[0].stops[0].contains("dynamodb_table stands in no file here"),
        "{plan:?}"
    );
}

#[test]
fn between_an_edit_and_the_next_init_the_files_count_and_init_is_called_for() {
    let root = one("    dynamodb_table = \"t\"\n    use_lockfile = true\n");
    fs::create_dir(root.path().join(".terraform")).unwrap();
    let record = r#"{"version":3,"backend":{"type":"s3","config":{"bucket":"states","key":"k","dynamodb_table":"t","use_lockfile":null}}}"#;
    fs::write(root.path().join(".terraform/terraform.tfstate"), record).unwrap();
    let survey = survey_of(root.path());
    let [target] = survey.directories[0].targets.as_slice() else {
        panic!("{survey:?}")
    };
    assert_eq!(target.stand(), Stand::Both);
    assert!(target.needs_init());
}

#[test]
fn copies_and_what_editors_leave_are_passed_over_and_terragrunt_is_told() {
    let root = one("    dynamodb_table = \"t\"\n");
    let text = fs::read_to_string(root.path().join("main.tf")).unwrap();
    for dir in [
        ".terraform/modules/x",
        ".terragrunt-cache/y",
        "node_modules/z",
        "sub/.git",
    ] {
        fs::create_dir_all(root.path().join(dir)).unwrap();
        fs::write(root.path().join(dir).join("main.tf"), &text).unwrap();
    }
    fs::write(root.path().join(".#main.tf"), "broken {").unwrap();
    let terragrunt = "remote_state {\n  config = { dynamodb_table = \"t\" }\n}\n";
    fs::write(root.path().join("sub/root.hcl"), terragrunt).unwrap();
    std::os::unix::fs::symlink(root.path(), root.path().join("loop")).unwrap();
    let survey = survey_of(root.path());
    assert_eq!(survey.directories.len(), 1);
    assert_eq!(survey.terragrunt, [root.path().join("sub/root.hcl")]);
}

#[test]
fn a_file_that_somebody_changes_meanwhile_is_left_to_them() {
    let root = one("    dynamodb_table = \"t\"\n");
    let survey = survey_of(root.path());
    let plan = plan(&survey, Step::AddLockFile).unwrap();
    let path = root.path().join("main.tf");
    fs::write(&path, "# theirs\n").unwrap();
    let refused = apply(&plan.directories[0].edits).unwrap_err();
    assert!(
        refused.to_string().contains("changed by somebody else"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "# theirs\n");
}

#[test]
fn a_file_that_cannot_be_understood_stops_its_directory_with_the_line() {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("main.tf"),
        "terraform {\n  backend \"s3\" {\n    secret_key = \"hush\n",
    )
    .unwrap();
    let stop = only_stop(root.path(), Step::AddLockFile);
    assert!(
        stop.contains("main.tf: line 3") && !stop.contains("hush"),
        "{stop}"
    );
}
