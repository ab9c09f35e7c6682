//! Notes on a run: its escapes from the simulation and its panics. Plain data.

use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

/// Everything recorded between [`enter`](super::enter) and [`leave`](super::leave).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// One entry for each kind of escape and each host, in order of first occurrence. System calls have one for each
    /// detail.
    pub escapes: Vec<Escape>,
    /// Every panic of a host's code, including those that a task or `catch_unwind` caught, and what stops it as a panic
    /// would: threads that wait for each other, or a loop that waits for a clock that stands still.
    pub panics: Vec<PanicNote>,
}

/// An action of the simulated code that the sandbox could not keep inside the simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escape {
    /// What escaped.
    pub kind: EscapeKind,
    /// Details of the first occurrence: a path, a socket type, a duration.
    pub detail: String,
    /// The host that did it; `None` if it happened outside any host.
    pub host: Option<String>,
    /// The virtual time of the first occurrence.
    pub at: Duration,
    /// The number of occurrences.
    pub count: u64,
    /// The backtrace of the first occurrence; empty in a run of which only the outcome is wanted.
    pub backtrace: String,
}

impl Escape {
    /// Whether a scenario that allows these texts allows this escape.
    pub fn is_allowed(&self, allowed: &[String]) -> bool {
        is_allowed(self.kind, &self.detail, allowed)
    }
}

/// Whether a scenario that allows these texts allows an escape: the name of a kind means that kind alone, and any other text
/// what has it in its detail.
pub(super) fn is_allowed(kind: EscapeKind, detail: &str, allowed: &[String]) -> bool {
    let named = |text: &str| -> Result<EscapeKind, serde::de::value::Error> {
        EscapeKind::deserialize(text.into_deserializer())
    };
    allowed.iter().any(|text| named(text).map_or_else(|_| detail.contains(text.as_str()), |named| named == kind))
}

/// From which length on a wait of a runtime's thread is recorded. Waits for a lock that another thread soon gives back take no
/// virtual time.
pub const BLOCKS_FROM: Duration = Duration::from_millis(1);

/// The kinds of escape. A scenario allows one by its kebab-case name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EscapeKind {
    /// A thread was started. It sees the real clocks and real entropy.
    Thread,
    /// A socket of the operating system was created.
    RealSocket,
    /// A call was refused, because what it asks for is not simulated.
    RefusedCall,
    /// A file of the real machine was opened, looked at or changed.
    RealFile,
    /// A blocking sleep was requested. It advanced the host's clock instead of sleeping.
    BlockingSleep,
    /// Code on the thread of a host's runtime waited for another thread, or for a time, and at least [`BLOCKS_FROM`] of virtual
    /// time passed: no task of the host went on meanwhile.
    BlockingWait,
    /// A clock that no simulated machine has was read.
    UnmodelledClock,
    /// A host runs on a tokio runtime whose time is not paused.
    UnpausedRuntime,
    /// A process was started. It sees the real clocks, real entropy and real files.
    Process,
    /// The C library made a system call that no hook handles. Seen only under [`watch_system_calls`].
    ///
    /// [`watch_system_calls`]: super::watch_system_calls
    SystemCall,
    /// A system call was made without the C library, and is not answered. Calls of shared libraries are seen only under
    /// [`watch_system_calls`].
    ///
    /// [`watch_system_calls`]: super::watch_system_calls
    RawSystemCall,
    /// A clock was read through the vDSO, which could not be replaced.
    TimeStampCounter,
}

impl EscapeKind {
    /// Whether it held up the tasks of its own host, and left nothing outside the simulation.
    pub fn blocks(self) -> bool {
        matches!(self, EscapeKind::BlockingSleep | EscapeKind::BlockingWait)
    }

    /// The kebab-case name of this kind.
    pub fn name(self) -> &'static str {
        match self {
            EscapeKind::Thread => "thread",
            EscapeKind::RealSocket => "real-socket",
            EscapeKind::RefusedCall => "refused-call",
            EscapeKind::RealFile => "real-file",
            EscapeKind::BlockingSleep => "blocking-sleep",
            EscapeKind::BlockingWait => "blocking-wait",
            EscapeKind::UnmodelledClock => "unmodelled-clock",
            EscapeKind::UnpausedRuntime => "unpaused-runtime",
            EscapeKind::Process => "process",
            EscapeKind::SystemCall => "system-call",
            EscapeKind::RawSystemCall => "raw-system-call",
            EscapeKind::TimeStampCounter => "time-stamp-counter",
        }
    }
}

/// One panic, or another event that stops a host's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanicNote {
    /// The message, or a placeholder if the payload was not text.
    pub message: String,
    /// The position in the source as `file:line:column`; empty if it was no panic.
    pub location: String,
    /// The host that panicked; `None` outside any host.
    pub host: Option<String>,
    /// The virtual time of the panic.
    pub at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_allows_that_kind_alone() {
        let check = |kind, detail: &str, allowed, expected| {
            assert_eq!(is_allowed(kind, detail, &[str::to_owned(allowed)]), expected, "{allowed} for {detail}");
        };
        check(EscapeKind::Thread, "a thread", "thread", true);
        check(EscapeKind::RealFile, "/dev/urandom", "thread", false);
        check(EscapeKind::RealFile, "/tmp/thread.log", "thread", false);
        check(EscapeKind::RealFile, "/tmp/thread.log", "real-file", true);
        check(EscapeKind::RealFile, "/tmp/thread.log", "/tmp/", true);
        check(EscapeKind::RealSocket, "a socket", "/tmp/", false);
        check(EscapeKind::RealFile, "/dev/urandom", "RealFile", false);
    }
}
