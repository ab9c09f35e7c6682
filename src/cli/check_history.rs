//! `cargo sims check`: judges a history that was recorded elsewhere.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use super::arguments::{CheckHistory, FailedCasMeaning, HistoryModel};
use super::terminal::say;
use crate::check::linear::models::{
    KeyValue, MultiRegister, Mutex, Queue, QueueOp, QueueOutput, Register, RegisterOp, Set,
};
use crate::check::linear::read::{self, Datum, FailedCas, RegisterHistory};
use crate::check::linear::{self, Judgement, Model, SearchOptions, TypedHistory, queue};
use crate::explore::Status;

/// Judges the history in a file and returns the exit code.
pub(super) fn run(arguments: &CheckHistory) -> Result<u8, String> {
    let path = &arguments.file;
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: this is not a text file", path.display()))?;
    let options = SearchOptions {
        budget: arguments.budget.unwrap_or(SearchOptions::default().budget),
        ..SearchOptions::default()
    };
    let file = File { path, text: &text, options: &options };
    let initial = arguments.initial.as_deref().map(read::datum).transpose()?;
    let failed_cas = match arguments.failed_cas {
        FailedCasMeaning::DidNotHappen => FailedCas::DidNotHappen,
        FailedCasMeaning::FoundAnotherValue => FailedCas::FoundAnotherValue,
    };
    let status = match arguments.model {
        HistoryModel::Register | HistoryModel::CasRegister => {
            let is_by_key = arguments.independent || file.read(read::has_keys)?;
            let histories = match is_by_key {
                true => file.read(|text| read::register_by_key(text, failed_cas))?,
                false => BTreeMap::from([(Datum::Nil, file.read(|text| read::register(text, failed_cas))?)]),
            };
            let has_cas = |history: &RegisterHistory| {
                history.entries().iter().any(|entry| matches!(entry.op, RegisterOp::CompareAndSet(..)))
            };
            if matches!(arguments.model, HistoryModel::Register) && histories.values().any(has_cas) {
                return Err(format!("{}: there is a :cas; use --model cas-register", path.display()));
            }
            let register = Register::new(initial.unwrap_or(Datum::Nil));
            match is_by_key {
                true => file.judge_each(&register, &histories),
                false => file.judge(&register, &histories[&Datum::Nil]),
            }
        }
        _ if arguments.independent => {
            return Err("--independent is for --model register and cas-register".to_owned());
        }
        HistoryModel::Mutex => file.judge(&mutex(initial)?, &file.read(read::mutex)?),
        HistoryModel::MultiRegister => file.judge(&registers(initial)?, &file.read(read::multi_register)?),
        HistoryModel::Kv if initial.is_some() => {
            return Err("a map of texts is empty initially: `--model kv` takes no --initial".to_owned());
        }
        HistoryModel::Kv => file.judge(&KeyValue, &file.read(read::key_value)?),
        HistoryModel::Set => file.judge(&Set::of(values(initial)?), &file.read(read::set)?),
        HistoryModel::Queue => {
            let (initial, history) = (values(initial)?, file.read(read::queue)?);
            // The patterns are for queues that are empty initially, and decide for or against them without a search.
            match queue::wrong(&history) {
                Ok(wrong) if initial.is_empty() => file.judged_queue(&history, wrong),
                _ => file.judge(&Queue::of(initial), &history),
            }
        }
    };
    Ok(status.exit_code())
}

fn mutex(initial: Option<Datum>) -> Result<Mutex, String> {
    match initial.as_ref().map(Datum::to_string).as_deref() {
        None | Some(":free") => Ok(Mutex::default()),
        Some(":held") => Ok(Mutex::held()),
        Some(other) => Err(format!("`{other}` is not the initial state of a mutex: give :held or :free")),
    }
}

fn registers(initial: Option<Datum>) -> Result<MultiRegister<Datum, Datum>, String> {
    match initial {
        None => Ok(MultiRegister::default()),
        Some(Datum::Map(entries)) => {
            Ok(MultiRegister::of(entries.iter().map(|(key, value)| (key.clone(), value.clone()))))
        }
        Some(other) => Err(format!("`{other}` is not a map of initial values such as {{:x 0 :y 0}}")),
    }
}

