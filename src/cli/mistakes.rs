//! `cargo sims mistakes`: looks for the runs that catch each planted mistake.

use std::sync::Arc;

use indicatif::ProgressStyle;
use libtest_mimic::{Failed, Trial};

use super::arguments::Mistakes;
use super::environment::processors;
use super::overviews;
use super::shards::{Item, Results};
use super::table::Table;
use super::terminal::{progress_bar, say};
use crate::explore::{self, Bounds, Hunt, HuntOptions, Planted, Pool, Status};
use crate::report::{complaint, count, mistakes_table};
use crate::sandbox::{EntryPoint, INTERRUPTED, is_interrupted, note_interrupts};
use crate::scenario::nearest;

/// The largest number of runs in which a test must catch its mistake.
const RUNS_IN_TESTS: u64 = 64;

/// Looks for mistakes and returns the exit code.
pub(super) fn run(table: &Table, arguments: &Mistakes, words: &[String]) -> Result<u8, String> {
    if table.mistakes.is_empty() {
        return Err("the table has no mistakes: hand some to `squall::main_with_mistakes`".to_owned());
    }
    let chosen: Vec<&Planted> = match arguments.names.as_slice() {
        [] => table.mistakes.iter().collect(),
        names => names.iter().map(|name| find(&table.mistakes, name)).collect::<Result<_, _>>()?,
    };
    if let Some(path) = &arguments.html {
        overviews::begin(path)?;
    }
    let work = chosen.iter().map(|planted| Item { name: planted.mistake.name().to_owned(), seeds: None }).collect();
    let shard = arguments.shards.begin(words, work)?;
    let is_own = |place: usize| shard.as_ref().is_none_or(|shard| shard.shard().takes(place));
    let own = chosen.into_iter().enumerate().filter(|(place, _)| is_own(*place));
    let chosen: Vec<&Planted> = own.map(|(_, planted)| planted).collect();
    let shrink = Bounds { within: arguments.shrink_for, runs: arguments.shrink_runs };
    let options = HuntOptions { most_runs: arguments.seeds, starts: arguments.starts, shrink };
    let jobs = arguments.workers.jobs.unwrap_or_else(processors);
    let pool = Pool::new(table.all.clone(), jobs, EntryPoint::Main, arguments.workers.hang_after);
    eprintln!(
        "{}, {} of at most {}, {jobs} at once",
        count(chosen.len(), "mistake"),
        count(options.starts, "start"),
        count(options.most_runs, "run")
    );
    let (mut hunts, total) = (Vec::new(), chosen.len());
    note_interrupts();
    for planted in chosen {
        let bar = progress_bar();
        bar.set_length(options.starts);
        // The template is a valid constant; if it were not, indicatif's own would be shown.
        if let Ok(style) = ProgressStyle::with_template("{prefix:>32} [{bar:20}] {pos}/{len} {elapsed} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(planted.mistake.name().to_owned());
        let mut show_progress = |ended: u64, runs: u64| {
            bar.set_position(ended);
            bar.set_message(format!("{runs} runs"));
        };
        match explore::hunt(&pool, planted, &options, &mut show_progress) {
            Ok(hunt) => hunts.push(hunt),
            Err(_) if is_interrupted() => break,
            Err(error) => return Err(error.to_string()),
        }
        // Where nobody watches a bar, a log still shows that it goes on.
        if bar.is_hidden()
            && let Some(hunt) = hunts.last()
        {
            let end = if hunt.is_caught() { "caught" } else { "NOT caught as it should be" };
            eprintln!("{} of {total}: {} is {end}", hunts.len(), planted.mistake.name());
        }
        bar.finish_and_clear();
    }
    say(&mistakes_table(&hunts));
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&hunts).map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let problems: Vec<String> = is_interrupted()
        .then(|| format!("interrupted: {} of {total} were looked for", hunts.len()))
        .into_iter()
        .collect();
    if let Some(path) = &arguments.html {
        overviews::write_hunts(path, &hunts, &problems)?;
    }
    if let Some(problem) = problems.first() {
        say(&format!("{problem}\n"));
        // Runs that are still going on are not waited for.
        std::process::exit(INTERRUPTED);
    }
    if let Some(shard) = shard {
        shard.finish(Results::Hunted { hunts: hunts.clone() })?;
    }
    let is_passed = hunts.iter().all(Hunt::is_caught);
    Ok(if is_passed { Status::Pass } else { Status::Fail }.exit_code())
}

fn find<'a>(mistakes: &'a [Planted], name: &str) -> Result<&'a Planted, String> {
    let found = mistakes.iter().find(|planted| planted.mistake.name() == name);
    found.ok_or_else(|| match nearest(name, mistakes.iter().map(|planted| planted.mistake.name())) {
        None => format!("no mistake is named `{name}` (`cargo sims list` shows all)"),
        Some(near) => format!("no mistake is named `{name}`; did you mean {near}?"),
    })
}

/// A test for each mistake: it must be caught within a bounded number of runs.
pub(super) fn trials(pool: &Arc<Pool>, mistakes: &Arc<[Planted]>) -> Vec<Trial> {
    let trial = |index: usize| {
        let (pool, mistakes) = (pool.clone(), mistakes.clone());
        Trial::test(format!("mistakes::{}", mistakes[index].mistake.name()), move || {
            let shrink = Bounds { within: std::time::Duration::ZERO, runs: 0 };
            let options = HuntOptions { most_runs: RUNS_IN_TESTS, starts: 1, shrink };
            let hunt = explore::hunt(&pool, &mistakes[index], &options, &mut |_, _| {});
            let hunt = hunt.map_err(|error| error.to_string())?;
            if hunt.is_caught() { Ok(()) } else { Err(Failed::from(complaint(&hunt))) }
        })
    };
    (0..mistakes.len()).map(trial).collect()
}
