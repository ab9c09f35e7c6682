//! `cargo sims check`: judges a history that was recorded elsewhere.

use std::fmt::Debug;
use std::path::Path;

use super::arguments::{CheckHistory, HistoryModel};
use super::terminal::say;
use crate::check::linear::models::{KeyValue, Register};
use crate::check::linear::{self, Judgement, Model, SearchOptions, TypedHistory, read};
use crate::explore::Status;

/// Judges the history in a file and returns the exit code.
pub(super) fn run(arguments: &CheckHistory) -> Result<u8, String> {
    let path = &arguments.file;
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: this is not a text file", path.display()))?;
    let damaged = |error: read::ParseError| format!("{}: {error}", path.display());
    let options = SearchOptions {
        budget: arguments.budget.unwrap_or(SearchOptions::default().budget),
        ..SearchOptions::default()
    };
    let status = match arguments.model {
        HistoryModel::CasRegister => {
            judge(path, &Register::new(None), &read::jepsen_register(&text).map_err(damaged)?, &options)
        }
        HistoryModel::Kv => judge(path, &KeyValue, &read::porcupine_key_value(&text).map_err(damaged)?, &options),
    };
    Ok(status.exit_code())
}

fn judge<M: Model>(path: &Path, model: &M, history: &TypedHistory<M::Op, M::Output>, options: &SearchOptions) -> Status
where
    M::Op: Debug,
{
    let path = path.display();
    let count = history.entries().len();
    match linear::judge(model, history, options) {
        Judgement::Linearizable(_) => {
            let unknown = history.entries().iter().filter(|entry| entry.ret.is_none()).count();
            say(&format!("{path}: linearizable: {count} operations, {unknown} of them with unknown outcomes\n"));
            Status::Pass
        }
        Judgement::Violated(violation) => {
            let core = violation.core(model, history);
            say(&format!("{path}: {}", violation.text(history, Some(&core))));
            Status::Fail
        }
        Judgement::GaveUp(configurations) => {
            say(&format!("{path}: unknown: {}\n", linear::gave_up(configurations)));
            Status::Unknown
        }
    }
}
