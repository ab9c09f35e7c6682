//! Dispatches the commands of the command line, and carries out `list` and `explore`.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::{Arguments, Command, Explore};
use super::environment::{USAGE, processors, seeds_from_environment};
use super::regressions::{self, Rechecked};
use super::shards::{Explored, Item, Kept, Results, ShardOutput};
use super::table::Table;
use super::terminal::{describe, is_watched, progress_bar, replay_line, say};
use crate::case_file;
use crate::explore::{
    self, Exploration, ExploreOptions, Failure, Observer, Pool, SeedRange, Size, Status, Totals, Verify,
};
use crate::fault::{duration_text, glob_matches};
use crate::report::{catalog, count, text};
use crate::run::Outcome;
use crate::sandbox::{EntryPoint, INTERRUPTED, is_interrupted, note_interrupts};
use crate::scenario::Mistake;

/// The number of seeds to explore if neither the command line nor the environment sets one.
const SEEDS: u64 = 64;

/// Carries out a command and returns the exit code.
pub(super) fn run(table: &Table, words: &[String]) -> u8 {
    let arguments = match Arguments::try_parse_from(["cargo sims"].into_iter().chain(words.iter().map(String::as_str)))
    {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return refuse(&in_one_line(&error)),
        Err(help) => {
            say(&help.to_string());
            return 0;
        }
    };
    let scenarios = table.all.clone();
    let result = match arguments.command {
        Some(Command::List) => list(table),
        Some(Command::Faults) => {
            say(&catalog());
            Ok(0)
        }
        Some(Command::Explore(explore)) => explore_all(table, &explore, words),
        Some(Command::Replay(replay)) => super::replay::run(scenarios, &replay),
        Some(Command::Shrink(shrink)) => super::shrink::run(scenarios, &shrink),
        Some(Command::Sweep(sweep)) => super::sweep::run(scenarios, &sweep, words),
        Some(Command::Mistakes(mistakes)) => super::mistakes::run(table, &mistakes, words),
        Some(Command::Merge(merge)) => super::merge::run(&merge),
        Some(Command::Report(report)) => super::report::run(scenarios, &report),
        Some(Command::Watch(watch)) => super::watch::run(scenarios, &watch),
        Some(Command::Diff(diff)) => super::diff::run(scenarios, &diff),
        Some(Command::Keep(keep)) => super::keep::keep(&scenarios, &keep),
        Some(Command::Rust { file }) => super::keep::print_rust(&scenarios, &file),
        Some(Command::Check(check)) => super::check_history::run(&check),
        Some(Command::Completions { shell }) => Ok(super::completions::print(table, shell)),
        None => explore_all(table, &arguments.explore, words),
    };
    result.unwrap_or_else(|error| refuse(&error))
}

fn refuse(error: &str) -> u8 {
    eprintln!("cargo sims: {error}");
    USAGE
}

/// Clap's message without the usage: what is wrong, what is missing, and which values there are.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")).collect();
    let line = lines.join(" ");
    format!("{} (`--help` shows the usage)", line.strip_prefix("error: ").unwrap_or(&line))
}

/// The scenarios with these names, or whose names match these patterns, each once.
fn chosen(table: &Table, names: &[String]) -> Result<Vec<usize>, String> {
    let mut chosen = Vec::new();
    for name in names {
        let found = match name.contains('*') {
            false => vec![case_file::find(&table.all, name)?],
            true => {
                let scenarios = table.scenarios().iter().enumerate();
                scenarios.filter(|(_, one)| glob_matches(name, one.name())).map(|(index, _)| index).collect()
            }
        };
        if found.is_empty() {
            return Err(format!("no scenario matches `{name}` (`cargo sims list` shows all)"));
        }
        chosen.extend(found);
    }
    let mut known = BTreeSet::new();
    chosen.retain(|index| known.insert(*index));
    Ok(chosen)
}

fn list(table: &Table) -> Result<u8, String> {
    let scenarios = table.scenarios();
    for scenario in scenarios {
        say(&format!("{} ({} simulated)\n", scenario.name(), duration_text(scenario.duration())));
        for generator in scenario.generator_names() {
            say(&format!("    fault  {generator}\n"));
        }
        for check in scenario.check_names() {
            say(&format!("    check  {check}\n"));
        }
        for situation in scenario.situation_names() {
            say(&format!("    sometimes  {situation}\n"));
        }
    }
    for planted in &*table.mistakes {
        let Mistake { name, right, breaks, .. } = &planted.mistake;
        say(&format!("mistake {name} (breaks {} in {})\n", breaks.join(", "), right.name()));
    }
    let wrong: Vec<String> =
        scenarios.iter().filter_map(|scenario| scenario.validate().err()).map(|error| error.to_string()).collect();
    if wrong.is_empty() { Ok(0) } else { Err(wrong.join("\n")) }
}

