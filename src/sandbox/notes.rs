//! What a run did that the sandbox could not simulate, and every panic. Plain data, no logic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was recorded between [`enter`](super::enter) and [`leave`](super::leave).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// One entry for each kind of escape and each host, in the order in which they first happened.
    pub escapes: Vec<Escape>,
    /// Every panic on the simulating thread, also those that a task or `catch_unwind` swallowed.
    pub panics: Vec<PanicNote>,
}

/// Something that the simulated code did and that the sandbox could not keep inside the simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escape {
    /// What escaped.
    pub kind: EscapeKind,
    /// The particulars of the first one: a path, a socket type, a duration.
    pub detail: String,
    /// The host that did it; `None` if it happened outside any host.
    pub host: Option<String>,
    /// The virtual time of the first one.
    pub at: Duration,
    /// How many of this kind there were on this host.
    pub count: u64,
    /// Where the first one happened.
    pub backtrace: String,
}

/// The kinds of escape; their kebab-case names are what a scenario writes to allow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EscapeKind {
    /// A thread was started. It sees the real clocks and real entropy.
    Thread,
    /// A socket of the operating system was made.
    RealSocket,
    /// A file outside the allow-list was opened.
    RealFile,
    /// `/dev/urandom` or `/dev/random` was opened.
    EntropyDevice,
    /// A blocking sleep. It did not sleep: it moved the host's clock.
    BlockingSleep,
    /// A clock that the sandbox does not model, such as CPU time, was read.
    UnmodelledClock,
    /// A host runs on a tokio runtime whose time is not paused.
    UnpausedRuntime,
    /// A process was started. It sees the real clocks, real entropy and real files.
    Process,
    /// A system call that a hook does not know, made by the C library. Seen only under [`watch_system_calls`].
    ///
    /// [`watch_system_calls`]: super::watch_system_calls
    SystemCall,
    /// A system call made without the C library. Seen only under [`watch_system_calls`].
    ///
    /// [`watch_system_calls`]: super::watch_system_calls
    RawSystemCall,
    /// The time stamp counter was read, by an instruction or through the kernel's page for clocks. Seen only under
    /// [`watch_system_calls`].
    ///
    /// [`watch_system_calls`]: super::watch_system_calls
    TimeStampCounter,
}

impl EscapeKind {
    /// The kebab-case name of this kind.
    pub fn name(self) -> &'static str {
        match self {
            EscapeKind::Thread => "thread",
            EscapeKind::RealSocket => "real-socket",
            EscapeKind::RealFile => "real-file",
            EscapeKind::EntropyDevice => "entropy-device",
            EscapeKind::BlockingSleep => "blocking-sleep",
            EscapeKind::UnmodelledClock => "unmodelled-clock",
            EscapeKind::UnpausedRuntime => "unpaused-runtime",
            EscapeKind::Process => "process",
            EscapeKind::SystemCall => "system-call",
            EscapeKind::RawSystemCall => "raw-system-call",
            EscapeKind::TimeStampCounter => "time-stamp-counter",
        }
    }
}

/// One panic on the simulating thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicNote {
    /// The message, if it was text.
    pub message: String,
    /// `file:line:column`.
    pub location: String,
    /// The host that panicked; `None` outside any host.
    pub host: Option<String>,
    /// The virtual time of the panic.
    pub at: Duration,
}
