//! Scenarios inside plain `#[test]` functions.

use std::ops::Range;
use std::sync::Arc;

use super::{describe, processors};
use crate::explore::job::handler;
use crate::explore::{self, Options, Pool, SeedRange, Standing, Verify};
use crate::report::ScreenStyle;
use crate::sandbox::{self, Entry};
use crate::scenario::Scenario;

impl Scenario {
    /// Explores these seeds, and the control of the first, from a `#[test]` function; to be called once in it.
    ///
    /// The test binary is started once more for this one test, and each run is forked there. What cannot be the same in
    /// every invocation of a test binary (code that hashes addresses) is not guaranteed to be.
    ///
    /// # Panics
    /// With a report of the first seed that does not pass.
    pub fn assert_passes(self, seeds: Range<u64>) {
        let name = self.name().to_owned();
        let scenarios: Arc<[Scenario]> = [self].into();
        let serve = handler(scenarios.clone());
        sandbox::serve_if_zygote(move |job| serve(job));
        let seeds = SeedRange::try_from(seeds).unwrap_or_else(|error| panic!("{name}: {error}"));
        let entry = match sandbox::current_test_name() {
            Some(test) => Entry::Test(test),
            // Not within libtest: whoever calls this from a `main` is started the same way again.
            None => Entry::Main,
        };
        let pool = Pool::new(scenarios, processors(), entry, None);
        println!("{name}: seeds {seeds}");
        let options = Options { verify: Verify::First, ..Options::new(seeds) };
        match explore::explore(&pool, 0, &options, &mut ()) {
            Ok(exploration) if exploration.standing() == Standing::Pass => {}
            Ok(exploration) => panic!("{}", describe(&exploration, ScreenStyle::default())),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}