fn explore_all(table: &Table, arguments: &Explore, words: &[String]) -> Result<u8, String> {
    let scenarios = table.all.clone();
    let seeds = match (arguments.seeds, arguments.duration) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => SeedRange::endless(),
        (None, None) => seeds_from_environment(SEEDS)?,
    };
    let chosen: Vec<usize> = match arguments.names.as_slice() {
        [] => (0..table.scenarios().len()).collect(),
        names => chosen(table, names)?,
    };
    let swarm = arguments.drawing.swarm(&chosen.iter().map(|index| &scenarios[*index]).collect::<Vec<_>>())?;
    let options = options(arguments, seeds);
    arguments.job.begin()?;
    let shard = begin_shard(arguments, words, chosen.iter().map(|index| scenarios[*index].name()), seeds)?;
    let mut watcher = Watcher {
        bar: progress_bar(),
        fingerprints: arguments.fingerprints.as_deref().map(Output::create).transpose()?,
        json: arguments.json.as_deref().map(Output::create).transpose()?,
        outcomes: Vec::new(),
        failed: 0,
    };
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    eprintln!("seeds {seeds}, {jobs} at once");
    let pool = Pool::new(scenarios, jobs, EntryPoint::Main, arguments.workers.hang_after);
    let pool = pool.drawing(swarm).on(arguments.drawing.engine);
    let kept = match &shard {
        // The kept cases are run once.
        Some(shard) if !shard.shard().is_first() => Rechecked::default(),
        _ => regressions::run(&pool, &chosen, arguments.names.is_empty())?,
    };
    let replay = |failure: &Failure| replay_line(failure, &arguments.drawing.flags());
    tell(arguments, &kept.text);
    let mut explorations = Vec::new();
    note_interrupts();
    for index in &chosen {
        let Some(options) = of_shard(&options, shard.as_ref()) else { break };
        let mut exploration =
            explore::explore(&pool, *index, &options, &mut watcher).map_err(|error| error.to_string())?;
        exploration.is_part = shard.is_some();
        watcher.bar.finish_and_clear();
        if !is_watched() {
            eprint!("{}", text::finished(&exploration));
        }
        if arguments.job.is_json() {
            say(&arguments.job.finished(&exploration, &pool.scenarios()[*index], &replay));
        }
        explorations.push(exploration);
        if is_interrupted() {
            break;
        }
    }
    if !arguments.job.is_json() {
        for (index, exploration) in chosen.iter().zip(&explorations) {
            say(&describe(exploration, &pool.scenarios()[*index], &replay));
        }
    }
    tell(arguments, &text::table(&explorations));
    tell(arguments, &explorations.iter().map(text::coverage).collect::<String>());
    watcher.finish(&explorations)?;
    let worst = explorations.iter().map(Exploration::status).max().unwrap_or(Status::Pass).max(kept.status());
    arguments.job.finish(&explorations, &replay, &kept, worst, &arguments.drawing.flags())?;
    if arguments.job.is_json() {
        say(&arguments.job.summary(&explorations, worst));
    }
    if is_interrupted() {
        // Runs that are still going on are not waited for.
        std::process::exit(INTERRUPTED);
    }
    if let Some(shard) = shard {
        let scenarios = explorations.iter().map(Explored::of).collect();
        let kept = shard.shard().is_first().then(|| Kept { status: kept.status(), text: kept.text });
        let (name, path) = (shard.shard(), shard.finish(Results::Explored { scenarios, kept })?);
        eprintln!("shard {name}: {}; `cargo sims merge` joins it with the others", path.display());
    }
    Ok(worst.exit_code())
}

/// Announces the shard that is to be carried out, if the work is split.
fn begin_shard<'a>(
    arguments: &Explore,
    words: &[String],
    names: impl Iterator<Item = &'a str>,
    seeds: SeedRange,
) -> Result<Option<ShardOutput>, String> {
    if arguments.shards.shard.is_some() && arguments.duration.is_some() {
        return Err("a shard is a part of the seeds: give `--seeds` in place of `--for`".to_owned());
    }
    let item = |name: &str| Item { name: name.to_owned(), seeds: Some(seeds.to_string()) };
    arguments.shards.begin(words, names.map(item).collect())
}