fn values(initial: Option<Datum>) -> Result<Vec<Datum>, String> {
    match initial {
        None => Ok(Vec::new()),
        Some(Datum::List(items)) => Ok(items.to_vec()),
        Some(Datum::Set(items)) => Ok(items.iter().cloned().collect()),
        Some(other) => Err(format!("`{other}` is not a list of initial values such as [1 2]")),
    }
}

/// A file with a history, and how to judge it.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    options: &'a SearchOptions,
}

impl File<'_> {
    fn read<H>(&self, read: impl Fn(&str) -> Result<H, read::ParseError>) -> Result<H, String> {
        read(self.text).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn pass<Op, Output>(&self, history: &TypedHistory<Op, Output>) -> Status {
        self.all_pass([history], "")
    }

    /// All histories of the file are linearizable; `objects` says in words of how many objects they are.
    fn all_pass<'h, Op: 'h, Output: 'h>(
        &self,
        histories: impl IntoIterator<Item = &'h TypedHistory<Op, Output>>,
        objects: &str,
    ) -> Status {
        let path = self.path.display();
        let (mut count, mut unknown) = (0, 0);
        for history in histories {
            count += history.entries().len();
            unknown += history.entries().iter().filter(|entry| entry.ret.is_none()).count();
        }
        if count == unknown {
            say(&format!("{path}: unknown: none of {count} operations returned, so there is nothing to judge\n"));
            return Status::Unknown;
        }
        say(&format!("{path}: linearizable: {objects}{count} operations, {unknown} of them with unknown outcomes\n"));
        Status::Pass
    }

    /// Judges the history of each key.
    fn judge_each<M: Model>(&self, model: &M, histories: &BTreeMap<Datum, TypedHistory<M::Op, M::Output>>) -> Status
    where
        M::Op: Debug,
    {
        let mut others = Vec::new();
        for (key, history) in histories {
            others.extend(self.unless_linearizable(&format!("key {key}: "), model, history));
        }
        let Some(worst) = others.iter().max() else {
            return self.all_pass(histories.values(), &format!("{} keys, ", histories.len()));
        };
        let (path, right) = (self.path.display(), histories.len() - others.len());
        say(&format!("{path}: {}: {right} of {} keys are linearizable\n", worst.word(), histories.len()));
        *worst
    }

    fn judged_queue(
        &self,
        history: &TypedHistory<QueueOp<Datum>, QueueOutput<Datum>>,
        wrong: Option<queue::Wrong>,
    ) -> Status {
        let Some(wrong) = wrong else { return self.pass(history) };
        say(&format!("{}: not linearizable: {}\n", self.path.display(), wrong.summary(history)));
        Status::Fail
    }

    fn judge<M: Model>(&self, model: &M, history: &TypedHistory<M::Op, M::Output>) -> Status
    where
        M::Op: Debug,
    {
        self.unless_linearizable("", model, history).unwrap_or_else(|| self.pass(history))
    }

    /// Says why a history is not linearizable, or that it is unknown; `None` if it is linearizable.
    fn unless_linearizable<M: Model>(
        &self,
        whose: &str,
        model: &M,
        history: &TypedHistory<M::Op, M::Output>,
    ) -> Option<Status>
    where
        M::Op: Debug,
    {
        let path = self.path.display();
        match linear::judge(model, history, self.options) {
            Judgement::Linearizable(_) => None,
            Judgement::Violated(violation) => {
                let core = violation.core(model, history);
                say(&format!("{path}: {whose}{}", violation.text(history, Some(&core))));
                Some(Status::Fail)
            }
            Judgement::GaveUp(configurations) => {
                say(&format!("{path}: {whose}unknown: {}\n", linear::gave_up(configurations)));
                Some(Status::Unknown)
            }
        }
    }
}
