//! Workers: each runs jobs one at a time, each job in a fresh process. The handler gives a job its meaning.

use std::io;

use super::job::{EntryPoint, Finished, Handler, ProcessLimits};
use super::{platform, recorded, thread};

/// Runs jobs one at a time. `--jobs N` uses N workers, each driven by a thread of the supervisor.
pub struct Worker(Kind);

enum Kind {
    Forked(Box<platform::Forker>),
    Threaded(Handler),
}

impl Worker {
    /// Starts a zygote through `entry`. Where that is impossible, `handler` runs jobs on fresh threads of this process.
    ///
    /// # Errors
    /// If the zygote starts but never reaches [`serve_if_zygote`], or if this process is itself a zygote.
    pub fn spawn(entry: EntryPoint, handler: Handler) -> io::Result<Worker> {
        if is_zygote() {
            return Err(io::Error::other("a run cannot start other runs: spawn workers from the supervisor only"));
        }
        Ok(Worker(match platform::Forker::spawn(&entry)? {
            Some(forker) => Kind::Forked(Box::new(forker)),
            None => Kind::Threaded(handler),
        }))
    }

    /// A worker that runs each job on a fresh thread of this process, as on platforms that cannot fork.
    pub fn on_threads(handler: Handler) -> Worker {
        Worker(Kind::Threaded(handler))
    }

    /// Runs one job to its end.
    ///
    /// # Errors
    /// If the zygote dies twice on the same job, or dies and cannot be started again.
    pub fn run(&mut self, job: &[u8], limits: &ProcessLimits) -> io::Result<Finished> {
        match &mut self.0 {
            Kind::Forked(forker) => forker.run(job, limits),
            Kind::Threaded(handler) => thread::run(handler, job),
        }
    }

    /// Whether every run sees the same addresses. If the system randomises them, code that hashes addresses is
    /// deterministic only within one worker.
    pub fn address_randomisation_off(&self) -> bool {
        match &self.0 {
            Kind::Forked(forker) => forker.address_randomisation_off(),
            Kind::Threaded(_) => false,
        }
    }

    /// Whether each job gets a process of its own.
    pub fn is_forked(&self) -> bool {
        matches!(self.0, Kind::Forked(_))
    }
}

/// Whether this process is a zygote or a child of one, and not the supervisor.
pub fn is_zygote() -> bool {
    platform::is_zygote()
}

/// In a zygote, serves jobs with `handler` and never returns; in any other process, returns at once. Call it first in
/// `main`, or first in a test that spawns workers with [`EntryPoint::Test`].
pub fn serve_if_zygote(handler: impl Fn(&[u8]) -> Vec<u8>) {
    if is_zygote() {
        platform::serve(&handler);
    }
}

/// Also records, from now on and while a thread simulates, what no hook sees: system calls made without the C library,
/// the C library's system calls that have no hook, and reads of the time stamp counter. A handler calls this before it
/// enters a simulation; the run behaves as before, but slower. All escapes are kept for
/// [`last_escapes`](super::last_escapes), however they were seen.
///
/// # Errors
/// The reason, if a run has no process of its own or the system refuses the filter.
pub fn watch_system_calls() -> Result<(), String> {
    recorded::keep_escapes();
    platform::watch_system_calls()
}

/// Whether a run sees the same addresses in this process as in any other process of the same executable.
pub fn addresses_are_fixed() -> bool {
    platform::addresses_are_fixed()
}

/// The name of the calling test, as libtest knows it; `None` if it cannot be found.
pub fn current_test_name() -> Option<String> {
    if let Some(name) = std::thread::current().name()
        && name != "main"
    {
        return Some(name.to_owned());
    }
    // With `--test-threads=1`, some versions of libtest run the test on the main thread.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let exact = arguments.iter().position(|argument| argument == "--exact")?;
    let is_name = |argument: &&String| !argument.starts_with('-');
    let named = arguments.get(exact + 1).filter(is_name).or_else(|| arguments.iter().find(is_name));
    named.cloned()
}
