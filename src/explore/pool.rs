//! The workers of an exploration: each is a zygote that one thread of the supervisor drives. Shared by all explorations of a
//! process, so that their number is bounded however many scenarios are explored at once.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::Error;
use super::examination::Examination;
use super::job::{self, CaseRef, JobKind, Reply};
use super::run_result::RunResult;
use super::serve::handler;
use crate::fault::Swarm;
use crate::sandbox::{End, EntryPoint, Finished, ProcessLimits, Worker};
use crate::scenario::{Case, Scenario};

/// Runs cases of a table of scenarios.
#[derive(Debug)]
pub struct Pool {
    scenarios: Arc<[Scenario]>,
    hang_after: Option<Duration>,
    swarm: Arc<Swarm>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// A run to be made.
pub(crate) struct Job {
    pub(crate) scenario: usize,
    pub(crate) case_ref: CaseRef,
    pub(crate) kind: JobKind,
    /// Replaces the scenario's limit of CPU time, if it is lower.
    pub(crate) cpu_limit: Option<Duration>,
    /// Once this is set, the run is not begun any more, and nothing is sent back.
    pub(crate) is_cancelled: Option<Arc<AtomicBool>>,
    /// Comes back with the result.
    pub(crate) tag: usize,
}

impl Job {
    /// A run within its scenario's limits.
    pub(crate) fn plain(scenario: usize, case_ref: CaseRef, kind: JobKind) -> Job {
        Job { scenario, case_ref, kind, cpu_limit: None, is_cancelled: None, tag: 0 }
    }
}

/// A run that was asked for and has ended.
pub(crate) struct Done {
    pub(crate) tag: usize,
    pub(crate) case_ref: CaseRef,
    pub(crate) finished: std::io::Result<Finished>,
}

struct Task {
    job: Job,
    swarm: Arc<Swarm>,
    reply: Sender<Done>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    tasks: VecDeque<Task>,
    is_closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            match state.tasks.pop_front() {
                Some(task) => return Some(task),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Pool {
    /// `jobs` workers that know these scenarios; `entry` says how this executable gets to serve as one. A worker is
    /// started when it is first needed. `hang_after` replaces the scenarios' own limits of CPU time.
    pub fn new(
        scenarios: Arc<[Scenario]>,
        jobs: NonZeroUsize,
        entry: EntryPoint,
        hang_after: Option<Duration>,
    ) -> Pool {
        let queue = Arc::new(Queue::default());
        let threads = (0..jobs.get()).map(|_| {
            let driver = Driver { scenarios: scenarios.clone(), entry: entry.clone(), hang_after, worker: None };
            let queue = queue.clone();
            let thread = std::thread::Builder::new().name("squall worker".to_owned());
            thread.spawn(move || driver.drive(&queue)).expect("a thread for each worker")
        });
        let threads = threads.collect();
        Pool { scenarios, hang_after, swarm: Arc::default(), queue, threads }
    }

    /// The same pool, with something said of all draws of cases.
    pub fn drawing(mut self, swarm: Swarm) -> Pool {
        self.swarm = Arc::new(swarm);
        self
    }

    /// What is said of all draws of cases.
    pub(crate) fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    /// The scenarios that its workers know.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// How many workers there are.
    pub fn jobs(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn submit(&self, scenario: usize, case_ref: CaseRef, kind: JobKind, reply: &Sender<Done>) {
        self.send(Job::plain(scenario, case_ref, kind), reply);
    }

    pub(crate) fn send(&self, job: Job, reply: &Sender<Done>) {
        self.queue.lock().tasks.push_back(Task { job, swarm: self.swarm.clone(), reply: reply.clone() });
        self.queue.changed.notify_one();
    }

    /// Runs a case and waits for it.
    pub(crate) fn run(&self, scenario: usize, case_ref: &CaseRef, kind: JobKind) -> Result<RunResult, Error> {
        self.run_job(Job::plain(scenario, case_ref.clone(), kind))
    }

    /// Makes a run and waits for it.
    pub(crate) fn run_job(&self, job: Job) -> Result<RunResult, Error> {
        let scenario = job.scenario;
        self.answer(scenario, self.wait_for(job)?)
    }

    /// Draws a case in a child, where all that a strategy may depend on is the same as for the run itself.
    pub(crate) fn draw(&self, scenario: usize, case_ref: &CaseRef) -> Result<Case, Error> {
        match self.ask(scenario, case_ref, JobKind::Case)? {
            Reply::Case(case) => Ok(*case),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a case under closer watch.
    pub(crate) fn examine(&self, scenario: usize, case_ref: &CaseRef) -> Result<Examination, Error> {
        match self.ask(scenario, case_ref, JobKind::Examination)? {
            Reply::Examination(examination) => Ok(*examination),
            other => Err(unexpected(&other)),
        }
    }

    /// What a child replies that lives to do so.
    fn ask(&self, scenario: usize, case_ref: &CaseRef, kind: JobKind) -> Result<Reply, Error> {
        let job = Job::plain(scenario, case_ref.clone(), kind);
        match self.wait_for(job)?.finished.map_err(Error::Worker)?.end {
            End::Returned(reply) => {
                serde_json::from_slice(&reply).map_err(|error| Error::Refused(format!("unreadable answer: {error}")))
            }
            end => Err(Error::Refused(format!("it did not live to answer: {end:?}"))),
        }
    }

    pub(crate) fn answer(&self, scenario: usize, done: Done) -> Result<RunResult, Error> {
        let limits = limits(&self.scenarios[scenario], self.hang_after);
        RunResult::new(&self.scenarios[scenario], &done.case_ref, &limits, done.finished.map_err(Error::Worker)?)
    }

    fn wait_for(&self, job: Job) -> Result<Done, Error> {
        let (sender, receiver) = channel();
        self.send(job, &sender);
        drop(sender);
        receiver.recv().map_err(|_| Error::Refused("the thread of a worker ended".to_owned()))
    }
}

fn unexpected(reply: &Reply) -> Error {
    Error::Refused(format!("unexpected answer: {reply:?}"))
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let mut state = self.queue.lock();
            state.is_closed = true;
            state.tasks.clear();
        }
        self.queue.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A worker that panicked has been noticed by whoever waited for it.
            let _ = thread.join();
        }
    }
}

fn limits(scenario: &Scenario, hang_after: Option<Duration>) -> ProcessLimits {
    let limits = scenario.run_limits();
    let cpu = hang_after.unwrap_or(limits.hang_after);
    // A busy machine may give a run little of its time; this only ends a run that waits for ever.
    ProcessLimits { cpu, memory_bytes: limits.memory_bytes, wall: cpu.saturating_mul(12).max(Duration::from_secs(30)) }
}

/// Drives one worker, always from the same thread: a child of a process ends with the thread that started it, where the
/// system is told to end it with its parent.
struct Driver {
    scenarios: Arc<[Scenario]>,
    entry: EntryPoint,
    hang_after: Option<Duration>,
    worker: Option<Worker>,
}

impl Driver {
    fn drive(mut self, queue: &Queue) {
        while let Some(Task { job, swarm, reply }) = queue.next() {
            if job.is_cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                continue;
            }
            let finished = self.run(&job, &swarm);
            // Who does not wait any more has stopped at an earlier seed.
            let _ = reply.send(Done { tag: job.tag, case_ref: job.case_ref, finished });
        }
    }

    fn run(&mut self, task: &Job, swarm: &Swarm) -> std::io::Result<Finished> {
        let scenario = &self.scenarios[task.scenario];
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => {
                let worker = Worker::spawn(self.entry.clone(), handler(self.scenarios.clone()))?;
                say_what_is_not_guaranteed(&worker);
                none.insert(worker)
            }
        };
        let mut limits = limits(scenario, self.hang_after);
        if let Some(limit) = task.cpu_limit {
            limits.cpu = limit.min(limits.cpu);
            // A candidate that waits for ever must not use up the time of all others.
            limits.wall = limits.cpu.saturating_mul(12).max(Duration::from_secs(5)).min(limits.wall);
        }
        let mut run = |case_ref: &CaseRef, kind| {
            // Only a draw depends on what is said of draws.
            let open = Swarm::default();
            let swarm = if kind == JobKind::Case { swarm } else { &open };
            worker.run(&job::encode(scenario.name(), case_ref, kind, swarm), &limits)
        };
        if task.kind == JobKind::Case || matches!(task.case_ref, CaseRef::Case(_)) {
            return run(&task.case_ref, task.kind);
        }
        // A case is drawn in a process of its own: the run then starts from the same bytes, and so with the same memory,
        // as a replay of the case from a file.
        let drawn = run(&task.case_ref, JobKind::Case)?;
        let End::Returned(reply) = &drawn.end else { return Ok(drawn) };
        match serde_json::from_slice(reply) {
            Ok(Reply::Case(case)) => run(&CaseRef::Case(case), task.kind),
            // A refusal; whoever waits for it knows how to read it.
            _ => Ok(drawn),
        }
    }
}

fn say_what_is_not_guaranteed(worker: &Worker) {
    static SAID: Once = Once::new();
    if !worker.is_forked() {
        SAID.call_once(|| {
            eprintln!(
                "squall: no process can be forked for each run here, so runs share this one: code that keeps state \
                 outside of its hosts, hashes addresses or reads the system's clocks may differ from run to run"
            );
        });
    } else if !worker.address_randomisation_off() {
        SAID.call_once(|| {
            eprintln!(
                "squall: address randomisation cannot be turned off here: for code that hashes addresses, a case may \
                 give another run in another invocation"
            );
        });
    }
}
