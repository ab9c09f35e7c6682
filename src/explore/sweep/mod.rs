//! The exhaustive sweep: tries each single fault at each causal point of a run without faults, one at a time, and a
//! sample of pairs of them.

mod error;
mod journal;
mod options;
mod points;
mod trials;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::failure::save;
use super::job::{CaseRef, JobKind};
use super::pool::{Job, Pool, next};
use crate::case_file;
use crate::check::Verdict;
use crate::fault::{Fault, Plan};
use crate::sandbox::is_interrupted;
use crate::scenario::Case;
use crate::seed::Seed;

pub use error::SweepError;
use journal::{End, Head, Journal};
pub use options::{SweepFault, SweepOptions};
pub use points::Point;
use points::points;
use trials::{Trial, control, hosts, trials};

/// The results of all trials of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The name of the fault, such as `kill` or `close`, or `pairs`.
    pub name: String,
    /// The number of trials.
    pub tried: usize,
    /// The number of trials whose faults were effective.
    pub effective: usize,
    /// The trials that the scenario did not survive.
    pub failing: Vec<Failing>,
}

/// A trial that the scenario did not survive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The faults, in words.
    pub faults: Vec<String>,
    /// The first promise that was broken, or why the verdict is unknown.
    pub finding: String,
    /// The file of its case; none if the sweep was interrupted.
    pub saved: Option<PathBuf>,
}

/// The result of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The scenario's name.
    pub scenario: String,
    /// The seed of the run without faults.
    pub seed: Seed,
    /// The number of points that are messages.
    pub messages: usize,
    /// The number of points that are events.
    pub events: usize,
    /// The number of operations of all clients.
    pub operations: usize,
    /// The results, by kind of trial.
    pub rows: Vec<Row>,
    /// The hosts that go down.
    pub hosts: Vec<String>,
    /// The number of runs that this sweep made.
    pub runs: usize,
    /// The number of results that were taken over from an interrupted sweep.
    pub resumed: usize,
    /// The number of trials that were not made, as somebody interrupted this sweep.
    #[serde(default)]
    pub left: usize,
    /// The wall-clock time that the sweep took.
    pub wall: Duration,
}

impl Sweep {
    /// Whether all trials were made, and the scenario survived them.
    pub fn is_passed(&self) -> bool {
        self.left == 0 && self.rows.iter().all(|row| row.failing.is_empty())
    }
}

