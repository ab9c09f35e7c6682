//! `cargo sims sweep`: tries every single fault at each point of a run.

use std::sync::Arc;

use indicatif::ProgressStyle;

use super::arguments::{Sweep, SweepKind};
use super::environment::processors;
use super::shards::{Item, Results, contents};
use super::terminal::{progress_bar, say};
use crate::case_file;
use crate::explore::{self, Pool, Status, SweepFault, SweepOptions};
use crate::report::sweep_text;
use crate::sandbox::{EntryPoint, INTERRUPTED, is_interrupted, note_interrupts};
use crate::scenario::Scenario;

/// Sweeps a scenario and returns the exit code.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Sweep, words: &[String]) -> Result<u8, String> {
    let index = case_file::find(&scenarios, &arguments.name)?;
    scenarios[index].validate().map_err(|error| error.to_string())?;
    let sweep_fault = |kind: &SweepKind| match kind {
        SweepKind::Kill => SweepFault::Kill,
        SweepKind::PowerOff => SweepFault::PowerOff,
        SweepKind::Close => SweepFault::Close,
        SweepKind::Loss => SweepFault::Loss,
    };
    let mut sweep_faults: Vec<SweepFault> = arguments.kinds.iter().map(sweep_fault).collect();
    sweep_faults.sort_unstable();
    sweep_faults.dedup();
    let shard = arguments.shards.begin(words, vec![Item { name: arguments.name.clone(), seeds: None }])?;
    let options = SweepOptions {
        sweep_faults: if sweep_faults.is_empty() { SweepFault::ALL.to_vec() } else { sweep_faults },
        operations: arguments.operations.0,
        hosts: arguments.hosts.clone(),
        down_for: arguments.down_for,
        pairs: arguments.pairs,
        afresh: arguments.afresh,
        part: shard.as_ref().map_or((0, 1), |shard| shard.shard().place()),
        ..SweepOptions::new(arguments.seed)
    };
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    let pool = Pool::new(scenarios, jobs, EntryPoint::Main, arguments.workers.hang_after);
    eprintln!("{}, seed {}, {jobs} at once", arguments.name, arguments.seed);
    let bar = progress_bar();
    // The template is a valid constant; if it were not, indicatif's own would be shown.
    if let Ok(style) = ProgressStyle::with_template("{prefix:>20} [{bar:30}] {pos}/{len} {elapsed}/{duration} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(arguments.name.clone());
    let mut show_progress = |done: usize, all: usize, failed: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        if failed > 0 {
            bar.set_message(format!("{failed} did not pass"));
        }
    };
    note_interrupts();
    let sweep = explore::sweep(&pool, index, &options, &mut show_progress);
    bar.finish_and_clear();
    let sweep = match sweep {
        Ok(sweep) => sweep,
        Err(_) if is_interrupted() => std::process::exit(INTERRUPTED),
        Err(error) => return Err(error.to_string()),
    };
    say(&sweep_text(&sweep));
    if is_interrupted() {
        // Runs that are still going on are not waited for.
        std::process::exit(INTERRUPTED);
    }
    if let Some(shard) = shard {
        let failing = sweep.rows.iter().flat_map(|row| &row.failing);
        let saved = failing.filter_map(|failing| failing.saved.clone());
        let cases = saved.filter_map(|saved| Some((saved.clone(), contents(&saved)?))).collect();
        let results = Results::Swept { sweep: Box::new(sweep.clone()), cases };
        shard.finish(results)?;
    }
    Ok(if sweep.is_passed() { Status::Pass } else { Status::Fail }.exit_code())
}
