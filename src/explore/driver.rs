//! The loop of an exploration: keeps all workers busy and judges their results in the order of the seeds.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::error::Error;
use super::exploration::Exploration;
use super::failure::{Evidence, investigate_result, study};
use super::job::{CaseRef, JobKind};
use super::latencies::Latencies;
use super::observer::Observer;
use super::options::{ExploreOptions, Verify};
use super::pool::{Done, Pool, next};
use super::run_line::RunLine;
use super::run_result::RunResult;
use crate::check::Verdict;
use crate::sandbox::{Escape, is_interrupted};
use crate::seed::Seed;

/// The number of runs for each worker that may be ahead of the next seed to judge, so that one slow run does not leave
/// the other workers idle.
const AHEAD: usize = 16;

/// Explores one scenario of the pool, by its index.
///
/// # Errors
/// If the scenario is invalid, or if runs cannot be carried out at all.
pub fn explore(
    pool: &Pool,
    scenario: usize,
    options: &ExploreOptions,
    observer: &mut dyn Observer,
) -> Result<Exploration, Error> {
    pool.scenarios()[scenario].validate()?;
    let name = pool.scenarios()[scenario].name().to_owned();
    observer.begins(&name, options);
    let (sender, receiver) = channel();
    let mut driver = Driver {
        pool,
        scenario,
        options,
        started: Instant::now(),
        exploration: Exploration {
            latencies: options.has_overview.then(Latencies::default),
            ..Exploration::before(&pool.scenarios()[scenario], options.seeds)
        },
        escapes: Vec::new(),
        slots: BTreeMap::new(),
        in_flight: 0,
        is_over: false,
        sender,
        receiver,
    };
    let explored = driver.run_controls().and_then(|()| driver.run_seeds(observer));
    // Whoever interrupts a program interrupts the processes that carry out its runs as well.
    if !is_interrupted() {
        explored?;
    }
    let mut exploration = driver.finish();
    if let Some(first) = exploration.failures.first_mut().filter(|_| !is_interrupted()) {
        let studied = study(pool, scenario, first, options, &mut |runs, size| observer.shrinking(runs, size));
        if !is_interrupted() {
            studied?;
        }
    }
    if is_interrupted() {
        exploration.notes.push(format!("interrupted after {}", count(exploration.runs)));
    }
    Ok(exploration)
}

/// A number of runs.
fn count(runs: u64) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// The results of a seed that has not been judged yet.
struct Slot {
    answers: Vec<RunResult>,
    awaited: usize,
}

struct Driver<'a> {
    pool: &'a Pool,
    scenario: usize,
    options: &'a ExploreOptions,
    started: Instant,
    exploration: Exploration,
    /// The first escape of each kind, and the number of runs that had one.
    escapes: Vec<(Escape, u64)>,
    slots: BTreeMap<Seed, Slot>,
    in_flight: usize,
    is_over: bool,
    sender: Sender<Done>,
    receiver: Receiver<Done>,
}

