//! Runs scenarios inside plain `#[test]` functions.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::environment::processors;
use super::replay::compare;
use super::terminal::{describe, failure_screen};
use crate::case_file::CaseFile;
use crate::explore::handler;
use crate::explore::{self, CaseRef, ExploreOptions, Failure, Pool, SeedRange, Status, Verify};
use crate::sandbox::{self, EntryPoint};
use crate::scenario::{Case, Scenario};

/// The environment variable that names a case file for a test to run instead of its seeds.
const CASE: &str = "SQUALL_CASE";

impl Scenario {
    /// Explores these seeds, and the control of the first, from a `#[test]` function. Call it only once in each test.
    ///
    /// The test binary is started once more for this one test, and each run is forked there. Code that hashes addresses
    /// is not guaranteed to behave the same in every invocation of a test binary.
    ///
    /// If the environment variable `SQUALL_CASE` names a case file, that case is run instead.
    ///
    /// # Panics
    /// With a report of the first seed that does not pass; before any run if something is wrong with the scenario.
    pub fn assert_passes(self, seeds: Range<u64>) {
        let test = PlainTest::begin(self);
        if let Some(path) = std::env::var_os(CASE).filter(|path| !path.is_empty()) {
            return test.replay(Path::new(&path));
        }
        let name = test.scenario().name();
        let seeds = SeedRange::try_from(seeds).unwrap_or_else(|error| panic!("{name}: {error}"));
        let pool = test.pool();
        println!("{name}: seeds {seeds}");
        let options = ExploreOptions { verify: Verify::First, ..ExploreOptions::new(seeds) };
        match explore::explore(&pool, 0, &options, &mut ()) {
            Ok(exploration) if exploration.status() == Status::Pass => {}
            Ok(exploration) => panic!("{}", describe(&exploration, &|failure| test.replay_line(failure))),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Runs one case from a `#[test]` function, like [`Scenario::assert_passes`].
    ///
    /// # Panics
    /// With a report if the case does not pass; also if it is not a case of this scenario.
    pub fn assert_case_passes(self, case: Case) {
        let test = PlainTest::begin(self);
        let again = format!("cargo test {} -- --exact", test.name());
        test.assert_passes(&case, |failure| failure_screen(failure, &again));
    }
}

/// One scenario, and how this test is started again to run it in separate processes.
struct PlainTest {
    scenarios: Arc<[Scenario]>,
    entry: EntryPoint,
}

impl PlainTest {
    /// Starts a test of the scenario. Never returns in a process that runs cases.
    fn begin(scenario: Scenario) -> PlainTest {
        let scenarios: Arc<[Scenario]> = [scenario].into();
        let serve = handler(scenarios.clone());
        sandbox::serve_if_zygote(move |job| serve(job));
        if let Err(error) = scenarios[0].validate() {
            panic!("{error}");
        }
        let entry = match sandbox::current_test_name() {
            Some(test) => EntryPoint::Test(test),
            // Outside libtest, the call is in a `main`, which is started again in the same way.
            None => EntryPoint::Main,
        };
        PlainTest { scenarios, entry }
    }

    fn scenario(&self) -> &Scenario {
        &self.scenarios[0]
    }

    fn pool(&self) -> Pool {
        Pool::new(self.scenarios.clone(), processors(), self.entry.clone(), None)
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

    fn replay(&self, path: &Path) {
        let name = self.scenario().name();
        let file = CaseFile::load(path).unwrap_or_else(|error| panic!("{CASE}: {error}"));
        if let Err(error) = file.scenario_in(path, &self.scenarios) {
            panic!("{CASE}: {error}; this test runs `{name}` alone");
        }
        self.assert_passes(&file.case, |failure| {
            let again = format!("{CASE}={} cargo test {} -- --exact", path.display(), self.name());
            compare(&file, path, self.scenario(), failure) + &failure_screen(failure, &again)
        });
        println!("{name}: the case in {} passes", path.display());
    }

    fn assert_passes(&self, case: &Case, report: impl Fn(&Failure) -> String) {
        let name = self.scenario().name();
        assert!(case.scenario == name, "this case belongs to `{}`, not to `{name}`", case.scenario);
        if let Some(defect) = self.scenario().defect(case) {
            panic!("{name}: {defect}");
        }
        let case_ref = CaseRef::Case(Box::new(case.clone()));
        match explore::investigate(&self.pool(), 0, &case_ref, None) {
            Ok(run) if run.status() == Status::Pass => {}
            Ok(failure) => panic!("{}", report(&failure)),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}
