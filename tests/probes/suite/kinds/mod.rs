//! The probes, by kind.

mod clocks;
mod crates;
mod entropy;
mod facts;
mod files;
mod outside;
mod threads;
mod waits;

use crate::probe::Probe;

/// All probes, in the order of the table.
pub fn all() -> Vec<Probe> {
    let kinds = [
        clocks::PROBES,
        waits::PROBES,
        entropy::PROBES,
        facts::PROBES,
        files::PROBES,
        outside::PROBES,
        threads::PROBES,
        crates::PROBES,
    ];
    kinds.into_iter().flatten().copied().collect()
}