/// Sweeps one scenario of the pool, by its index. `progress` receives the number of trials that are done, the number of
/// all trials, and the number of those that the scenario did not survive.
///
/// # Errors
/// If runs cannot be carried out, if there is nothing to sweep, or if a file cannot be written.
pub fn sweep(
    pool: &Pool,
    scenario: usize,
    options: &SweepOptions,
    progress: &mut dyn FnMut(usize, usize, usize),
) -> Result<Sweep, SweepError> {
    pool.scenarios()[scenario].validate().map_err(Error::from)?;
    let started = Instant::now();
    let control = control(&pool.scenarios()[scenario], options);
    let case_ref = CaseRef::Case(Box::new(control.clone()));
    let answer = pool.run(scenario, &case_ref, JobKind::Recording)?;
    let recording = match (&answer.outcome.verdict, answer.recording) {
        (Verdict::Pass, Some(recording)) => recording,
        (verdict, _) => return Err(SweepError::Control(verdict.to_string())),
    };
    let points = points(&recording);
    if points.is_empty() {
        return Err(SweepError::NoPoints);
    }
    let hosts = hosts(&pool.scenarios()[scenario], options)?;
    let trials = trials(options, &points, &hosts);
    let head = Head::new(&pool.scenarios()[scenario], &control, trials.iter().map(|trial| trial.faults.as_slice()));
    let (part, of) = options.part;
    let is_own = |index: &usize| index % of == part;
    let all = (0..trials.len()).filter(is_own).count();
    let journal = options.journal.clone().unwrap_or_else(|| default_journal(&head, options.part));
    let mut journal = Journal::open(journal, &head, options.afresh)?;
    journal.known.retain(|index, _| is_own(index));
    let resumed = journal.known.len();
    let case = |faults: &[Fault]| Case { plan: Plan { faults: faults.to_vec() }, ..control.clone() };
    let mut failed = journal.known.values().filter(|end| matches!(end, End::Failed(_))).count();
    progress(resumed, all, failed);
    let mut left = (0..trials.len())
        .filter(is_own)
        .filter(|index| !journal.known.contains_key(index))
        .collect::<Vec<_>>()
        .into_iter();
    let (sender, receiver) = channel();
    let mut in_flight = 0;
    loop {
        while in_flight < 2 * pool.jobs()
            && let Some(index) = left.next()
        {
            let case_ref = CaseRef::Case(Box::new(case(&trials[index].faults)));
            pool.send(Job { tag: index, ..Job::plain(scenario, case_ref, JobKind::Outcome) }, &sender);
            in_flight += 1;
        }
        if in_flight == 0 {
            break;
        }
        let done = next(&receiver);
        if is_interrupted() {
            break;
        }
        let done = done?;
        in_flight -= 1;
        let index = done.tag;
        let outcome = pool.answer(scenario, done)?.outcome;
        let end = match (&outcome.verdict, outcome.findings.first()) {
            (Verdict::Pass, _) if outcome.fault_effects.iter().all(|effects| *effects > 0) => End::Survived,
            (Verdict::Pass, _) => End::NoEffect,
            (verdict, None) => End::Failed(verdict.to_string()),
            (_, Some(finding)) => End::Failed(match &finding.verdict {
                Verdict::Fail(breach) => format!("{}: {breach}", finding.check),
                other => format!("{}: {other}", finding.check),
            }),
        };
        failed += usize::from(matches!(end, End::Failed(_)));
        journal.write(index, end)?;
        progress(journal.known.len(), all, failed);
    }
    let rows = rows(pool, scenario, options, &trials, &journal.known, &case)?;
    let messages = points.iter().filter(|point| point.to.is_some()).count();
    Ok(Sweep {
        scenario: control.scenario.clone(),
        seed: options.seed,
        messages,
        events: points.len() - messages,
        operations: super::Size::of(&control).operations,
        hosts,
        rows,
        runs: journal.known.len() - resumed,
        resumed,
        left: all - journal.known.len(),
        wall: started.elapsed(),
    })
}

fn rows(
    pool: &Pool,
    scenario: usize,
    options: &SweepOptions,
    trials: &[Trial],
    ends: &BTreeMap<usize, End>,
    case: &dyn Fn(&[Fault]) -> Case,
) -> Result<Vec<Row>, SweepError> {
    let names =
        options.sweep_faults.iter().map(|sweep_fault| sweep_fault.name()).chain((options.pairs > 0).then_some("pairs"));
    let mut rows: Vec<Row> = names.map(|name| Row { name: name.to_owned(), ..Row::default() }).collect();
    for (index, end) in ends {
        let trial = &trials[*index];
        let row = &mut rows[trial.row];
        row.tried += 1;
        row.effective += usize::from(*end != End::NoEffect);
        if let End::Failed(finding) = end {
            let mut saved = None;
            // Saving a case takes a run, and the sweep that goes on from here saves it.
            if !is_interrupted() {
                let case = case(&trial.faults);
                let path = place(&case, *index, options);
                let answer = pool.run(scenario, &CaseRef::Case(Box::new(case.clone())), JobKind::Recording)?;
                save(&pool.scenarios()[scenario], &case, &answer.outcome, answer.recording.as_deref(), &path)?;
                saved = Some(path);
            }
            let faults = trial.faults.iter().map(Fault::to_string).collect();
            row.failing.push(Failing { faults, finding: finding.clone(), saved });
        }
    }
    Ok(rows)
}

/// The journal in cargo's target directory: one for each part of a sweep, as these may be made at the same time.
fn default_journal(head: &Head, (part, of): (usize, usize)) -> PathBuf {
    let path = case_file::sweep_path(head.scenario(), head.seed());
    if of == 1 { path } else { path.with_extension(format!("{}-of-{of}.jsonl", part + 1)) }
}

fn place(case: &Case, index: usize, options: &SweepOptions) -> PathBuf {
    let path = case_file::default_path(case);
    let name = format!("{}-sweep-{index}.json", path.file_stem().unwrap_or_default().to_string_lossy());
    match &options.case_directory {
        Some(directory) => directory.join(name),
        None => path.with_file_name(name),
    }
}
