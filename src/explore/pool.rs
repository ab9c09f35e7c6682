//! The workers of an exploration: each is a zygote that one thread of the supervisor drives. All explorations of a
//! process share one pool, so the number of workers is bounded however many scenarios are explored at once.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::Error;
use super::examination::Examination;
use super::job::{self, CaseRef, JobKind, Reply};
use super::run_result::RunResult;
use super::serve::handler;
use crate::fault::Swarm;
use crate::sandbox::{End, EntryPoint, Finished, ProcessLimits, Worker, is_interrupted};
use crate::scenario::{Case, Engine, Scenario};

/// Runs cases of a table of scenarios.
#[derive(Debug)]
pub struct Pool {
    scenarios: Arc<[Scenario]>,
    hang_after: Option<Duration>,
    swarm: Arc<Swarm>,
    engine: Option<Engine>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// A run to make.
pub(crate) struct Job {
    pub(crate) scenario: usize,
    pub(crate) case_ref: CaseRef,
    pub(crate) kind: JobKind,
    /// A limit of CPU time that applies if it is lower than the scenario's.
    pub(crate) cpu_limit: Option<Duration>,
    /// Once this is set, the run no longer begins, and nothing is sent back.
    pub(crate) is_cancelled: Option<Arc<AtomicBool>>,
    /// Returned with the result.
    pub(crate) tag: usize,
}

impl Job {
    /// A run within its scenario's limits.
    pub(crate) fn plain(scenario: usize, case_ref: CaseRef, kind: JobKind) -> Job {
        Job { scenario, case_ref, kind, cpu_limit: None, is_cancelled: None, tag: 0 }
    }
}

/// A job that has ended.
pub(crate) struct Done {
    pub(crate) tag: usize,
    pub(crate) case_ref: CaseRef,
    pub(crate) finished: std::io::Result<Finished>,
}

struct Task {
    job: Job,
    swarm: Arc<Swarm>,
    engine: Option<Engine>,
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
    /// A pool of `jobs` workers for these scenarios; `entry` says how this executable is started as a worker. A worker
    /// is started when it is first needed. `hang_after` replaces the scenarios' own limits of CPU time.
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
        let engine = Engine::of_environment().unwrap_or_default();
        Pool { scenarios, hang_after, swarm: Arc::default(), engine, queue, threads }
    }

    /// The same pool, with the draws of all cases restricted.
    pub fn drawing(mut self, swarm: Swarm) -> Pool {
        self.swarm = Arc::new(swarm);
        self
    }

    /// The same pool, with all cases drawn for this engine, if it is one, instead of what `SQUALL_ENGINE` or their scenarios
    /// say.
    pub fn on(mut self, engine: Option<Engine>) -> Pool {
        self.engine = engine.or(self.engine);
        self
    }

    /// The restrictions on the draws of all cases.
    pub(crate) fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    /// The scenarios that its workers know.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// The number of workers.
    pub fn jobs(&self) -> usize {
        self.threads.len()
    }

    pub(crate) fn submit(&self, scenario: usize, case_ref: CaseRef, kind: JobKind, reply: &Sender<Done>) {
        self.send(Job::plain(scenario, case_ref, kind), reply);
    }

    pub(crate) fn send(&self, job: Job, reply: &Sender<Done>) {
        let (swarm, engine, reply) = (self.swarm.clone(), self.engine, reply.clone());
        self.queue.lock().tasks.push_back(Task { job, swarm, engine, reply });
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

    /// Draws a case in a child, where everything that a strategy may depend on is the same as in the run itself.
    pub(crate) fn draw(&self, scenario: usize, case_ref: &CaseRef) -> Result<Case, Error> {
        match self.ask(scenario, case_ref, JobKind::Case)? {
            Reply::Case(case) => Ok(*case),
            other => Err(unexpected(&other)),
        }
    }

    /// Runs a case with its system calls watched.
    pub(crate) fn examine(&self, scenario: usize, case_ref: &CaseRef) -> Result<Examination, Error> {
        match self.ask(scenario, case_ref, JobKind::Examination)? {
            Reply::Examination(examination) => Ok(*examination),
            other => Err(unexpected(&other)),
        }
    }

    /// The reply of a child to a job.
    ///
    /// # Errors
    /// If the child ends without a reply.
    fn ask(&self, scenario: usize, case_ref: &CaseRef, kind: JobKind) -> Result<Reply, Error> {
        let job = Job::plain(scenario, case_ref.clone(), kind);
        match self.wait_for(job)?.finished.map_err(Error::Worker)?.end {
            End::Returned(reply) => {
                serde_json::from_slice(&reply).map_err(|error| Error::Refused(format!("unreadable answer: {error}")))
            }
            end => Err(Error::Refused(format!("it ended before it answered: {end:?}"))),
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
        next(&receiver)
    }
}

/// How often a thread that waits for a result looks whether the program was interrupted.
const PATIENCE: Duration = Duration::from_millis(100);

/// The next result that arrives.
///
/// # Errors
/// If there is none any more, or the program was interrupted.
pub(super) fn next<T>(receiver: &Receiver<T>) -> Result<T, Error> {
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if is_interrupted() => {
                return Err(interrupted());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Refused("the threads of all workers ended".to_owned()));
            }
        }
    }
}

