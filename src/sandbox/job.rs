//! What a job is, what it may use up, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use super::notes::PanicNote;

/// How many bytes a job may keep in its ledger.
pub(super) const LEDGER_BYTES: usize = 64 << 20;

/// Job bytes in, outcome bytes out. It runs in the forked child, on its only thread.
pub type Handler = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// How this executable is started once more as a zygote, and gets to [`serve_if_zygote`](super::serve_if_zygote).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// By its own `main`, which calls [`serve_if_zygote`](super::serve_if_zygote) first.
    Main,
    /// By libtest, as the one test of this name, which calls [`serve_if_zygote`](super::serve_if_zygote).
    Test(String),
}

/// What a job may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLimits {
    /// CPU time.
    pub cpu: Duration,
    /// Memory beyond what the zygote has, in bytes of address space.
    pub memory_bytes: u64,
    /// Time on the wall. It only guards against a child that waits for ever without using CPU time.
    pub wall: Duration,
}

impl Default for ProcessLimits {
    fn default() -> ProcessLimits {
        ProcessLimits { cpu: Duration::from_secs(10), memory_bytes: 1 << 30, wall: Duration::from_secs(120) }
    }
}

/// How a job ended, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// The host that ran when it ended, if it did not return; as far as that could be seen.
    pub host: Option<usize>,
    /// The virtual time at which it ended, if it did not return; as far as that could be seen.
    pub at: Duration,
    /// The panics up to the end, for a job that did not live to return its notes.
    pub panics: Vec<PanicNote>,
    /// What it kept up to the end, if it did not return.
    pub ledger: Vec<u8>,
    /// What it wrote to standard output and standard error; of more than 256 KiB, the head and the tail.
    pub output: Vec<u8>,
    /// The CPU time that it took.
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
    /// The process exited by its own will before the handler returned.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A host waited in a loop for time to pass while its clock stood still.
    ClockSpin,
    /// [`ProcessLimits::cpu`] was used up.
    CpuLimit,
    /// It waited for something that cannot happen, or longer than [`ProcessLimits::wall`].
    Blocked,
}
