//! Runs candidate cases, several at once, to find out which of them still break a promise.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::error::Error;
use super::job::{CaseRef, JobKind};
use super::pool::{Job, Pool, next};
use super::promise::{HANG, Promise};
use crate::check::Verdict;
use crate::run::Recording;
use crate::sandbox::is_interrupted;
use crate::scenario::Case;

/// The CPU time that a candidate may use, as a multiple of what a passing run uses.
const CPU_FACTOR: u32 = 5;
/// The least CPU time of any candidate: on a busy machine, a short run may take several times as long as usual.
const LEAST_CPU: Duration = Duration::from_millis(250);

/// How many candidates, known ones included, may be looked at ahead of the next one that is asked for.
const AHEAD: usize = 256;

/// The result of running a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateOutcome {
    /// The promise is broken.
    Broken,
    /// All promises are kept.
    Passes,
    /// Another promise is broken: the name of its check.
    Other(String),
    /// The verdict is unknown.
    Unknown,
}

/// A limit that ended a search before it had tried everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The limit of wall-clock time, so that a faster machine would have found more.
    Time,
    /// The limit of runs.
    Runs,
}

/// Runs candidates of one scenario against one promise, within a limit of time and a limit of runs.
///
/// What is found within the limit of runs depends neither on the number of workers nor on their speed: a run counts when
/// its result is asked for, in the order of the candidates, and what runs ahead of that is free.
pub(super) struct Candidates<'a> {
    pool: &'a Pool,
    scenario: usize,
    pub(super) promise: Promise,
    cpu_limit: Option<Duration>,
    until: Instant,
    /// The limit of runs, after which no further run begins.
    most_runs: u64,
    /// The results of the cases that were tried, by the cases' digests.
    known: HashMap<u128, CandidateOutcome>,
    /// The cases that were counted as runs, by their digests.
    counted: HashSet<u128>,
    pub(super) runs: u64,
    /// The first limit for which a candidate was not tried.
    pub(super) met: Option<Limit>,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(
        pool: &'a Pool,
        scenario: usize,
        promise: Promise,
        within: Duration,
        most_runs: u64,
    ) -> Candidates<'a> {
        let now = Instant::now();
        // A time that is too long to add counts as a year.
        let until = now.checked_add(within).unwrap_or(now + Duration::from_secs(365 * 24 * 3_600));
        Candidates {
            pool,
            scenario,
            promise,
            cpu_limit: None,
            until,
            most_runs,
            known: HashMap::new(),
            counted: HashSet::new(),
            runs: 0,
            met: None,
        }
    }

    /// Ensures that at least this much time and this many runs are left.
    pub(super) fn extend(&mut self, within: Duration, runs: u64) {
        self.until = self.until.max(Instant::now() + within);
        self.most_runs = self.most_runs.max(self.runs.saturating_add(runs));
    }

    /// Whether the limit of time or of runs is reached.
    pub(super) fn is_over(&self) -> bool {
        self.limit(0).is_some()
    }

    /// The limit that is met once `ahead` more runs have been counted.
    fn limit(&self, ahead: usize) -> Option<Limit> {
        if self.runs.saturating_add(ahead as u64) >= self.most_runs {
            return Some(Limit::Runs);
        }
        (Instant::now() >= self.until || is_interrupted()).then_some(Limit::Time)
    }

    /// Runs a case to measure its CPU time. If the run returns an outcome, later candidates may use a multiple of it.
    pub(super) fn measure(&mut self, case: &Case) -> Result<CandidateOutcome, Error> {
        let answer = self.pool.run(self.scenario, &CaseRef::Case(Box::new(case.clone())), JobKind::Outcome)?;
        self.runs += 1;
        if answer.termination == super::run_result::Termination::Returned {
            // Only its CPU time tells a hang from a slow run, so a run gets more of it before it is called hung.
            let is_hang = self.promise.place == HANG;
            let (factor, least) = if is_hang { (4 * CPU_FACTOR, 4 * LEAST_CPU) } else { (CPU_FACTOR, LEAST_CPU) };
            self.cpu_limit = Some((answer.cpu * factor).max(least));
        }
        let trial = self.judge(&answer.outcome);
        self.known.insert(digest(case), trial.clone());
        self.counted.insert(digest(case));
        Ok(trial)
    }

    /// The index of the first candidate, in order, that breaks the promise. `None` if no candidate does, or if a limit
    /// was reached first.
    pub(super) fn first_broken(&mut self, count: usize, make: &dyn Fn(usize) -> Case) -> Result<Option<usize>, Error> {
        let mut first = None;
        self.run(count, make, |index, trial| {
            let is_broken = *trial == CandidateOutcome::Broken;
            if is_broken {
                first = Some(index);
            }
            is_broken
        })?;
        Ok(first)
    }

    /// The results of the candidates, in order, up to the first for which `is_last` holds; fewer if a limit is reached.
    pub(super) fn until(
        &mut self,
        candidates: &[Case],
        is_last: impl Fn(&CandidateOutcome) -> bool,
    ) -> Result<Vec<CandidateOutcome>, Error> {
        let mut trials = Vec::new();
        self.run(candidates.len(), &|index| candidates[index].clone(), |_, trial| {
            trials.push(trial.clone());
            is_last(trial)
        })?;
        Ok(trials)
    }

    /// Records the run of a case, with twice the CPU time of a candidate, as recording takes longer.
    pub(super) fn record(&mut self, case: &Case) -> Result<Option<Box<Recording>>, Error> {
        let job = self.job(case.clone(), JobKind::Recording);
        let cpu_limit = self.cpu_limit.map(|limit| limit * 2);
        let answer = self.pool.run_job(Job { cpu_limit, ..job })?;
        self.runs += 1;
        Ok(answer.into_recording(&self.pool.scenarios()[self.scenario], case))
    }

    /// A job that runs a candidate with a candidate's CPU time.
    fn job(&self, case: Case, kind: JobKind) -> Job {
        let plain = Job::plain(self.scenario, CaseRef::Case(Box::new(case)), kind);
        Job { cpu_limit: self.cpu_limit, ..plain }
    }

    /// Runs candidates, as many at once as the pool allows, and hands their results to `take` in order until it returns
    /// true. Each candidate is made when its turn comes, as all of them together may not fit in memory.
    fn run(
        &mut self,
        count: usize,
        make: &dyn Fn(usize) -> Case,
        mut take: impl FnMut(usize, &CandidateOutcome) -> bool,
    ) -> Result<(), Error> {
        let (sender, receiver) = channel();
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let mut done: BTreeMap<usize, CandidateOutcome> = BTreeMap::new();
        let mut digests: BTreeMap<usize, u128> = BTreeMap::new();
        // Those that will count as runs once they are asked for.
        let mut uncounted: BTreeMap<usize, u128> = BTreeMap::new();
        let (mut submitted, mut awaited) = (0, 0);
        while awaited < count {
            while submitted < count && digests.len() < self.pool.jobs() && submitted < awaited + AHEAD {
                if self.limit(uncounted.len()).is_some() {
                    break;
                }
                let case = make(submitted);
                let digest = digest(&case);
                let is_new = !self.counted.contains(&digest) && uncounted.values().all(|other| *other != digest);
                if is_new && self.pool.scenarios()[self.scenario].defect(&case).is_none() {
                    uncounted.insert(submitted, digest);
                }
                if let Some(known) = self.known.get(&digest) {
                    done.insert(submitted, known.clone());
                } else if self.pool.scenarios()[self.scenario].defect(&case).is_some() {
                    // A case that cannot run at all breaks no promise.
                    done.insert(submitted, CandidateOutcome::Unknown);
                } else {
                    let job = self.job(case, JobKind::Outcome);
                    let is_cancelled = Some(is_cancelled.clone());
                    self.pool.send(Job { is_cancelled, tag: submitted, ..job }, &sender);
                    digests.insert(submitted, digest);
                }
                submitted += 1;
            }
            if let Some(trial) = done.remove(&awaited) {
                let is_enough = take(awaited, &trial);
                if let Some(digest) = uncounted.remove(&awaited) {
                    self.counted.insert(digest);
                    self.runs += 1;
                }
                awaited += 1;
                if is_enough {
                    break;
                }
            } else if digests.is_empty() {
                self.met = self.met.or(self.limit(0));
                break;
            } else {
                let finished = next(&receiver)?;
                let (tag, digest) = (finished.tag, digests.remove(&finished.tag));
                let answer = self.pool.answer(self.scenario, finished)?;
                let trial = self.judge(&answer.outcome);
                self.known.extend(digest.map(|digest| (digest, trial.clone())));
                done.insert(tag, trial);
            }
        }
        is_cancelled.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn judge(&self, outcome: &crate::run::Outcome) -> CandidateOutcome {
        if self.promise.is_broken_by(outcome) {
            return CandidateOutcome::Broken;
        }
        match (&outcome.verdict, Promise::of(outcome)) {
            (Verdict::Pass, _) => CandidateOutcome::Passes,
            (Verdict::Fail(_), Some(other)) => CandidateOutcome::Other(other.check),
            _ => CandidateOutcome::Unknown,
        }
    }
}

fn digest(case: &Case) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(&serde_json::to_vec(case).expect("a case came as JSON"));
    hasher.finish128().as_u128()
}