/// The options for the seeds of a shard; `None` if it has none.
fn of_shard(options: &ExploreOptions, shard: Option<&ShardOutput>) -> Option<ExploreOptions> {
    let Some(shard) = shard else { return Some(options.clone()) };
    let seeds = shard.shard().part_of(options.seeds)?;
    // The shard that has the first seeds makes the runs without faults, as a whole would make them once.
    let controls = if seeds.first() == options.seeds.first() { options.controls } else { 0 };
    Some(ExploreOptions { seeds, controls, ..options.clone() })
}

fn options(arguments: &Explore, seeds: SeedRange) -> ExploreOptions {
    ExploreOptions {
        within: arguments.duration,
        keep_going: arguments.keep_going,
        verify: if arguments.verify { Verify::All } else { Verify::First },
        shrink_for: arguments.shrink_for,
        shrink_runs: arguments.shrink_runs,
        explain_for: arguments.explain_for,
        has_overview: arguments.job.has_overview(),
        ..ExploreOptions::new(seeds)
    }
}

/// Tells people something: on standard error if tools read what is printed.
fn tell(arguments: &Explore, text: &str) {
    if arguments.job.is_json() { eprint!("{text}") } else { say(text) }
}

/// A file that is written during an exploration.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn create(path: &Path) -> Result<Output, String> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Output { path: path.to_owned(), file: BufWriter::new(file) })
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), String> {
        write(&mut self.file)
            .and_then(|()| self.file.flush())
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// Shows progress, and collects what is written to files.
struct Watcher {
    bar: ProgressBar,
    fingerprints: Option<Output>,
    json: Option<Output>,
    outcomes: Vec<Outcome>,
    failed: u64,
}

impl Observer for Watcher {
    fn begins(&mut self, scenario: &str, options: &ExploreOptions) {
        self.bar = progress_bar();
        self.failed = 0;
        let template = match options.within {
            None => {
                self.bar.set_length(options.seeds.count());
                "{prefix:>20} [{bar:30}] {pos}/{len} {elapsed}/{duration} {msg}"
            }
            Some(_) => "{prefix:>20} {spinner} {pos} runs in {elapsed} {msg}",
        };
        // The template is a valid constant; if it were not, indicatif's own would be shown.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_prefix(scenario.to_owned());
    }

    fn judged(&mut self, outcome: &Outcome, _cpu: Duration) {
        self.bar.inc(1);
        if !outcome.verdict.is_pass() {
            self.failed += 1;
            self.bar.set_message(format!("{} did not pass", self.failed));
        }
        if let Some(output) = &mut self.fingerprints {
            let Outcome { scenario, seed, fingerprint, verdict, .. } = outcome;
            // A full disk is reported at the end, when the file is flushed.
            let _ = writeln!(output.file, "{scenario} {seed} {fingerprint} {}", verdict.word());
        }
        if self.json.is_some() {
            self.outcomes.push(outcome.clone());
        }
    }

    fn shrinking(&mut self, runs: u64, size: Size) {
        let Size { faults, operations } = size;
        let left = |number: usize, thing: &str| count(number as u64, thing);
        let (runs, faults, operations) = (count(runs, "run"), left(faults, "fault"), left(operations, "operation"));
        self.bar.set_message(format!("shrinking a failure, {runs}: {faults} and {operations} left"));
        self.bar.tick();
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    totals: Totals,
    outcomes: Vec<&'a Outcome>,
}

impl Watcher {
    fn finish(mut self, explorations: &[Exploration]) -> Result<(), String> {
        if let Some(output) = &mut self.fingerprints {
            output.write(|_| Ok(()))?;
        }
        let outcomes = &self.outcomes;
        let summary = |exploration: &'_ Exploration| {
            serde_json::to_value(Summary {
                totals: Totals::of(exploration),
                outcomes: outcomes.iter().filter(|outcome| outcome.scenario == exploration.scenario).collect(),
            })
        };
        if let Some(output) = &mut self.json {
            let summaries: Vec<_> =
                explorations.iter().map(summary).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
            output.write(|file| serde_json::to_writer_pretty(file, &summaries).map_err(Into::into))?;
        }
        Ok(())
    }
}
