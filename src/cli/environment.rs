//! Reads the environment: whether a person is watching, the number of processors, and the seeds to explore.

use std::num::NonZeroUsize;

use crate::explore::SeedRange;

/// The exit code for wrong usage and for failures of the harness itself.
pub(super) const USAGE: u8 = 2;

/// What is said when something needs the feature `report`, and the program was built without it.
pub(super) const WITHOUT_REPORTS: &str =
    "this program was built without reports: add the feature `report` to Squall in its Cargo.toml";

/// Whether nobody is watching: `CI` is set, as all continuous integration services do.
pub(super) fn is_unattended() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether this runs as a GitHub action.
pub(super) fn is_on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// The number of processors, which is the default number of workers.
pub(super) fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The number of workers that `SQUALL_JOBS` gives, or else the number of processors.
pub(super) fn jobs_from_environment() -> Result<NonZeroUsize, String> {
    match std::env::var("SQUALL_JOBS") {
        Ok(text) => {
            text.parse().map_err(|_| format!("SQUALL_JOBS: `{text}` is not a number of runs at once, at least 1"))
        }
        Err(std::env::VarError::NotPresent) => Ok(processors()),
        Err(error) => Err(format!("SQUALL_JOBS: {error}")),
    }
}

/// Whether `SQUALL_TRACE` asks for the whole timeline of a run.
pub(super) fn shows_timeline() -> bool {
    std::env::var_os("SQUALL_TRACE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// The seeds that `SQUALL_SEEDS` gives as a number or a range, or else the first `default` seeds.
pub(super) fn seeds_from_environment(default: u64) -> Result<SeedRange, String> {
    let seeds = seeds_if_set()?.or_else(|| SeedRange::count_of(default));
    seeds.ok_or_else(|| "no seeds to explore: set SQUALL_SEEDS".to_owned())
}

/// The seeds that `SQUALL_SEEDS` gives, if it is set.
pub(super) fn seeds_if_set() -> Result<Option<SeedRange>, String> {
    match std::env::var("SQUALL_SEEDS") {
        Ok(text) => SeedRange::from_count_or_range(&text).map(Some).map_err(|error| format!("SQUALL_SEEDS: {error}")),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("SQUALL_SEEDS: {error}")),
    }
}
