//! What to sweep, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::fault::secs;
use crate::seed::Seed;

/// What is done at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SweepFault {
    /// The process there dies: before it sends the message, or right after the event.
    Kill,
    /// The machine there loses its power.
    PowerOff,
    /// The connection of the message is reset, and the message lost.
    Close,
    /// The message is lost once, and sent again after the retransmission timeout.
    Loss,
}

impl SweepFault {
    /// All of them.
    pub const ALL: [SweepFault; 4] = [SweepFault::Kill, SweepFault::PowerOff, SweepFault::Close, SweepFault::Loss];

    /// Its name, for example `power off`.
    pub fn name(self) -> &'static str {
        match self {
            SweepFault::Kill => "kill",
            SweepFault::PowerOff => "power off",
            SweepFault::Close => "close",
            SweepFault::Loss => "loss",
        }
    }
}

/// What to sweep, and how.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// The seed of the run without faults.
    pub seed: Seed,
    /// What is done at each point.
    pub sweep_faults: Vec<SweepFault>,
    /// How many operations each client is left with, from its first on; all if not given.
    pub operations: Option<usize>,
    /// Which hosts go down, as a pattern; those that the scenario's own generators take down if not given, or all but those of
    /// clients if there are none.
    pub hosts: Option<String>,
    /// How long a host is down.
    pub down_for: Duration,
    /// How many pairs of single faults are tried besides.
    pub pairs: u64,
    /// Where it is written what has been tried, to go on from there; in cargo's target directory if not given.
    pub journal: Option<PathBuf>,
    /// Whether to begin anew in any case.
    pub afresh: bool,
    /// Where failing cases are saved; in cargo's target directory if not given.
    pub case_directory: Option<PathBuf>,
}

impl SweepOptions {
    /// Everything at each point of a run of this seed, with two operations of each client.
    pub fn new(seed: Seed) -> SweepOptions {
        SweepOptions {
            seed,
            sweep_faults: SweepFault::ALL.to_vec(),
            operations: Some(2),
            hosts: None,
            down_for: secs(1),
            pairs: 0,
            journal: None,
            afresh: false,
            case_directory: None,
        }
    }
}
