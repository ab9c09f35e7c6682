//! Tests of the sandbox with real effects: every job runs in a child of a zygote, which is this executable.
//!
//! `sandbox/jobs.rs` holds the jobs that run in the child, by name; the other files hold what the supervisor expects of
//! them.

#[path = "sandbox/ends.rs"]
mod ends;
#[path = "sandbox/escapes.rs"]
mod escapes;
#[cfg(target_os = "linux")]
#[path = "sandbox/facts.rs"]
mod facts;
#[path = "sandbox/jobs.rs"]
mod jobs;
#[cfg(target_os = "linux")]
#[path = "support/refuse.rs"]
mod refuse;
#[path = "sandbox/sameness.rs"]
mod sameness;
#[cfg(target_os = "linux")]
#[path = "sandbox/temporary.rs"]
mod temporary;
#[path = "sandbox/time.rs"]
mod time;
#[path = "support/trial.rs"]
mod trial;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;
use squall::internal::sandbox::{End, EntryPoint, Finished, ProcessLimits, Worker, serve_if_zygote};
use trial::trial;

fn main() -> ExitCode {
    serve_if_zygote(jobs::run);
    // The tests start this executable again, in another environment, to run one job and print its result.
    if let Ok(job) = std::env::var("SANDBOX_TEST_PRINT") {
        let refused = std::env::var("SANDBOX_TEST_REFUSE").ok();
        sameness::refuse(refused.as_deref().unwrap_or_default());
        let mut worker = Worker::spawn(EntryPoint::Main, Arc::new(jobs::run)).expect("the zygote starts");
        if refused.is_some() {
            print!("forked {}, fixed {}: ", worker.is_forked(), worker.address_randomisation_off());
        }
        print!("{}", returned(&worker.run(job.as_bytes(), &ProcessLimits::default()).expect("the job runs")));
        return ExitCode::SUCCESS;
    }
    let trials = [
        ends::trials(),
        sameness::trials(),
        time::trials(),
        escapes::trials(),
        #[cfg(target_os = "linux")]
        facts::trials(),
        #[cfg(target_os = "linux")]
        temporary::trials(),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}

/// A worker whose jobs are those of [`jobs`].
pub(crate) fn worker() -> Worker {
    let worker = Worker::spawn(EntryPoint::Main, Arc::new(jobs::run)).expect("the zygote starts");
    assert!(worker.is_forked() || cfg!(not(target_os = "linux")));
    worker
}

/// Runs the job of this name in a new worker.
pub(crate) fn run(job: &str) -> Finished {
    worker().run(job.as_bytes(), &ProcessLimits::default()).expect("the zygote runs the job")
}

/// The text that a job returned.
pub(crate) fn returned(finished: &Finished) -> String {
    match &finished.end {
        End::Returned(bytes) => String::from_utf8(bytes.clone()).expect("jobs return text"),
        other => panic!("{other:?}: {}", output(finished)),
    }
}

/// The text that a job wrote.
pub(crate) fn output(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.output).into_owned()
}
