//! `cargo sims merge`: finds the files of all shards, tells what is missing, and joins the results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::environment::{USAGE, WITHOUT_REPORTS};
use super::overviews;
use super::shards::{CASES, Explored, Found, Gathered, Kept, Kind, Results, Shard, default_directory, groups};
use super::terminal::say;
use crate::explore::{Coverage, Exploration, Hunt, Row, SeedRange, Status, Sweep};
use crate::report::{count, mistakes_table, sweep_text, text};

/// The most shards that are not there and are told of one by one.
const MOST_PROBLEMS: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The directory that holds the shards' files, in any subdirectories. Default: squall/shards in cargo's target
    /// directory.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Write a summary to this file as Markdown, for the page of a job.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write an overview to this file as a page for a browser. Runs and latencies are in it if the shards were run with `--html` as well.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Joins the results of shards and returns the exit code.
pub(crate) fn run(arguments: &Merge) -> Result<u8, String> {
    if (arguments.markdown.is_some() || arguments.html.is_some()) && !cfg!(feature = "report") {
        return Err(WITHOUT_REPORTS.to_owned());
    }
    let directory = arguments.directory.clone().unwrap_or_else(default_directory);
    let gathered = Gathered::below(&directory)?;
    for note in &gathered.notes {
        say(&format!("note: {note}\n"));
    }
    let status = match gathered.kind() {
        Kind::Explored => explorations(&gathered, arguments, &directory)?,
        Kind::Hunted => hunts(&gathered, arguments)?,
        Kind::Swept => sweeps(&gathered, &directory)?,
        Kind::Nothing => Status::Pass,
    };
    for problem in gathered.problems.iter().take(MOST_PROBLEMS) {
        say(&format!("INCOMPLETE: {problem}\n"));
    }
    if let Some(more) = gathered.problems.len().checked_sub(MOST_PROBLEMS).filter(|more| *more > 0) {
        say(&format!("INCOMPLETE: and {} like these\n", count(more, "more shard")));
    }
    let of = gathered.any.shard.of;
    if gathered.problems.is_empty() {
        say(&format!("merged: all {} of `cargo sims {}`\n", count(of, "shard"), gathered.any.command.join(" ")));
    } else {
        say(&format!("merged: {} of {}\n", gathered.shards.len(), count(of, "shard")));
    }
    Ok(match status {
        Status::Fail => status.exit_code(),
        _ if !gathered.problems.is_empty() => USAGE,
        _ => status.exit_code(),
    })
}

/// Joins explorations, shows them, and returns the worst status.
fn explorations(gathered: &Gathered, arguments: &Merge, directory: &Path) -> Result<Status, String> {
    let (mut merged, mut kept, mut found) = (Vec::new(), None, Vec::new());
    for item in &gathered.any.work {
        let seeds: Option<SeedRange> = item.seeds.as_deref().and_then(|seeds| seeds.parse().ok());
        let Some(seeds) = seeds else { return Err(format!("the shards do not say which seeds {} has", item.name)) };
        merged.push(Exploration::of(&item.name, seeds));
    }
    for (shard, results) in gathered.results() {
        let Results::Explored { scenarios, kept: of_shard } = results else { continue };
        kept = kept.or_else(|| of_shard.clone());
        for explored in scenarios {
            let Some(sum) = merged.iter_mut().find(|sum| sum.scenario == explored.totals.scenario) else { continue };
            add(sum, explored, shard);
            found.extend(explored.failures.iter().map(|failure| (explored.totals.scenario.as_str(), failure)));
        }
    }
    merged.iter_mut().for_each(|sum| sum.lines.sort_by_key(|line| line.seed));
    let cases = save_cases(directory, found.iter().filter_map(|(_, found)| case_of(found)))?;
    if let Some(Kept { text, .. }) = &kept {
        say(text);
    }
    say(&groups(&found, &cases));
    say(&merged.iter().map(text::remarks).collect::<String>());
    say(&text::table(&merged));
    say(&merged.iter().map(text::coverage).collect::<String>());
    if let Some(path) = &arguments.markdown {
        write_markdown(path, &merged, &found, &gathered.problems)?;
    }
    let worst = merged.iter().map(Exploration::status).max().unwrap_or(Status::Pass);
    let (text, status) = kept.map_or((String::new(), Status::Pass), |kept| (kept.text, kept.status));
    let worst = worst.max(status);
    if let Some(path) = &arguments.html {
        write_overview(path, &merged, &found, &text, worst, gathered)?;
    }
    Ok(worst)
}

