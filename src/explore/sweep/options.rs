//! The options of a sweep.

use std::path::PathBuf;
use std::time::Duration;

use crate::fault::secs;
use crate::seed::Seed;

/// A fault that a sweep tries at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SweepFault {
    /// The process is killed: before it sends the message, or right after the event.
    Kill,
    /// The machine loses power at that point.
    PowerOff,
    /// The connection of the message is reset, and the message lost.
    Close,
    /// The message is lost once, and sent again after the retransmission timeout.
    Loss,
}

impl SweepFault {
    /// All faults of a sweep.
    pub const ALL: [SweepFault; 4] = [SweepFault::Kill, SweepFault::PowerOff, SweepFault::Close, SweepFault::Loss];

    /// The fault's name, for example `power off`.
    pub fn name(self) -> &'static str {
        match self {
            SweepFault::Kill => "kill",
            SweepFault::PowerOff => "power off",
            SweepFault::Close => "close",
            SweepFault::Loss => "loss",
        }
    }
}

/// The options of a sweep.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// The seed of the run without faults.
    pub seed: Seed,
    /// The faults to try at each point.
    pub sweep_faults: Vec<SweepFault>,
    /// The number of operations that each client makes, from its first on; `None` for all.
    pub operations: Option<usize>,
    /// A pattern of the hosts to take down. `None` for those that the scenario's own generators take down, or all but
    /// the clients' if there are none.
    pub hosts: Option<String>,
    /// How long a host stays down.
    pub down_for: Duration,
    /// The number of pairs of single faults to try as well.
    pub pairs: u64,
    /// The file that records the trials, for a sweep to resume from; `None` for one in cargo's target directory.
    pub journal: Option<PathBuf>,
    /// Which trials to make: of each of so many, the one at this place, from 0. `(0, 1)` stands for all.
    pub part: (usize, usize),
    /// Whether to start from the beginning in any case.
    pub afresh: bool,
    /// The directory in which failing cases are saved; `None` for cargo's target directory.
    pub case_directory: Option<PathBuf>,
}

impl SweepOptions {
    /// Options that try all faults at each point of a run of this seed, with two operations of each client.
    pub fn new(seed: Seed) -> SweepOptions {
        SweepOptions {
            seed,
            sweep_faults: SweepFault::ALL.to_vec(),
            operations: Some(2),
            hosts: None,
            down_for: secs(1),
            pairs: 0,
            journal: None,
            part: (0, 1),
            afresh: false,
            case_directory: None,
        }
    }
}
