//! Colours and pages where somebody looks at them, and nowhere else.

use crate::world::{ADDRESS, ANN, World, state};

const PAGED: (&str, &str) = ("PAGER", "sed s/^/paged:/");

fn two_versions() -> World {
    let mut world = World::new();
    world.write(ADDRESS, ANN, state(1, &[("a", "x")]));
    world.write(ADDRESS, ANN, state(2, &[("a", "y")]));
    world.counted(ADDRESS);
    world
}

#[test]
fn a_terminal_gets_pages_and_colours() {
    let world = two_versions();
    let history = world
        .on_terminal(&format!("history {ADDRESS}"), &[PAGED])
        .succeeded()
        .stdout;
    assert!(
        history.lines().all(|line| line.starts_with("paged:")),
        "{history}"
    );
    assert!(history.contains("+0 \u{1b}[33m~1\u{1b}[0m -0"), "{history:?}");
    let diff = world.on_terminal(&format!("diff {ADDRESS} 1"), &[PAGED]);
    assert_eq!(diff.status.code(), Some(1));
    assert!(
        diff.stdout.contains("paged:\u{1b}[33m~\u{1b}[0m aws_s3_bucket.a"),
        "{:?}",
        diff.stdout
    );
    let show = world
        .on_terminal(&format!("show {ADDRESS} 1"), &[PAGED])
        .succeeded()
        .stdout;
    assert!(show.contains("paged:  aws_s3_bucket.a  id id-a"), "{show}");
}

#[test]
fn who_wants_no_colours_or_no_pages_gets_none() {
    let world = two_versions();
    let history = format!("history {ADDRESS}");
    let plain = world
        .on_terminal(&history, &[PAGED, ("NO_COLOR", "1")])
        .succeeded()
        .stdout;
    assert!(plain.contains("paged:") && !plain.contains('\u{1b}'), "{plain:?}");
    for pager in ["", "cat"] {
        let direct = world
            .on_terminal(&history, &[("PAGER", pager)])
            .succeeded()
            .stdout;
        assert!(
            !direct.contains("paged:") && direct.contains("\u{1b}[33m~1"),
            "{direct:?}"
        );
    }
    let dumb = world
        .on_terminal(&history, &[PAGED, ("TERM", "dumb")])
        .succeeded()
        .stdout;
    assert!(!dumb.contains("paged:") && !dumb.contains('\u{1b}'), "{dumb:?}");
}

#[test]
fn a_pager_that_is_closed_early_is_no_failure() {
    let world = two_versions();
    let history = world.on_terminal(&format!("history {ADDRESS}"), &[("PAGER", "true")]);
    assert!(
        history.status.success() && history.stdout.is_empty(),
        "{}",
        history.text()
    );
}

#[test]
fn a_pipe_gets_neither_pages_nor_colours_nor_progress() {
    let world = two_versions();
    for arguments in [
        &["history", ADDRESS][..],
        &["show", ADDRESS, "1"],
        &["find", "aws_s3_bucket.a"],
        &["blame", ADDRESS, "aws_s3_bucket.a"],
    ] {
        let mut command = world.command(arguments);
        command.env("PAGER", PAGED.1).env("TERM", "xterm");
        let output = tidelock_testkit::Output::of(command).succeeded();
        assert!(
            !output.stdout.contains("paged:") && !output.text().contains('\u{1b}'),
            "{}",
            output.text()
        );
        assert!(output.stderr.is_empty(), "{}", output.stderr);
    }
}

#[test]
fn a_rollback_asks_and_only_yes_will_do() {
    let world = two_versions();
    let rollback = format!("rollback {ADDRESS} 1");
    let question = format!("Make version 1 the current state of {ADDRESS}? Only 'yes' will do: ");
    let (status, screen) = world.typed(&rollback, "y\n");
    assert_eq!(status, Some(1), "{screen}");
    assert!(
        screen.contains(&question) && screen.contains("not confirmed, nothing was changed"),
        "{screen}"
    );
    assert!(
        screen.contains("\u{1b}[33m~\u{1b}[0m aws_s3_bucket.a"),
        "{screen:?}"
    );
    let (status, screen) = world.typed(&rollback, "yes\n");
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains("is now at version 3, serial 3"), "{screen}");
}

#[test]
fn a_short_history_stays_on_the_screen_with_the_usual_pager() {
    let world = two_versions();
    let history = world
        .on_terminal(&format!("history {ADDRESS}"), &[])
        .succeeded()
        .stdout;
    assert!(
        history.contains("next: ") && history.contains("\u{1b}[33m~1"),
        "{history:?}"
    );
}