fn add(sum: &mut Exploration, explored: &Explored, shard: Shard) {
    let Explored { totals, min_runs, notes, lines, latencies, .. } = explored;
    sum.lines.extend(lines.iter().cloned());
    if let Some(latencies) = latencies {
        sum.latencies.get_or_insert_default().add(latencies);
    }
    sum.runs += totals.runs;
    sum.failed += totals.failed;
    sum.unknown += totals.unknown;
    sum.elsewhere = sum.elsewhere.max(totals.status);
    sum.simulated += Duration::try_from_secs_f64(totals.simulated_seconds).unwrap_or_default();
    // The shards run beside each other, so the slowest one tells how long the whole takes.
    sum.wall = sum.wall.max(Duration::try_from_secs_f64(totals.wall_seconds).unwrap_or_default());
    sum.notes.extend(notes.iter().map(|note| format!("shard {shard}: {note}")));
    totals.generators.iter().for_each(|counts| sum.add_generator(counts));
    let coverage = Coverage { reached: totals.sometimes.clone(), checks: totals.checks.clone(), min_runs: *min_runs };
    sum.coverage.add(coverage);
}

/// Joins the hunts for mistakes, shows them, and returns whether all were caught.
fn hunts(gathered: &Gathered, arguments: &Merge) -> Result<Status, String> {
    let mut hunts: Vec<Hunt> = Vec::new();
    for (_, results) in gathered.results() {
        if let Results::Hunted { hunts: of_shard } = results {
            hunts.extend(of_shard.iter().cloned());
        }
    }
    let place = |hunt: &Hunt| gathered.any.work.iter().position(|item| item.name == hunt.mistake);
    hunts.sort_by_key(place);
    say(&mistakes_table(&hunts));
    if let Some(path) = &arguments.html {
        overviews::write_hunts(path, &hunts, &gathered.problems)?;
    }
    Ok(if hunts.iter().all(Hunt::is_caught) { Status::Pass } else { Status::Fail })
}

/// Joins the trials of a sweep, shows them, and returns whether all were survived.
fn sweeps(gathered: &Gathered, directory: &Path) -> Result<Status, String> {
    let mut whole: Option<Sweep> = None;
    for (_, results) in gathered.results() {
        let Results::Swept { sweep, cases } = results else { continue };
        let saved = save_cases(directory, cases.iter().map(|(path, case)| (path.as_path(), case.as_str())))?;
        let mut sweep = Sweep::clone(sweep);
        for failing in sweep.rows.iter_mut().flat_map(|row| &mut row.failing) {
            if let Some(path) = &mut failing.saved
                && let Some(now) = path.file_name().and_then(|name| saved.get(Path::new(name)))
            {
                path.clone_from(now);
            }
        }
        match &mut whole {
            None => whole = Some(sweep),
            Some(whole) => add_sweep(whole, sweep),
        }
    }
    let Some(whole) = whole else { return Ok(Status::Pass) };
    say(&sweep_text(&whole));
    Ok(if whole.is_passed() { Status::Pass } else { Status::Fail })
}

