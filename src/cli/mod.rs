//! The two ways to start a table of scenarios: libtest's protocol for `cargo test` and nextest, and the command line. It
//! knows nothing of how runs are made or judged.

mod arguments;
mod check_history;
mod commands;
mod keep;
mod plain_test;
mod regressions;
mod replay;
mod shrink;
mod sweep;

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::explore::job::handler;
use crate::explore::{self, Exploration, ExploreOptions, Failure, Pool, SeedRange, Status, Verify};
use crate::report::{ScreenStyle, annotation, annotations, failure_line, screen, text};
use crate::sandbox::{self, EntryPoint};
use crate::scenario::Scenario;

/// How many seeds a test explores unless `SQUALL_SEEDS` says otherwise.
const SEEDS_IN_TESTS: u64 = 16;

/// The exit code for wrong usage and for failures of the harness itself.
const USAGE: u8 = 2;

/// The whole `main` of a table of scenarios.
///
/// Started with the word `cli` first, it is a command line (`cli --help` says which commands there are); otherwise it
/// speaks libtest's protocol, with a test for each scenario and for each case in the project's `sims/regressions/`.
///
/// Exit codes of the command line: 0 if all promises were kept, 1 if one was broken, 2 for wrong usage or a failure of
/// the harness, 3 if a run does not say or is not deterministic.
pub fn main(scenarios: impl IntoIterator<Item = fn() -> Scenario>) -> ExitCode {
    // The panic itself has been printed; what remains is to say that no scenario is to blame for a broken promise.
    let built = scenarios.into_iter().map(|scenario| std::panic::catch_unwind(scenario)).collect::<Result<Vec<_>, _>>();
    let Ok(scenarios) = built else {
        eprintln!("squall: a scenario cannot be built, see above");
        return ExitCode::from(USAGE);
    };
    let scenarios: Arc<[Scenario]> = scenarios.into();
    let serve = handler(scenarios.clone());
    sandbox::serve_if_zygote(move |job| serve(job));
    for (index, scenario) in scenarios.iter().enumerate() {
        if scenarios[..index].iter().any(|other| other.name() == scenario.name()) {
            eprintln!("squall: two scenarios are named `{}`", scenario.name());
            return ExitCode::from(USAGE);
        }
    }
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("cli") {
        return ExitCode::from(commands::run(scenarios, &arguments[2..]));
    }
    run_as_tests(scenarios)
}

/// Whether nobody watches: `CI` is set, as all services for continuous integration do.
fn is_plain() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether this runs as a GitHub action.
fn is_on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// Colours where somebody watches a terminal, unless `NO_COLOR` is set.
fn screen_style() -> ScreenStyle {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_plain();
    ScreenStyle { colours: is_wanted && std::io::stdout().is_terminal() }
}

/// As many workers as there are processors.
fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What `SQUALL_SEEDS` says: a number of seeds or a range.
fn seeds_from_environment(default: u64) -> Result<SeedRange, String> {
    match std::env::var("SQUALL_SEEDS") {
        Ok(text) => SeedRange::from_count_or_range(&text).map_err(|error| format!("SQUALL_SEEDS: {error}")),
        Err(std::env::VarError::NotPresent) => {
            SeedRange::count_of(default).ok_or_else(|| "no seeds are explored by default".to_owned())
        }
        Err(error) => Err(format!("SQUALL_SEEDS: {error}")),
    }
}

fn run_as_tests(scenarios: Arc<[Scenario]>) -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let seeds = match seeds_from_environment(SEEDS_IN_TESTS) {
        Ok(seeds) => seeds,
        Err(error) => {
            eprintln!("squall: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let kept = match regressions::kept(&scenarios) {
        Ok(kept) => kept,
        Err(error) => {
            eprintln!("squall: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let jobs = arguments.test_threads.and_then(NonZeroUsize::new).unwrap_or_else(processors);
    let pool = Arc::new(Pool::new(scenarios.clone(), jobs, EntryPoint::Main, None));
    let trial = |(index, scenario): (usize, &Scenario)| {
        let pool = pool.clone();
        Trial::test(scenario.name(), move || test(&pool, index, seeds))
    };
    // What failed once is tried first.
    let mut trials = regressions::trials(&pool, kept);
    trials.extend(scenarios.iter().enumerate().map(trial));
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
        _ => Err(describe(&exploration, &|failure| replay_line(failure, "")).into()),
    }
}

/// The first failure in full, the others in a line each, and all remarks.
fn describe(exploration: &Exploration, replay_line: &dyn Fn(&Failure) -> String) -> String {
    let mut report = String::new();
    for (index, failure) in exploration.failures.iter().enumerate() {
        if index == 0 {
            report.push_str(&screen(failure, &replay_line(failure), Some(exploration), screen_style()));
        } else {
            report.push_str(&failure_line(failure));
            report.push('\n');
        }
    }
    report.push_str(&text::remarks(exploration));
    if is_on_github() {
        report.push_str(&annotations(exploration));
    }
    report
}

/// All that is to be known of a failure, on one screen.
fn failure_screen(failure: &Failure, replay_line: &str) -> String {
    let mut text = screen(failure, replay_line, None, screen_style());
    if is_on_github() {
        text.push_str(&annotation(failure));
    }
    text
}

/// The line that replays a failure in a fresh process; `flags` say what its draw was told.
fn replay_line(failure: &Failure, flags: &str) -> String {
    match &failure.saved {
        Ok(Some(path)) => format!("cargo sims replay {}", path.display()),
        Ok(None) | Err(_) => {
            format!("cargo sims replay {} --seed {}{flags}", failure.outcome.scenario, failure.outcome.seed)
        }
    }
}
