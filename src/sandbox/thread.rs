//! Jobs on threads, for platforms that cannot fork: each job gets a fresh thread, so that at least thread-locals are
//! new.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::job::{End, Finished, Handler};
use super::notes::PanicNote;
use super::simulated::{leave, message_of, record_panics};

/// The stack size of a job's thread, the same as that of a zygote's main thread.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs one job. `ProcessLimits` cannot be enforced here, and an abort ends this process.
pub(super) fn run(handler: &Handler, job: &[u8]) -> io::Result<Finished> {
    record_panics();
    let start = Instant::now();
    let (outcome, notes) = std::thread::scope(|scope| {
        let thread =
            Builder::new().name("squall run".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, || {
                let outcome = catch_unwind(AssertUnwindSafe(|| handler(job)));
                (outcome, leave())
            })?;
        thread.join().map_err(|_| io::Error::other("the thread of a run panicked outside the handler"))
    })?;
    let (end, panics) = match outcome {
        Ok(outcome) => (End::Returned(outcome), notes.panics),
        Err(payload) => {
            let mut panics = notes.panics;
            if panics.is_empty() {
                let message = message_of(&*payload);
                panics.push(PanicNote { message, location: String::new(), host: None, at: Duration::ZERO });
            }
            (End::Panicked, panics)
        }
    };
    let at = panics.last().map_or(Duration::ZERO, |panic| panic.at);
    Ok(Finished { end, host: None, at, panics, ledger: Vec::new(), output: Vec::new(), cpu: start.elapsed() })
}
