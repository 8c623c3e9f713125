//! The commands in `tidelock --help`, in groups, so that one finds one's way among them: clap itself knows one list only.

use std::fmt::Write;

use clap::{Command, builder::Styles};

/// A group is the `display_order` of its commands, and its place among the headings.
pub(super) const SERVER: usize = 0;
pub(super) const BACKENDS: usize = 1;
pub(super) const LOCKS: usize = 2;
pub(super) const VERSIONS: usize = 3;
pub(super) const STATES: usize = 4;
pub(super) const ACCESS: usize = 5;
pub(super) const DATA: usize = 6;

const HEADINGS: [&str; 7] = [
    "A server of your own",
    "Backends, on AWS, Tidelock or any other S3",
    "Locks, on any of them",
    "Versions of a state, on any of them",
    "States on a Tidelock server",
    "Who may do what on a Tidelock server",
    "Data of a Tidelock server",
];

/// The command with its help in groups.
pub(super) fn grouped(command: Command) -> Command {
    let groups = groups(&command);
    let header = *Styles::default().get_header();
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &Command) -> String {
    let styles = Styles::default();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let names = command.get_subcommands().map(|one| one.get_name().len());
    let width = names.max().unwrap_or_default();
    let mut text = String::new();
    for (group, heading) in HEADINGS.iter().enumerate() {
        let _ = writeln!(text, "{header}{heading}:{header:#}");
        let members = command
            .get_subcommands()
            .filter(|one| one.get_display_order() == group);
        for one in members {
            let (name, about) = (one.get_name(), one.get_about().cloned().unwrap_or_default());
            let _ = writeln!(text, "  {literal}{name:width$}{literal:#}  {about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::{HEADINGS, grouped};
    use crate::args::Arguments;

    #[test]
    fn each_command_stands_in_one_group_of_the_help_and_fits_a_line() {
        let commands = Arguments::command();
        let help = grouped(commands.clone()).render_help().to_string();
        for command in commands.get_subcommands() {
            let entry = format!("  {} ", command.get_name());
            let group = command.get_display_order();
            assert!(group < HEADINGS.len(), "{entry} has no group");
            let list = help.split("\nOptions:").next().unwrap();
            let lines = list.lines().filter(|line| line.starts_with(&entry));
            assert_eq!(lines.count(), 1, "{entry}\n{help}");
        }
        for line in help.lines().take_while(|line| !line.starts_with("Exit status")) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
