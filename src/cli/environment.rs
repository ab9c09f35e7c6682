//! What the environment says: who watches, how many processors there are, which seeds are wanted.

use std::num::NonZeroUsize;

use crate::explore::SeedRange;

/// Whether nobody watches: `CI` is set, as all services for continuous integration do.
pub(super) fn is_plain() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether this runs as a GitHub action.
pub(super) fn is_on_github() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// As many workers as there are processors.
pub(super) fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// What `SQUALL_SEEDS` says: a number of seeds or a range.
pub(super) fn seeds_from_environment(default: u64) -> Result<SeedRange, String> {
    match std::env::var("SQUALL_SEEDS") {
        Ok(text) => SeedRange::from_count_or_range(&text).map_err(|error| format!("SQUALL_SEEDS: {error}")),
        Err(std::env::VarError::NotPresent) => {
            SeedRange::count_of(default).ok_or_else(|| "no seeds are explored by default".to_owned())
        }
        Err(error) => Err(format!("SQUALL_SEEDS: {error}")),
    }
}
