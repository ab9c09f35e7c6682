//! `cargo sims watch`: shows an exploration while it goes on, and stops at the first failure.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use console::Term;

use super::environment::processors;
use super::flags::{Drawing, Workers};
use super::terminal::{describe, is_watched, replay_line, say};
use crate::case_file;
use crate::explore::{self, Exploration, ExploreOptions, Failure, Observer, Pool, SeedRange, Size, Verify};
use crate::fault::duration_text;
use crate::report::{count, text};
use crate::run::Outcome;
use crate::sandbox::{EntryPoint, INTERRUPTED, is_interrupted, note_interrupts};
use crate::scenario::Scenario;
use crate::seed::Seed;

/// How often the view is drawn, and how often a line is written where there is no terminal.
const REDRAW: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How many of the slowest runs are shown.
const SLOWEST: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The scenario.
    #[arg(value_name = "NAME")]
    name: String,
    /// The seeds: `0..1000`, `0x10..0x20` or a single one. Default: all from 0 on, until a run fails or you press Ctrl-C.
    #[arg(long, value_name = "RANGE")]
    seeds: Option<SeedRange>,
    #[command(flatten)]
    drawing: Drawing,
    #[command(flatten)]
    workers: Workers,
}

/// Explores a scenario in full view and returns the exit code.
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Watch) -> Result<u8, String> {
    let index = case_file::find(&scenarios, &arguments.name)?;
    let swarm = arguments.drawing.swarm(&[&scenarios[index]])?;
    let seeds = arguments.seeds.unwrap_or_else(SeedRange::endless);
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    let pool = Pool::new(scenarios, jobs, EntryPoint::Main, arguments.workers.hang_after)
        .drawing(swarm)
        .on(arguments.drawing.engine);
    let options = ExploreOptions { verify: Verify::First, ..ExploreOptions::new(seeds) };
    let mut view = View::new(Exploration::before(&pool.scenarios()[index], seeds));
    note_interrupts();
    let exploration = explore::explore(&pool, index, &options, &mut view).map_err(|error| error.to_string())?;
    view.clear();
    let replay = |failure: &Failure| replay_line(failure, &arguments.drawing.flags());
    say(&describe(&exploration, &pool.scenarios()[index], &replay));
    say(&text::table(std::slice::from_ref(&exploration)));
    say(&text::coverage(&exploration));
    if is_interrupted() {
        // Runs that are still going on are not waited for.
        std::process::exit(INTERRUPTED);
    }
    Ok(exploration.status().exit_code())
}

/// What is shown, and where.
struct View {
    /// The terminal; `None` if nobody watches one.
    terminal: Option<Term>,
    /// What has been judged up to now.
    sum: Exploration,
    began: Instant,
    drawn: Option<Instant>,
    lines: usize,
    /// The runs that took the most CPU time, the slowest first.
    slowest: Vec<(Duration, Seed)>,
}

impl View {
    fn new(sum: Exploration) -> View {
        let terminal = is_watched().then(Term::stderr);
        View { terminal, sum, began: Instant::now(), drawn: None, lines: 0, slowest: Vec::new() }
    }

    fn draw(&mut self, last_line: Option<&str>) {
        let every = if self.terminal.is_some() { REDRAW } else { LINE_EVERY };
        let since = self.drawn.unwrap_or(self.began);
        if since.elapsed() < every {
            return;
        }
        self.drawn = Some(Instant::now());
        let elapsed = self.began.elapsed();
        let Some(terminal) = &self.terminal else {
            eprint!("{}", last_line.map_or_else(|| headline(&self.sum, elapsed), |line| format!("{line}\n")));
            return;
        };
        let (_, columns) = terminal.size();
        let mut shown = overview(&self.sum, elapsed, &self.slowest);
        shown.extend(last_line.map(str::to_owned));
        let shown: Vec<String> = shown.iter().map(|line| line.chars().take(usize::from(columns)).collect()).collect();
        // A terminal that is gone is no reason to stop.
        let _ = terminal.clear_last_lines(self.lines);
        let _ = terminal.write_str(&(shown.join("\n") + "\n"));
        self.lines = shown.len();
    }

    /// Removes what was drawn.
    fn clear(&mut self) {
        if let Some(terminal) = &self.terminal {
            let _ = terminal.clear_last_lines(self.lines);
        }
        self.lines = 0;
    }
}

impl Observer for View {
    fn judged(&mut self, outcome: &Outcome, cpu: Duration) {
        self.sum.add(outcome);
        let place = self.slowest.partition_point(|(slower, _)| *slower >= cpu);
        self.slowest.insert(place, (cpu, outcome.seed));
        self.slowest.truncate(SLOWEST);
        self.draw(None);
    }

