//! Jobs, one at a time, each in a process that nobody used before. What a job means is the handler's business.

use std::io;

use super::job::{EntryPoint, Finished, Handler, ProcessLimits};
use super::{platform, recorded, thread};

/// Runs jobs, one at a time. `--jobs N` takes N workers, each driven by a thread of the supervisor.
pub struct Worker(Kind);

enum Kind {
    Forked(Box<platform::Forker>),
    Threaded(Handler),
}

impl Worker {
    /// Starts a zygote by `entry`. Where that is impossible, jobs will run `handler` on fresh threads of this process.
    ///
    /// # Errors
    /// If the zygote starts but never gets to [`serve_if_zygote`].
    pub fn spawn(entry: EntryPoint, handler: Handler) -> io::Result<Worker> {
        if is_zygote() {
            return Err(io::Error::other("a run cannot start runs of its own"));
        }
        Ok(Worker(match platform::Forker::spawn(&entry)? {
            Some(forker) => Kind::Forked(Box::new(forker)),
            None => Kind::Threaded(handler),
        }))
    }

    /// A worker that runs each job on a fresh thread of this process, as where no process can be forked.
    pub fn on_threads(handler: Handler) -> Worker {
        Worker(Kind::Threaded(handler))
    }

    /// Runs one job to its end.
    ///
    /// # Errors
    /// If the zygote dies twice at the same job.
    pub fn run(&mut self, job: &[u8], limits: &ProcessLimits) -> io::Result<Finished> {
        match &mut self.0 {
            Kind::Forked(forker) => forker.run(job, limits),
            Kind::Threaded(handler) => thread::run(handler, job),
        }
    }

    /// Whether every run sees the same addresses. Where the system randomises them, code that hashes addresses is
    /// deterministic within one worker only.
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

/// In a zygote, serves jobs with `handler` and never returns; in any other process, returns at once. To be called first
/// in `main`, or first in a test that makes workers by [`EntryPoint::Test`].
pub fn serve_if_zygote(handler: impl Fn(&[u8]) -> Vec<u8>) {
    if is_zygote() {
        platform::serve(&handler);
    }
}

/// From now on, what this process does that no hook sees is recorded, too, while its thread simulates: system calls made
/// without the C library, those of it that have no hook, and reads of the time stamp counter. To be called by a handler
/// before it enters a simulation; the run goes on as before, but slower. What escapes, however it was seen, is kept for
/// [`last_escapes`](super::last_escapes).
///
/// # Errors
/// With the reason, where a run has no process of its own or the system refuses.
pub fn watch_system_calls() -> Result<(), String> {
    recorded::keep_escapes();
    platform::watch_system_calls()
}

/// Whether no run in this process can see other addresses than a run in another process of the same executable.
pub fn addresses_are_fixed() -> bool {
    platform::addresses_are_fixed()
}

/// The name of the test that calls this, as libtest knows it.
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
