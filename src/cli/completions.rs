//! Prints a script that completes the commands, flags and names of this table in a shell.

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::arguments::Arguments;
use super::table::Table;
use super::terminal::say;

/// The name of the shell function that stands for `cargo sims`. A shell completes by a command's first word, and that of
/// `cargo sims` is cargo's.
const FUNCTION: &str = "sims";

/// Prints the script for this shell.
pub(super) fn print(table: &Table, shell: Shell) -> u8 {
    let mut command = command(table);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, FUNCTION, &mut script);
    say(&format!("{}{}", function(shell), String::from_utf8_lossy(&script)));
    0
}

/// The command line, whose arguments for names have the names of this table.
fn command(table: &Table) -> Command {
    // Clap takes static names only; the process ends with the script.
    let name = |name: &str| -> &'static str { name.to_owned().leak() };
    let scenarios: Vec<&str> = table.scenarios().iter().map(|scenario| name(scenario.name())).collect();
    let mistakes = table.mistakes.iter().map(|planted| name(planted.mistake.name())).collect();
    let named = |argument: &'static str, names: Vec<&'static str>| {
        let parser = PossibleValuesParser::new(names);
        move |command: Command| command.mut_arg(argument, |argument| argument.value_parser(parser))
    };
    Arguments::command()
        .name(FUNCTION)
        .mut_subcommand("explore", named("names", scenarios.clone()))
        .mut_subcommand("sweep", named("name", scenarios))
        .mut_subcommand("mistakes", named("names", mistakes))
}

/// The shell function, for the shells in which it can be told.
fn function(shell: Shell) -> String {
    match shell {
        Shell::Bash | Shell::Zsh => format!("{FUNCTION}() {{ cargo sims \"$@\"; }}\n"),
        Shell::Fish => format!("function {FUNCTION}; cargo sims $argv; end\n"),
        Shell::PowerShell => format!("function {FUNCTION} {{ cargo sims @args }}\n"),
        _ => String::new(),
    }
}
