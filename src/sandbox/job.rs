//! A job: how it is started, its limits, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use super::notes::PanicNote;

/// The capacity of a job's ledger in bytes.
pub(super) const LEDGER_BYTES: usize = 64 << 20;

/// The memory that a run reserves for what its network logs, and that its limit does not count.
pub(crate) const WIRE_LOG_BYTES: usize = 64 << 20;

/// Computes the outcome of a job, both as bytes. It runs in the forked child, on its only thread.
pub type Handler = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// How this executable, started again as a zygote, reaches [`serve_if_zygote`](super::serve_if_zygote).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// Through its own `main`, which calls [`serve_if_zygote`](super::serve_if_zygote) first.
    Main,
    /// Through libtest, as the one test with this name, which calls [`serve_if_zygote`](super::serve_if_zygote).
    Test(String),
}

/// The resources that a job may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLimits {
    /// CPU time.
    pub cpu: Duration,
    /// CPU time in which the virtual time of a simulation must move.
    pub stuck: Duration,
    /// Memory beyond the zygote's own, in bytes of address space.
    pub memory_bytes: u64,
    /// Wall-clock time. It only guards against a child that waits forever without using CPU time.
    pub wall: Duration,
}

impl Default for ProcessLimits {
    fn default() -> ProcessLimits {
        let secs = Duration::from_secs;
        ProcessLimits { cpu: secs(60), stuck: secs(10), memory_bytes: 1 << 30, wall: secs(120) }
    }
}

/// How a job ended, with what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// The index of the host that ran when the job ended, if the job did not return; best effort.
    pub host: Option<usize>,
    /// The virtual time at which the job ended, if it did not return; best effort.
    pub at: Duration,
    /// The panics up to the end, which are the only notes of a job that did not return.
    pub panics: Vec<PanicNote>,
    /// The contents of the job's ledger, if it did not return.
    pub ledger: Vec<u8>,
    /// What it wrote to standard output and standard error; of more than 256 KiB, the head and the tail.
    pub output: Vec<u8>,
    /// The CPU time that it used.
    pub cpu: Duration,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The handler returned this outcome.
    Returned(Vec<u8>),
    /// The handler itself panicked; the last of [`Finished::panics`] says why.
    Panicked,
    /// A signal ended the process: SIGABRT after `abort`, SIGSEGV, SIGKILL and so on.
    Aborted {
        /// The number of the signal.
        signal: i32,
    },
    /// The stack overflowed.
    StackOverflow,
    /// An allocation failed, which [`ProcessLimits::memory_bytes`] makes happen.
    MemoryLimit,
    /// The process called `exit` before the handler returned.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A host waited in a busy loop for time to pass while its clock stood still.
    ClockSpin,
    /// [`ProcessLimits::cpu`] was used up.
    CpuLimit,
    /// Virtual time stood still for [`ProcessLimits::stuck`].
    Stuck,
    /// It waited for something that could not happen, or ran longer than [`ProcessLimits::wall`].
    Blocked,
}
