//! The help of every command, as a snapshot: no text changes without being read.

use std::fmt::Write as _;
use std::process::Command;

/// Prints one command's help in a fixed width, whatever the terminal.
fn help(command: &[&str]) -> String {
    let mut sidestep = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    let output = sidestep.args(command).arg("--help").env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the commands that a help text lists, without `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A wrapped description goes on further to the right.
    let entries = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = entries.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Appends the help of `command` and of all commands below it.
fn walk(command: &mut Vec<String>, text: &mut String, count: &mut usize) {
    let names: Vec<&str> = command.iter().map(String::as_str).collect();
    let own = help(&names);
    *count += 1;
    writeln!(text, "## sidestep {}\n\n{own}", names.join(" ")).unwrap();
    for name in subcommands(&own) {
        command.push(name);
        walk(command, text, count);
        command.pop();
    }
}

#[test]
fn the_help_of_every_command_is_reviewed() {
    let (mut text, mut count) = (String::new(), 0);
    walk(&mut Vec::new(), &mut text, &mut count);
    // 24 commands, `sidestep` itself, three of `cache` and two of `callback`.
    assert_eq!(count, 30, "a command was not found by its line in the list");
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(trimmed.join("\n"));
}
