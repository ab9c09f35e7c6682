//! Runs scenarios inside plain `#[test]` functions.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::environment::{jobs_from_environment, seeds_if_set, shows_timeline};
use super::replay::compare;
use super::terminal::{describe, failure_screen};
use crate::case_file::CaseFile;
use crate::explore::handler;
use crate::explore::{self, CaseRef, ExploreOptions, Failure, Pool, SeedRange, Status, Verify};
use crate::report::{TimelineOptions, text, timeline};
use crate::sandbox::{self, EntryPoint};
use crate::scenario::{Case, Engine, Scenario};

/// The environment variable that names a case file for a test to run instead of its seeds.
const CASE: &str = "SQUALL_CASE";

impl Scenario {
    /// Explores these seeds, and the control of the first, from a `#[test]` function. Call it only once in each test.
    ///
    /// The test binary is started once more for this one test, and each run is forked there. Code that hashes addresses
    /// is not guaranteed to behave the same in every invocation of a test binary.
    ///
    /// Environment variables change what one run of the test does:
    ///
    /// - `SQUALL_SEEDS` replaces the seeds, by a number of them (`1000`) or a range (`16..32`).
    /// - `SQUALL_ENGINE` names what runs the hosts, instead of what [`Scenario::engine`] says.
    /// - `SQUALL_JOBS` is the number of runs at once; by default, that of processors.
    /// - `SQUALL_CASE` names a case file, which is run instead of any seeds.
    /// - `SQUALL_TRACE=1` prints the whole timeline of the case, or of the failure that is reported.
    ///
    /// A test that passes says which situations of [`Scenario::sometimes`] and which checks could not be judged in so few
    /// runs. [`Scenario::seeds`] says in how many runs they must be.
    ///
    /// # Panics
    /// With a report of the first seed that does not pass; before any run if something is wrong with the scenario.
    #[track_caller]
    pub fn assert_passes(self, seeds: Range<u64>) {
        let test = or_panic(PlainTest::begin(self));
        if let Some(path) = std::env::var_os(CASE).filter(|path| !path.is_empty()) {
            return or_panic(test.replay(Path::new(&path)));
        }
        or_panic(test.explore(seeds));
    }

    /// Runs one case from a `#[test]` function, like [`Scenario::assert_passes`].
    ///
    /// # Panics
    /// With a report if the case does not pass; also if it is not a case of this scenario.
    #[track_caller]
    pub fn assert_case_passes(self, case: Case) {
        let test = or_panic(PlainTest::begin(self));
        let again = format!("cargo test {} -- --exact", test.name());
        or_panic(test.run(&case, |failure| failure_screen(failure, &again)));
    }
}

/// The value, or a panic at the line of the test that called, as that is where its reader looks first.
#[track_caller]
fn or_panic<T>(result: Result<T, String>) -> T {
    match result {
        Ok(value) => value,
        Err(report) => panic!("{report}"),
    }
}

/// The whole timeline of a run, if `SQUALL_TRACE` asks for it.
fn trace_of(failure: &Failure) -> String {
    match &failure.recording {
        Some(recording) if shows_timeline() => timeline(recording, &TimelineOptions::default()),
        _ => String::new(),
    }
}

/// One scenario, and how this test is started again to run it in separate processes.
struct PlainTest {
    scenarios: Arc<[Scenario]>,
    entry: EntryPoint,
}

impl PlainTest {
    /// Starts a test of the scenario. Never returns in a process that runs cases.
    fn begin(scenario: Scenario) -> Result<PlainTest, String> {
        let scenarios: Arc<[Scenario]> = [scenario].into();
        let serve = handler(scenarios.clone());
        sandbox::serve_if_zygote(move |job| serve(job));
        scenarios[0].validate().map_err(|error| error.to_string())?;
        let entry = match sandbox::current_test_name() {
            Some(test) => EntryPoint::Test(test),
            // Outside libtest, the call is in a `main`, which is started again in the same way.
            None => EntryPoint::Main,
        };
        Ok(PlainTest { scenarios, entry })
    }

    fn scenario(&self) -> &Scenario {
        &self.scenarios[0]
    }

    fn pool(&self) -> Result<Pool, String> {
        Engine::of_environment()?;
        Ok(Pool::new(self.scenarios.clone(), jobs_from_environment()?, self.entry.clone(), None))
    }

    /// Explores these seeds, or those of the environment.
    fn explore(&self, seeds: Range<u64>) -> Result<(), String> {
        let name = self.scenario().name();
        let given = || SeedRange::try_from(seeds).map_err(|error| format!("{name}: {error}"));
        let seeds = seeds_if_set()?.map_or_else(given, Ok)?;
        let pool = self.pool()?;
        println!("{name}: seeds {seeds}");
        let options = ExploreOptions { verify: Verify::First, ..ExploreOptions::new(seeds) };
        let exploration = explore::explore(&pool, 0, &options, &mut ()).map_err(|error| format!("{name}: {error}"))?;
        if exploration.status() == Status::Pass {
            print!("{}", text::remarks(&exploration));
            return Ok(());
        }
        let trace = exploration.failures.first().map(trace_of).unwrap_or_default();
        Err(trace + &describe(&exploration, self.scenario(), &|failure| self.replay_line(failure)))
    }

    /// The name by which cargo finds the test; empty outside libtest.
    fn name(&self) -> &str {
        match &self.entry {
            EntryPoint::Test(name) => name,
            EntryPoint::Main => "",
        }
    }

    /// The command that runs the case of a failure in this very test, as its scenario may not be in any table.
    fn replay_line(&self, failure: &Failure) -> String {
        let test = self.name();
        match &failure.saved {
            Ok(Some(path)) => format!("{CASE}={} cargo test {test} -- --exact", path.display()),
            Ok(None) | Err(_) => format!("cargo test {test} -- --exact"),
        }
    }

    fn replay(&self, path: &Path) -> Result<(), String> {
        let name = self.scenario().name();
        let file = CaseFile::load(path).map_err(|error| format!("{CASE}: {error}"))?;
        file.scenario_in(path, &self.scenarios)
            .map_err(|error| format!("{CASE}: {error}; this test runs `{name}` alone"))?;
        self.run(&file.case, |failure| {
            let again = format!("{CASE}={} cargo test {} -- --exact", path.display(), self.name());
            let hint = if shows_timeline() { "" } else { "SQUALL_TRACE=1 prints the whole timeline\n" };
            compare(&file, path, self.scenario(), failure) + &failure_screen(failure, &again) + hint
        })?;
        println!("{name}: the case in {} passes", path.display());
        Ok(())
    }

    /// Runs a case. If it does not pass, the error is the report.
    fn run(&self, case: &Case, report: impl Fn(&Failure) -> String) -> Result<(), String> {
        let name = self.scenario().name();
        if case.scenario != name {
            return Err(format!("this case belongs to `{}`, not to `{name}`", case.scenario));
        }
        if let Some(defect) = self.scenario().defect(case) {
            return Err(format!("{name}: {defect}"));
        }
        let case_ref = CaseRef::Case(Box::new(case.clone()));
        let run =
            explore::investigate(&self.pool()?, 0, &case_ref, None).map_err(|error| format!("{name}: {error}"))?;
        if run.status() == Status::Pass {
            print!("{}", trace_of(&run));
            return Ok(());
        }
        Err(trace_of(&run) + &report(&run))
    }
}