impl Driver<'_> {
    fn run_controls(&mut self) -> Result<(), Error> {
        for seed in self.options.seeds.iter().take(usize::try_from(self.options.controls).unwrap_or(usize::MAX)) {
            if self.is_over {
                break;
            }
            let case_ref = CaseRef::Control(seed);
            let first = self.pool.run(self.scenario, &case_ref, JobKind::Outcome)?;
            self.exploration.coverage.add_judged(&first.outcome.judged);
            if let Verdict::Unknown(why) = &first.outcome.verdict {
                let note = format!("the control of seed {seed} (no faults) is unknown: {why}");
                self.exploration.notes.push(note);
                self.exploration.unknown += 1;
            } else if first.outcome.verdict.is_fail() {
                self.add_failure(&case_ref, first, Evidence::RunOnce)?;
            }
        }
        Ok(())
    }

    fn run_seeds(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let mut seeds = self.options.seeds.iter().peekable();
        let mut due = self.options.seeds.iter();
        let mut awaited = due.next();
        loop {
            while self.has_room()
                && let Some(seed) = seeds.next()
            {
                self.start(seed);
            }
            if self.is_over || is_interrupted() || self.slots.is_empty() {
                return Ok(());
            }
            let done = next(&self.receiver)?;
            self.receive(done)?;
            while let Some(seed) = awaited
                && !self.is_over
                && !is_interrupted()
                && self.slots.get(&seed).is_some_and(|slot| slot.answers.len() == slot.awaited)
            {
                let slot = self.slots.remove(&seed).expect("it is there");
                self.judge(seed, slot, observer)?;
                awaited = due.next();
            }
        }
    }

    /// Whether another seed may be started.
    fn has_room(&self) -> bool {
        let has_time = self.options.within.is_none_or(|within| self.started.elapsed() < within);
        let jobs = self.pool.jobs();
        !self.is_over && !is_interrupted() && has_time && self.in_flight < 2 * jobs && self.slots.len() < AHEAD * jobs
    }

    fn start(&mut self, seed: Seed) {
        let is_verified = match self.options.verify {
            Verify::Failing => false,
            Verify::First => seed == self.options.seeds.first(),
            Verify::All => true,
        };
        let awaited = if is_verified { 2 } else { 1 };
        self.slots.insert(seed, Slot { answers: Vec::with_capacity(awaited), awaited });
        for _ in 0..awaited {
            self.submit(seed);
        }
    }

    fn submit(&mut self, seed: Seed) {
        self.in_flight += 1;
        let kind = if self.options.has_overview { JobKind::Timed } else { JobKind::Outcome };
        self.pool.submit(self.scenario, CaseRef::Seed(seed), kind, &self.sender);
    }

    /// Stores a result, and repeats the run if it left the sandbox.
    fn receive(&mut self, done: Done) -> Result<(), Error> {
        self.in_flight -= 1;
        let seed = done.case_ref.seed();
        let answer = self.pool.answer(self.scenario, done)?;
        let Some(slot) = self.slots.get_mut(&seed) else { return Ok(()) };
        let must_repeat = !answer.outcome.escapes.is_empty() && slot.awaited == 1;
        slot.answers.push(answer);
        if must_repeat {
            slot.awaited = 2;
            self.submit(seed);
        }
        Ok(())
    }

    fn judge(&mut self, seed: Seed, slot: Slot, observer: &mut dyn Observer) -> Result<(), Error> {
        let mut answers = slot.answers.into_iter();
        let first = answers.next().expect("a seed is judged once it has an answer");
        self.exploration.add(&first.outcome);
        observer.judged(&first.outcome, first.cpu);
        let evidence = match answers.next() {
            None => Evidence::RunOnce,
            Some(second) if first.is_same_run(&second) => Evidence::Same,
            Some(_) => Evidence::Different,
        };
        if self.options.has_overview {
            self.exploration.lines.push(RunLine::of(&first, evidence == Evidence::Different));
        }
        if let Some(latencies) = &first.latencies {
            self.exploration.latencies.get_or_insert_default().add(latencies);
        }
        if evidence == Evidence::Same {
            self.note_escapes(&first.outcome.escapes);
        }
        if first.outcome.verdict.is_fail() || evidence == Evidence::Different {
            self.add_failure(&CaseRef::Seed(seed), first, evidence)?;
        }
        Ok(())
    }

    fn add_failure(&mut self, case_ref: &CaseRef, first: RunResult, evidence: Evidence) -> Result<(), Error> {
        let directory = self.options.case_directory.as_deref();
        let failure = investigate_result(self.pool, self.scenario, case_ref, first, evidence, directory)?;
        self.exploration.failures.push(failure);
        self.is_over |= !self.options.keep_going;
        Ok(())
    }

    fn note_escapes(&mut self, escapes: &[Escape]) {
        for escape in escapes {
            match self.escapes.iter_mut().find(|(known, _)| known.kind == escape.kind) {
                Some((_, runs)) => *runs += 1,
                None => self.escapes.push((escape.clone(), 1)),
            }
        }
    }

    fn finish(mut self) -> Exploration {
        for (escape, runs) in &self.escapes {
            let host = escape.host.as_deref().unwrap_or("the world");
            if escape.kind.blocks() {
                self.exploration.notes.push(format!(
                    "{host} blocked its runtime's thread for {} in {}, so none of its tasks went on; `doctor` shows where; \
                     if this is intended, add `.allow_escape(\"{}\")` to the scenario",
                    escape.detail,
                    count(*runs),
                    escape.kind.name(),
                ));
                continue;
            }
            self.exploration.notes.push(format!(
                "{} left the sandbox and {} the same when repeated: {} on {host} ({}); \
                 if this is intended, add `.allow_escape(\"{}\")` to the scenario",
                count(*runs),
                if *runs == 1 { "was" } else { "were" },
                escape.kind.name(),
                escape.detail,
                escape.kind.name(),
            ));
        }
        let is_judged = self.exploration.runs >= self.pool.scenarios()[self.scenario].min_runs();
        let silent = self.exploration.generators.iter().filter(|effects| effects.planned == 0);
        for effects in silent.filter(|_| is_judged && self.pool.swarm().is_open()) {
            self.exploration.notes.push(format!(
                "fault generator `{}` drew no fault in {}: make sure that the message or event it waits for occurs \
                 in runs without faults",
                effects.generator,
                count(self.exploration.runs)
            ));
        }
        self.exploration.wall = self.started.elapsed();
        self.exploration
    }
}