fn add_sweep(whole: &mut Sweep, part: Sweep) {
    whole.runs += part.runs;
    whole.resumed += part.resumed;
    whole.left += part.left;
    whole.wall = whole.wall.max(part.wall);
    for row in part.rows {
        match whole.rows.iter_mut().find(|sum| sum.name == row.name) {
            None => whole.rows.push(row),
            Some(sum) => {
                let Row { tried, effective, failing, .. } = row;
                sum.tried += tried;
                sum.effective += effective;
                sum.failing.extend(failing);
            }
        }
    }
}

fn case_of(found: &Found) -> Option<(&Path, &str)> {
    Some((found.file.as_deref()?, found.case.as_deref()?))
}

/// Writes cases that shards have found, so that they can be replayed here; returns where each is, by its name.
fn save_cases<'a>(
    directory: &Path,
    cases: impl Iterator<Item = (&'a Path, &'a str)>,
) -> Result<BTreeMap<PathBuf, PathBuf>, String> {
    let mut saved = BTreeMap::new();
    for (path, case) in cases {
        // Only the name counts: a file that came from elsewhere must not say where to write.
        let Some(name) = path.file_name() else { continue };
        let to = directory.join(CASES).join(name);
        let error = |error: std::io::Error| format!("{}: {error}", to.display());
        fs::create_dir_all(directory.join(CASES)).map_err(error)?;
        fs::write(&to, case).map_err(error)?;
        saved.insert(PathBuf::from(name), to);
    }
    Ok(saved)
}

/// Writes the summary of all shards as Markdown.
#[cfg(feature = "report")]
fn write_markdown(
    path: &Path,
    merged: &[Exploration],
    found: &[(&str, &Found)],
    problems: &[String],
) -> Result<(), String> {
    use std::fmt::Write as _;

    use crate::report::job::{JobResult, markdown};

    let replay = |_: &crate::explore::Failure| String::new();
    let results: Vec<_> = merged.iter().map(|exploration| JobResult { exploration, replay: &replay }).collect();
    let mut text = markdown(&results);
    let failures = groups(found, &BTreeMap::new());
    if !failures.is_empty() {
        let _ = write!(text, "\n````text\n{failures}````\n");
    }
    for problem in problems {
        let _ = write!(text, "\n**INCOMPLETE**: `{}`\n", problem.replace('`', "'"));
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes the overview of all shards.
#[cfg(feature = "report")]
fn write_overview(
    path: &Path,
    merged: &[Exploration],
    found: &[(&str, &Found)],
    kept: &str,
    status: Status,
    gathered: &Gathered,
) -> Result<(), String> {
    use super::overviews::replay_of_seeds;
    use super::shards::drawing_flags;
    use crate::report::{ExploredScenario, Overview, overview};

    let flags = drawing_flags(&gathered.any.command);
    let scenarios = merged.iter().map(|exploration| {
        let own: Vec<(&str, &Found)> =
            found.iter().filter(|(name, _)| *name == exploration.scenario).copied().collect();
        ExploredScenario {
            exploration,
            replay: replay_of_seeds(&exploration.scenario, &flags),
            text: match exploration.status() {
                Status::Pass => String::new(),
                _ => groups(&own, &BTreeMap::new()) + &text::remarks(exploration),
            },
        }
    });
    let status = overviews::word(status, &gathered.problems);
    let scenarios = scenarios.collect();
    let page = overview(&Overview { scenarios, hunts: &[], status, kept, problems: &gathered.problems });
    std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))
}

/// Without reports, `run` has refused the flag.
#[cfg(not(feature = "report"))]
fn write_overview(
    _: &Path,
    _: &[Exploration],
    _: &[(&str, &Found)],
    _: &str,
    _: Status,
    _: &Gathered,
) -> Result<(), String> {
    Ok(())
}

/// Without reports, `run` has refused the flag.
#[cfg(not(feature = "report"))]
fn write_markdown(_: &Path, _: &[Exploration], _: &[(&str, &Found)], _: &[String]) -> Result<(), String> {
    Ok(())
}
