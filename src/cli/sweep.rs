//! `cargo sims sweep`: each single fault at each point of a run.

use std::sync::Arc;

use indicatif::ProgressStyle;

use super::arguments::{Sweep, SweepKind};
use super::commands::{progress_bar, say};
use super::processors;
use crate::case_file;
use crate::explore::{self, Blow, Pool, Standing, SweepOptions};
use crate::report::sweep_text;
use crate::sandbox::Entry;
use crate::scenario::Scenario;

/// Returns the exit code.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Sweep) -> Result<u8, String> {
    let index = case_file::find(&scenarios, &arguments.name)?;
    let blow = |kind: &SweepKind| match kind {
        SweepKind::Kill => Blow::Kill,
        SweepKind::PowerOff => Blow::PowerOff,
        SweepKind::Cut => Blow::Cut,
        SweepKind::Loss => Blow::Loss,
    };
    let mut blows: Vec<Blow> = arguments.kinds.iter().map(blow).collect();
    blows.sort_unstable();
    blows.dedup();
    let options = SweepOptions {
        blows: if blows.is_empty() { Blow::ALL.to_vec() } else { blows },
        operations: arguments.operations.0,
        hosts: arguments.hosts.clone(),
        down_for: arguments.down_for,
        pairs: arguments.pairs,
        afresh: arguments.afresh,
        ..SweepOptions::new(arguments.seed)
    };
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    let pool = Pool::new(scenarios, jobs, Entry::Main, arguments.workers.hang_after);
    eprintln!("{}, seed {}, {jobs} at once", arguments.name, arguments.seed);
    let bar = progress_bar();
    // The template is a constant that is known to be right; without it, indicatif's own is shown.
    if let Ok(style) = ProgressStyle::with_template("{prefix:>20} [{bar:30}] {pos}/{len} {elapsed}/{duration} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(arguments.name.clone());
    let mut told = |done: usize, all: usize, failed: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        if failed > 0 {
            bar.set_message(format!("{failed} not survived"));
        }
    };
    let sweep = explore::sweep(&pool, index, &options, &mut told).map_err(|error| error.to_string())?;
    bar.finish_and_clear();
    say(&sweep_text(&sweep));
    Ok(if sweep.is_passed() { Standing::Pass } else { Standing::Fail }.exit_code())
}