    fn shrinking(&mut self, runs: u64, size: Size) {
        let (faults, operations) = (count(size.faults, "fault"), count(size.operations, "operation"));
        self.draw(Some(&format!("shrinking the failure, {}: {faults} and {operations} left", count(runs, "run"))));
    }
}

/// How far an exploration is, in one line.
fn headline(sum: &Exploration, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let (rate, ratio) = (sum.runs as f64 / seconds, sum.simulated.as_secs_f64() / seconds);
    let (runs, elapsed) = (count(sum.runs, "run"), duration_text(Duration::from_secs(elapsed.as_secs())));
    format!("{}: {runs} in {elapsed} ({rate:.1} a second, {ratio:.0}x), {} failed\n", sum.scenario, sum.failed)
}

/// All that is known up to now.
fn overview(sum: &Exploration, elapsed: Duration, slowest: &[(Duration, Seed)]) -> Vec<String> {
    let mut text = headline(sum, elapsed);
    let passed = sum.runs.saturating_sub(sum.failed + sum.unknown);
    let _ = writeln!(text, "  verdicts   {passed} pass, {} fail, {} unknown", sum.failed, sum.unknown);
    let widest = sum.generators.iter().map(|counts| counts.generator.chars().count()).max().unwrap_or(0);
    for (place, counts) in sum.generators.iter().enumerate() {
        let label = if place == 0 { "faults" } else { "" };
        let effect = match counts.planned {
            0 => "none planned yet".to_owned(),
            planned => format!("{} of {planned} effective", counts.effective),
        };
        let _ = writeln!(text, "  {label:<9}  {:<widest$}  {effect}", counts.generator);
    }
    for (place, reached) in sum.coverage.reached.iter().enumerate() {
        let label = if place == 0 { "sometimes" } else { "" };
        let runs =
            if reached.runs == 0 { "not yet reached".to_owned() } else { format!("in {}", count(reached.runs, "run")) };
        let _ = writeln!(text, "  {label:<9}  {runs}: {}", reached.situation);
    }
    for (place, check) in sum.coverage.unexercised().enumerate() {
        let label = if place == 0 { "idle" } else { "" };
        let _ = writeln!(text, "  {label:<9}  nothing to judge yet: {check}");
    }
    let slowest: Vec<String> = slowest.iter().map(|(cpu, seed)| format!("{seed} {:.2}s", cpu.as_secs_f64())).collect();
    if !slowest.is_empty() {
        let _ = writeln!(text, "  slowest    {} of CPU time", slowest.join(", "));
    }
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::GeneratorCounts;

    #[test]
    fn the_overview_has_what_is_known() {
        let scenario = Scenario::new("s").sometimes("it retries", |_, _| true).sometimes("it stops", |_, _| true);
        let mut sum = Exploration::before(&scenario, SeedRange::endless());
        (sum.runs, sum.failed, sum.simulated) = (120, 1, Duration::from_secs(6_600));
        let counts = |generator: &str, planned, effective| GeneratorCounts {
            generator: generator.to_owned(),
            planned,
            effective,
        };
        sum.generators = vec![counts("kill a", 10, 9), counts("loss", 0, 0)];
        sum.coverage.reached[0].runs = 7;
        let slowest = [(Duration::from_millis(410), Seed(0x1a)), (Duration::from_millis(300), Seed(2))];
        let expected = [
            "s: 120 runs in 10s (12.0 a second, 660x), 1 failed",
            "  verdicts   119 pass, 1 fail, 0 unknown",
            "  faults     kill a  9 of 10 effective",
            "             loss    none planned yet",
            "  sometimes  in 7 runs: it retries",
            "             not yet reached: it stops",
            "  slowest    0x1a 0.41s, 0x2 0.30s of CPU time",
        ];
        assert_eq!(overview(&sum, Duration::from_secs(10), &slowest), expected);
    }

    #[test]
    fn the_slowest_runs_are_kept_in_order() {
        let scenario =
            Scenario::new("s").host("a", |_| async {}).run_for(Duration::from_millis(10)).settle_for(Duration::ZERO);
        let outcome = crate::run::run(&scenario, &scenario.case(Seed(0)), crate::run::Detail::Lean).outcome;
        let mut view = View { terminal: None, ..View::new(Exploration::before(&scenario, SeedRange::endless())) };
        for (seed, millis) in [(1, 5), (2, 9), (3, 1), (4, 7), (5, 9)] {
            view.judged(&Outcome { seed: Seed(seed), ..outcome.clone() }, Duration::from_millis(millis));
        }
        let seeds: Vec<u64> = view.slowest.iter().map(|(_, seed)| seed.0).collect();
        assert_eq!((seeds, view.sum.runs), (vec![2, 5, 4], 5));
    }
}
