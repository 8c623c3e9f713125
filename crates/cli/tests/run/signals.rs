//! Signals: the command gets each of them, and gets it once, whoever it was sent to.

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use crate::{World, kill, wait_for_line};

/// Notes each signal it gets in the file `got`, and ends with status 5 at SIGHUP, which the tests send last, to
/// `tidelock run` alone: whatever else it passed on has come before. A shell that waits runs its traps at once, so that
/// two signals in a row are not taken for one.
const COMMAND: &str = r#"
for signal in INT TERM QUIT; do trap "echo $signal >> got" $signal; done
trap 'echo HUP >> got; exit 5' HUP
echo $$ > pid
echo ready >> got
while :; do sleep 1 > /dev/null 2>&1 & wait $!; done
"#;

impl World {
    fn with_command(&self) -> Command {
        fs::write(self.path("command"), COMMAND).unwrap();
        let run = self.run(&["--", "sh", "command"]);
        // What a shell without job control starts in the background ignores these two, and so would the command.
        let mut command = self.hermetic.command("env", &self.hermetic.workdir("work"));
        command
            .arg("--default-signal=INT,QUIT")
            .arg(run.get_program())
            .args(run.get_args())
            .stdin(Stdio::null());
        command
    }

    /// Waits for the last line and compares.
    fn got(&self, signals: &[&str]) {
        let text = wait_for_line(&self.path("got"), "HUP");
        let got: Vec<&str> = text.lines().filter(|line| *line != "ready").collect();
        assert_eq!(got, signals);
    }

    fn is_ready(&self) {
        wait_for_line(&self.path("got"), "ready");
    }

    /// The process ID of `tidelock run`, which is the command's parent.
    fn parent(&self) -> String {
        let pid = fs::read_to_string(self.path("pid")).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.unwrap().trim().to_owned()
    }
}

#[test]
fn a_signal_to_the_run_alone_is_passed_on() {
    for leads_its_group in [true, false] {
        let world = World::new();
        let mut command = world.with_command();
        if leads_its_group {
            command.process_group(0);
        }
        let mut running = command.spawn().unwrap();
        world.is_ready();
        for signal in ["TERM", "INT", "QUIT"] {
            kill(signal, &running.id().to_string());
            wait_for_line(&world.path("got"), signal);
        }
        kill("HUP", &running.id().to_string());
        assert_eq!(running.wait().unwrap().code(), Some(5));
        world.got(&["TERM", "INT", "QUIT", "HUP"]);
    }
}

/// As `timeout` does it, and the runners of CI systems.
#[test]
fn a_signal_to_the_whole_group_reaches_the_command_once() {
    let world = World::new();
    // The shell leads the group, so that `tidelock run` is a member of it, as in any script.
    let inner = world.with_command();
    let mut script = world.hermetic.command("sh", &world.hermetic.workdir("work"));
    script
        .args(["-c", "trap : TERM; \"$@\"; echo $? > status", "-"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .process_group(0);
    let mut shell = script.spawn().unwrap();
    world.is_ready();
    kill("TERM", &format!("-{}", shell.id()));
    wait_for_line(&world.path("got"), "TERM");
    kill("HUP", &world.parent());
    world.got(&["TERM", "HUP"]);
    shell.wait().unwrap();
    assert_eq!(fs::read_to_string(world.path("status")).unwrap(), "5\n");
}

#[test]
fn ctrl_c_reaches_the_command_once_from_a_shell_and_from_a_script() {
    for typed in ["exec \"$@\"", "trap : INT; \"$@\"; exit $?"] {
        let world = World::new();
        let mut terminal = in_terminal(&world, typed);
        world.is_ready();
        terminal.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        wait_for_line(&world.path("got"), "INT");
        kill("HUP", &world.parent());
        world.got(&["INT", "HUP"]);
        assert_eq!(terminal.wait().unwrap().code(), Some(5), "{typed}");
    }
}

/// What `nohup` does.
#[test]
fn what_was_ignored_stays_ignored() {
    let world = World::new();
    fs::write(
        world.path("command"),
        "echo ready >> got; trap 'echo HUP >> got; exit 5' TERM; while :; do sleep 0.05; done",
    )
    .unwrap();
    let inner = world.run(&["--", "sh", "command"]);
    let mut script = world.hermetic.command("sh", &world.hermetic.workdir("work"));
    script
        .args(["-c", "trap '' HUP; exec \"$@\"", "-"])
        .arg(inner.get_program())
        .args(inner.get_args());
    let mut running = script.spawn().unwrap();
    world.is_ready();
    kill("HUP", &running.id().to_string());
    kill("TERM", &running.id().to_string());
    world.got(&["HUP"]);
    assert_eq!(running.wait().unwrap().code(), Some(5));
}

/// The command with a terminal of its own, in which `sh` runs the line `typed`.
fn in_terminal(world: &World, typed: &str) -> Child {
    let inner = world.with_command();
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let line = format!("set -- {}; {typed}", words.join(" "));
    let mut script = world.hermetic.command("script", &world.hermetic.workdir("work"));
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    script.spawn().unwrap()
}