/// The error of work that somebody interrupted.
pub(super) fn interrupted() -> Error {
    Error::Refused("the program was interrupted".to_owned())
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
            // The waiting thread has already noticed a worker that panicked.
            let _ = thread.join();
        }
    }
}

fn limits(scenario: &Scenario, hang_after: Option<Duration>) -> ProcessLimits {
    let limits = scenario.run_limits();
    let stuck = hang_after.unwrap_or(limits.hang_after);
    let work = allowance(scenario);
    let cpu = stuck.saturating_mul(6).saturating_add(work);
    // The wall-clock limit only ends a run that waits for ever, as a busy machine may give a run little time.
    let wall = stuck.saturating_mul(12).max(Duration::from_secs(30)).saturating_add(work.saturating_mul(2));
    ProcessLimits { cpu, stuck, memory_bytes: limits.memory_bytes, wall }
}

/// The CPU time that the length of a run and its hosts may take by themselves: several times what idle hosts need in
/// each step, for each host and for each link.
fn allowance(scenario: &Scenario) -> Duration {
    let steps = scenario.duration().div_duration_f64(scenario.step_of_run()).ceil();
    let hosts = scenario.topology().hosts.len() as f64;
    let micros = steps * hosts * (10.0 + 2.0 * hosts);
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or(Duration::MAX)
}

/// Drives one worker, always from the same thread: a child that the kernel kills with its parent is killed as soon as
/// the thread that started it ends.
struct Driver {
    scenarios: Arc<[Scenario]>,
    entry: EntryPoint,
    hang_after: Option<Duration>,
    worker: Option<Worker>,
}

impl Driver {
    fn drive(mut self, queue: &Queue) {
        while let Some(Task { job, swarm, engine, reply }) = queue.next() {
            if job.is_cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                continue;
            }
            let finished = self.run(&job, &swarm, engine);
            // A receiver that is gone has stopped at an earlier seed.
            let _ = reply.send(Done { tag: job.tag, case_ref: job.case_ref, finished });
        }
    }

    fn run(&mut self, task: &Job, swarm: &Swarm, engine: Option<Engine>) -> std::io::Result<Finished> {
        let scenario = &self.scenarios[task.scenario];
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => {
                let worker = Worker::spawn(self.entry.clone(), handler(self.scenarios.clone()))?;
                warn_about_limits(&worker);
                none.insert(worker)
            }
        };
        let mut limits = limits(scenario, self.hang_after);
        if let Some(limit) = task.cpu_limit {
            limits.cpu = limit.min(limits.cpu);
            limits.stuck = limit.min(limits.stuck);
            // A candidate that waits for ever must not use up the time of all the others.
            limits.wall = limits.cpu.saturating_mul(12).max(Duration::from_secs(5)).min(limits.wall);
        }
        let mut run = |case_ref: &CaseRef, kind| {
            // Only a draw depends on the restrictions on draws, and what is drawn says what runs it.
            let open = Swarm::default();
            let (swarm, engine) = if kind == JobKind::Case { (swarm, engine) } else { (&open, None) };
            worker.run(&job::encode(scenario.name(), case_ref, kind, swarm, engine), &limits)
        };
        if task.kind == JobKind::Case || matches!(task.case_ref, CaseRef::Case(_)) {
            return run(&task.case_ref, task.kind);
        }
        // A case is drawn in a separate process, so that its run starts from the same bytes, and so with the same
        // memory, as a replay of the case from a file.
        let drawn = run(&task.case_ref, JobKind::Case)?;
        let End::Returned(reply) = &drawn.end else { return Ok(drawn) };
        match serde_json::from_slice(reply) {
            Ok(Reply::Case(case)) => {
                let finished = run(&CaseRef::Case(case), task.kind)?;
                Ok(Finished { cpu: drawn.cpu + finished.cpu, ..finished })
            }
            // A refusal goes to the caller as it is.
            _ => Ok(drawn),
        }
    }
}

/// Prints, once, what this machine cannot guarantee.
fn warn_about_limits(worker: &Worker) {
    static WARNED: Once = Once::new();
    if !worker.is_forked() {
        WARNED.call_once(|| {
            eprintln!(
                "squall: this platform cannot fork a process for each run, so all runs share this one: code that keeps \
                 state outside its hosts, hashes addresses or reads the system's clocks may differ from run to run"
            );
        });
    } else if !worker.address_randomisation_off() {
        WARNED.call_once(|| {
            eprintln!(
                "squall: address randomisation cannot be turned off here: if code hashes addresses, a case may give \
                 a different run in another invocation"
            );
        });
    }
}
