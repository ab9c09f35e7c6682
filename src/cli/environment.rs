//! Reads the environment: whether a person is watching, the number of processors, and the seeds to explore.

use std::num::NonZeroUsize;

use crate::explore::SeedRange;

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

/// The seeds that `SQUALL_SEEDS` gives as a number or a range, or else the first `default` seeds.
pub(super) fn seeds_from_environment(default: u64) -> Result<SeedRange, String> {
    match std::env::var("SQUALL_SEEDS") {
        Ok(text) => SeedRange::from_count_or_range(&text).map_err(|error| format!("SQUALL_SEEDS: {error}")),
        Err(std::env::VarError::NotPresent) => {
            SeedRange::count_of(default).ok_or_else(|| "no seeds to explore: set SQUALL_SEEDS".to_owned())
        }
        Err(error) => Err(format!("SQUALL_SEEDS: {error}")),
    }
}
