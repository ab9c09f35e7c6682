//! Starts a table of scenarios in one of two ways: as tests, by libtest's protocol for `cargo test` and nextest, or as
//! a command line. Runs themselves are made and judged in `explore`.

mod arguments;
mod check_history;
mod commands;
mod completions;
mod diff;
mod environment;
mod flags;
mod job_output;
mod keep;
mod merge;
mod mistakes;
mod overviews;
mod pages;
mod plain_test;
mod regressions;
mod replay;
mod report;
mod shards;
mod shrink;
mod sweep;
mod table;
mod terminal;
mod watch;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use self::environment::{USAGE, jobs_from_environment, seeds_from_environment};
use self::table::Table;
use self::terminal::{describe, replay_line};
use crate::explore::{self, ExploreOptions, Pool, SeedRange, Status, Verify, handler};
use crate::report::text;
use crate::sandbox::{self, EntryPoint};
use crate::scenario::{Engine, Mistake, Scenario};

/// The number of seeds that a test explores unless `SQUALL_SEEDS` is set.
const SEEDS_IN_TESTS: u64 = 16;

/// The whole `main` of a table of scenarios.
///
/// If the first argument is `cli`, it is a command line (`cli --help` lists the commands). Otherwise it speaks
/// libtest's protocol, with one test for each scenario and one for each case in the project's `sims/regressions/`.
///
/// Exit codes of the command line: 0 if all promises were kept, 1 if one was broken, 2 for wrong usage or a failure of
/// the harness, 3 if the verdict of a run is unknown or a run is not deterministic.
pub fn main(scenarios: impl IntoIterator<Item = fn() -> Scenario>) -> ExitCode {
    main_with_mistakes(scenarios, [])
}

/// The same for a table of scenarios and a table of mistakes that their checks must catch: `cargo sims mistakes` looks for
/// the runs that catch each of them, and so does a test `mistakes::NAME`.
pub fn main_with_mistakes(
    scenarios: impl IntoIterator<Item = fn() -> Scenario>,
    mistakes: impl IntoIterator<Item = fn() -> Mistake>,
) -> ExitCode {
    // The panic itself has been printed. The exit code must not look like a broken promise.
    let scenarios = scenarios.into_iter().map(|scenario| std::panic::catch_unwind(scenario)).collect::<Result<_, _>>();
    let mistakes = mistakes.into_iter().map(|mistake| std::panic::catch_unwind(mistake)).collect::<Result<_, _>>();
    let (Ok(scenarios), Ok(mistakes)) = (scenarios, mistakes) else {
        eprintln!("squall: a function of the table panicked while it built its scenario: fix the panic printed above");
        return ExitCode::from(USAGE);
    };
    let table = Table::new(scenarios, mistakes);
    let serve = handler(table.all.clone());
    sandbox::serve_if_zygote(move |job| serve(job));
    if let Some(problem) = table.problem() {
        eprintln!("squall: {problem}");
        return ExitCode::from(USAGE);
    }
    if let Err(error) = Engine::of_environment() {
        eprintln!("squall: {error}");
        return ExitCode::from(USAGE);
    }
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("cli") {
        return ExitCode::from(commands::run(&table, &arguments[2..]));
    }
    run_as_tests(&table)
}

fn run_as_tests(table: &Table) -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let seeds = match seeds_from_environment(SEEDS_IN_TESTS) {
        Ok(seeds) => seeds,
        Err(error) => {
            eprintln!("squall: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let kept = match regressions::kept(&table.all) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("squall: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let jobs = match arguments.test_threads.and_then(NonZeroUsize::new).map_or_else(jobs_from_environment, Ok) {
        Ok(jobs) => jobs,
        Err(error) => {
            eprintln!("squall: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let pool = Arc::new(Pool::new(table.all.clone(), jobs, EntryPoint::Main, None));
    let trial = |(index, scenario): (usize, &Scenario)| {
        let pool = pool.clone();
        Trial::test(scenario.name(), move || test(&pool, index, seeds))
    };
    // Cases that failed once come first.
    let mut trials = regressions::trials(&pool, kept);
    trials.extend(table.scenarios().iter().enumerate().map(trial));
    trials.extend(mistakes::trials(&pool, &table.mistakes));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn test(pool: &Pool, index: usize, seeds: SeedRange) -> Result<(), Failed> {
    println!("{}: seeds {seeds}", pool.scenarios()[index].name());
    let options = ExploreOptions { verify: Verify::First, ..ExploreOptions::new(seeds) };
    let exploration = explore::explore(pool, index, &options, &mut ()).map_err(|error| error.to_string())?;
    match exploration.status() {
        Status::Pass => {
            print!("{}", text::remarks(&exploration));
            Ok(())
        }
        _ => Err(describe(&exploration, &pool.scenarios()[index], &|failure| replay_line(failure, "")).into()),
    }
}
