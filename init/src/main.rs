//! `squall init` writes a first scenario into a project: an example target with a table of scenarios, a scenario around the
//! project's own service, an alias for cargo, the dependencies, and a job for the continuous integration.

mod manifest;
mod project;
mod templates;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use project::{Plan, Written};
use templates::Kind;

/// Writes a first Squall scenario into a project.
#[derive(Parser)]
#[command(name = "squall", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a table of scenarios and a first scenario around the project's own service. Files that exist are left as they
    /// are.
    Init(Init),
}

#[derive(clap::Args)]
struct Init {
    /// The folder of the project's Cargo.toml.
    #[arg(default_value = ".")]
    project: PathBuf,
    /// What the service is: `axum` for a router, `tonic` for routes of gRPC services, `plain` for a function that binds its own
    /// sockets and serves (Linux).
    #[arg(long, value_enum, default_value = "axum")]
    kind: Kind,
    /// The expression that gives the service [default: NAME::router(), NAME::routes() or NAME::serve() by kind, where NAME is
    /// the project's library]. It is called in each life of the server.
    #[arg(long, value_name = "EXPRESSION")]
    service: Option<String>,
    /// Where Squall is: a folder or a git address [default: the folder that this command was built from].
    #[arg(long, value_name = "FOLDER|URL")]
    squall: Option<String>,
    /// Shows what would be written, and writes nothing.
    #[arg(long)]
    dry_run: bool,
}

fn main() -> ExitCode {
    let Command::Init(arguments) = Arguments::parse().command;
    match init(&arguments) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Writes what is missing, and returns what to tell about it.
fn init(arguments: &Init) -> Result<String, String> {
    let squall = arguments.squall.clone().map_or_else(own_folder, Ok)?;
    let plan = Plan::new(&arguments.project, arguments.kind, arguments.service.as_deref(), &squall)?;
    let mut text = String::new();
    for change in plan.changes() {
        let (verb, why) = match change.written {
            Written::New => ("writes", ""),
            Written::Changed => ("changes", ""),
            Written::AsItWas => ("leaves", ", which has it already"),
        };
        text += &format!("{verb:>8} {}{why}\n", change.path.display());
        if arguments.dry_run && change.written != Written::AsItWas {
            text += &indented(&change.text);
        }
    }
    if arguments.dry_run {
        return Ok(text + "nothing is written (--dry-run)\n");
    }
    plan.write()?;
    Ok(text + &plan.next_steps())
}

/// The folder of Squall that this command was built from.
fn own_folder() -> Result<String, String> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.display().to_string()),
        Err(_) => Err("the folder of Squall that this command was built from is gone; say where Squall is with \
                       --squall FOLDER or --squall URL"
            .to_owned()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("{:10}{line}", "").trim_end().to_owned() + "\n").collect()
}
