//! Shrinks a failing case, as plain data, while it keeps breaking the same promise.
//!
//! First, rates of faults become explicit data: the decisions that were effective. Then delta debugging removes faults,
//! single segments and operations (and faults that only moved others, which are then moved), the remaining faults become
//! simpler, narrower, shorter and rounder, and the values of the remaining operations smaller. This goes on until nothing
//! changes. In the end each remaining fault is left out once more, to show that none of them can go.

mod ddmin;
mod explicit;
mod reduce;
mod retime;
mod values;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::candidates::{CandidateOutcome, Candidates, Limit};
use super::error::Error;
use super::job::CaseRef;
use super::pool::Pool;
use super::promise::Promise;
use crate::fault::{Fault, FaultKind, Plan};
use crate::run::Outcome;
use crate::scenario::{Case, Engine, Scenario, SeededOrder};
use crate::seed::Seed;

use ddmin::FirstMatch;
use values::Domain;

pub use reduce::Size;
pub(in crate::explore) use reduce::{with_fault, without_fault};

/// The extra time to leave out each fault once more when the time is up.
const GRACE: Duration = Duration::from_secs(3);
/// The extra runs for that.
const GRACE_RUNS: u64 = 50;
/// The number of seeds whose input shows which values the workload draws.
const DRAWS: u64 = 32;

/// Receives the progress of shrinking: the number of runs and the size of the smallest case up to now.
pub type ShrinkProgress<'a> = dyn FnMut(u64, Size) + 'a;

/// A smaller case that breaks the same promise.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smaller case.
    pub case: Case,
    /// The promise that it breaks.
    pub promise: Promise,
    /// The size of the original case.
    pub from: Size,
    /// The size of the smaller case.
    pub to: Size,
    /// The number of runs that shrinking took.
    pub runs: u64,
    /// The wall-clock time that shrinking took.
    pub took: Duration,
    /// The limit that ended it; `None` if nothing smaller was left to try.
    pub limit: Option<Limit>,
    /// The results of the run without each of the faults; shorter than the plan if the time was up.
    pub without: Vec<CandidateOutcome>,
}

impl Shrunk {
    /// Whether leaving out each fault was tried, and the promise was kept each time.
    pub fn is_minimal(&self) -> bool {
        self.without.len() == self.to.faults && !self.without.contains(&CandidateOutcome::Broken)
    }
}

/// The limits of shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest time it may take.
    pub within: Duration,
    /// The largest number of runs it may make.
    pub runs: u64,
}

/// Shrinks a case, whose run had this `outcome`. Returns `None` if the run broke no promise.
///
/// # Errors
/// If runs cannot be carried out at all.
pub fn shrink(
    pool: &Pool,
    scenario: usize,
    case: &Case,
    outcome: &Outcome,
    bounds: Bounds,
    progress: &mut ShrinkProgress<'_>,
) -> Result<Option<Shrunk>, Error> {
    let Some(promise) = Promise::of(outcome) else { return Ok(None) };
    let (started, from) = (Instant::now(), Size::of(case));
    let trials = Candidates::new(pool, scenario, promise, bounds.within, bounds.runs);
    let domain = Arc::new(drawn(pool, scenario, case));
    let scenario = &pool.scenarios()[scenario];
    let step = scenario.step_of_run();
    let mut shrinker = Shrinker { scenario, trials, case: case.clone(), step, domain, needs_faults: true, progress };
    shrinker.shrink(&outcome.fault_effects)?;
    let limit = shrinker.trials.met;
    // Rounder times may have changed the order; faults that begin together keep theirs.
    shrinker.case.plan = Plan::new(std::mem::take(&mut shrinker.case.plan.faults));
    let without = shrinker.leave_out_each()?;
    let Shrinker { case, trials, .. } = shrinker;
    let (to, promise, runs) = (Size::of(&case), trials.promise, trials.runs);
    Ok(Some(Shrunk { case, promise, from, to, runs, took: started.elapsed(), limit, without }))
}

/// The values that the workload draws for the seeds that follow the one of a case, and those of the case.
fn drawn(pool: &Pool, scenario: usize, case: &Case) -> Domain {
    let seeds = (1..=DRAWS).map(|number| CaseRef::Control(Seed(case.seed.0.wrapping_add(number))));
    // Without any operation there is nothing to draw for. A seed that cannot be drawn shows no values.
    let seeds = seeds.take(if reduce::operations(case).is_empty() { 0 } else { DRAWS as usize });
    let drawn: Vec<Case> = seeds.filter_map(|seed| pool.draw(scenario, &seed).ok()).collect();
    Domain::of(drawn.iter().chain([case]).map(|case| &case.input))
}

struct Shrinker<'a, 'b> {
    scenario: &'a Scenario,
    trials: Candidates<'a>,
    /// The smallest case up to now.
    case: Case,
    step: Duration,
    /// What the workload draws.
    domain: Arc<Domain>,
    /// Whether the promise is kept without any fault.
    needs_faults: bool,
    progress: &'a mut ShrinkProgress<'b>,
}

impl Shrinker<'_, '_> {
    fn shrink(&mut self, effects: &[u64]) -> Result<(), Error> {
        // The CPU time of a run without faults is the measure for all candidates. If that run fails, no fault is
        // needed.
        let control = reduce::with_faults(&self.case, Vec::new());
        if self.trials.measure(&control)? == CandidateOutcome::Broken {
            self.case = control;
            self.needs_faults = false;
        } else {
            // The hosts that a selector resolves to may depend on the fault's place in the plan, so names come first.
            self.leave_nothing_to_chance()?;
            self.drop_idle_faults(effects)?;
            self.fewer_faults()?;
            if self.fewer_faults_at_other_times()? {
                self.fewer_faults()?;
            }
            self.earlier_trigger_points()?;
        }
        loop {
            let before = self.case.clone();
            self.fewer_operations()?;
            self.fewer_faults()?;
            self.smaller_faults()?;
            self.merged_operations()?;
            self.smaller_values()?;
            self.less_seeded_order()?;
            // What became smaller may let something else go. Candidates that are known cost nothing.
            if self.case == before || self.trials.is_over() {
                return Ok(());
            }
        }
    }

    /// Continues with the first of these ways to make the case smaller that breaks the promise; returns false if none does.
    /// A candidate is a copy of the whole case, so it is made only when it is run.
    fn take_first<W>(&mut self, ways: &[W], make: impl Fn(&Case, &W) -> Case) -> Result<bool, Error> {
        let case = &self.case;
        let first = self.trials.first_broken(ways.len(), &|index| make(case, &ways[index]))?;
        let is_smaller = first.is_some();
        if let Some(index) = first {
            self.case = make(case, &ways[index]);
        }
        (self.progress)(self.trials.runs, Size::of(&self.case));
        Ok(is_smaller)
    }

    /// Delta debugging over a list that is part of the case.
    fn minimise<T: Clone>(&mut self, items: Vec<T>, with: impl Fn(&Case, &[T]) -> Case) -> Result<Vec<T>, Error> {
        let whole = self.case.clone();
        ddmin::minimise(items, |count, list: &dyn Fn(usize) -> Vec<T>| {
            let make = |index: usize| with(&whole, &list(index));
            let first = self.trials.first_broken(count, &make)?;
            if let Some(index) = first {
                self.case = make(index);
            }
            (self.progress)(self.trials.runs, Size::of(&self.case));
            Ok(match first {
                Some(index) => FirstMatch::Found(index),
                None if self.trials.is_over() => FirstMatch::OutOfTime,
                None => FirstMatch::None,
            })
        })
    }

    fn drop_idle_faults(&mut self, effects: &[u64]) -> Result<(), Error> {
        let faults = self.case.plan.faults.iter().enumerate();
        let effective: Vec<Fault> = faults
            .filter(|(index, _)| effects.get(*index).is_none_or(|effects| *effects > 0))
            .map(|(_, fault)| fault.clone())
            .collect();
        if effective.len() < self.case.plan.faults.len() {
            self.take_first(&[effective], |case, faults| reduce::with_faults(case, faults.clone()))?;
        }
        Ok(())
    }

    /// Replaces rates by the decisions that were effective; in a run that dies, by those up to its death.
    fn leave_nothing_to_chance(&mut self) -> Result<(), Error> {
        if let Some(recording) = self.trials.record(&self.case)? {
            let explicit = explicit::explicit(self.scenario, &recording);
            if explicit != self.case {
                self.take_first(&[explicit], |_, explicit| explicit.clone())?;
            }
        }
        Ok(())
    }

    fn fewer_faults(&mut self) -> Result<(), Error> {
        let faults = self.case.plan.faults.clone();
        self.minimise(faults, |case, faults| reduce::with_faults(case, faults.to_vec()))?;
        for index in 0..self.case.plan.faults.len() {
            let Some(fates) = self.case.plan.faults[index].kind.segments() else { continue };
            self.minimise(fates.to_vec(), |case, fates| {
                let kind = FaultKind::of_segments(fates.to_vec());
                with_fault(case, index, Fault { kind, ..case.plan.faults[index].clone() })
            })?;
        }
        Ok(())
    }

    /// Leaves out single faults that only made later ones hit what they hit: those are moved. Returns whether any could
    /// be left out.
    fn fewer_faults_at_other_times(&mut self) -> Result<bool, Error> {
        let (mut index, mut is_smaller) = (0, false);
        while self.case.plan.faults.len() > 1 && index < self.case.plan.faults.len() && !self.trials.is_over() {
            let without = without_fault(&self.case, index);
            let recordings = (self.trials.record(&self.case)?, self.trials.record(&without)?);
            let (Some(with), Some(without)) = recordings else { break };
            if self.take_first(&retime::candidates(&with, &without, index), |_, retimed| retimed.clone())? {
                (index, is_smaller) = (0, true);
            } else {
                index += 1;
            }
        }
        Ok(is_smaller)
    }

    /// Makes faults begin at an earlier message or event, so that fewer operations are needed before them.
    fn earlier_trigger_points(&mut self) -> Result<(), Error> {
        for index in 0..self.case.plan.faults.len() {
            while self.replace_fault(index, reduce::earlier_trigger_points)? {}
        }
        Ok(())
    }

    fn fewer_operations(&mut self) -> Result<(), Error> {
        let clients = reduce::clients(&self.case);
        if clients.len() > 1 {
            self.minimise(clients, reduce::with_clients)?;
        }
        let operations = reduce::operations(&self.case);
        self.minimise(operations, reduce::with_operations)?;
        Ok(())
    }

    /// Makes one operation of two while that is possible. The sum of two numbers may be one that the workload never draws, so
    /// the smaller case must still keep its promise without faults.
    fn merged_operations(&mut self) -> Result<(), Error> {
        while self.needs_faults {
            let before = self.case.clone();
            if !self.take_first(&values::merged(&before), |case, merged| merged.in_case(case))? {
                break;
            }
            let control = reduce::with_faults(&self.case, Vec::new());
            if self.trials.until(&[control], |_| true)?.first() != Some(&CandidateOutcome::Passes) {
                self.case = before;
                break;
            }
        }
        Ok(())
    }

    /// Makes the values of operations smaller: first all that can be the smallest at once, then the others one by one.
    fn smaller_values(&mut self) -> Result<(), Error> {
        let domain = self.domain.clone();
        let leaves = values::leaves(&self.case, &domain);
        if leaves.is_empty() {
            return Ok(());
        }
        for leaf in self.minimise(leaves, |case, kept| values::smallest_but(case, &domain, kept))? {
            // There may be thousands of places, and each takes a look at all others.
            while !self.trials.is_over()
                && self
                    .take_first(&values::smaller(&self.case, &domain, &leaf), |case, smaller| smaller.in_case(case))?
            {
            }
        }
        Ok(())
    }

    /// Lets the seed order hosts that are due at the same time for as short as possible: never, or else up to the last such
    /// moment that matters, and from the first one on.
    fn less_seeded_order(&mut self) -> Result<(), Error> {
        // Moments are exact, so there is one that matters.
        const CLOSE: Duration = Duration::from_nanos(1);
        if self.case.engine != Engine::Events || self.case.seeded_order.is_never() {
            return Ok(());
        }
        let ordered = |case: &Case, order: &SeededOrder| Case { seeded_order: *order, ..case.clone() };
        if self.take_first(&[SeededOrder::NEVER], ordered)? {
            return Ok(());
        }
        let SeededOrder { from: mut kept, until } = self.case.seeded_order;
        let mut end = until.min(self.scenario.duration());
        while end.saturating_sub(kept) > CLOSE && !self.trials.is_over() {
            let until = kept + (end - kept) / 2;
            match self.take_first(&[SeededOrder { until, ..self.case.seeded_order }], ordered)? {
                true => end = until,
                false => kept = until,
            }
        }
        let (mut start, mut kept) = (self.case.seeded_order.from, end);
        while kept.saturating_sub(start) > CLOSE && !self.trials.is_over() {
            let from = start + (kept - start) / 2;
            match self.take_first(&[SeededOrder { from, ..self.case.seeded_order }], ordered)? {
                true => start = from,
                false => kept = from,
            }
        }
        Ok(())
    }

    /// Makes each fault simpler, narrower, shorter and rounder.
    fn smaller_faults(&mut self) -> Result<(), Error> {
        for index in 0..self.case.plan.faults.len() {
            self.replace_fault(index, reduce::simpler_kinds)?;
            for side in [reduce::Side::First, reduce::Side::Second] {
                let hosts = reduce::hosts_of(&self.case.plan.faults[index], side);
                if hosts.len() > 1 {
                    self.minimise(hosts, |case, hosts| {
                        let fault = reduce::with_hosts(&case.plan.faults[index], side, hosts.to_vec());
                        with_fault(case, index, fault)
                    })?;
                }
            }
            let step = self.step;
            while self.replace_fault(index, |fault| reduce::shorter(fault, step))? {}
            while self.replace_fault(index, reduce::milder)? {}
            self.replace_fault(index, |fault| reduce::rounder(fault, step))?;
        }
        Ok(())
    }

    fn replace_fault(&mut self, index: usize, ways: impl Fn(&Fault) -> Vec<Fault>) -> Result<bool, Error> {
        let ways = ways(&self.case.plan.faults[index]);
        self.take_first(&ways, |case, fault| with_fault(case, index, fault.clone()))
    }

    /// Leaves out each remaining fault until none of them can go, and returns the result of the run without each.
    fn leave_out_each(&mut self) -> Result<Vec<CandidateOutcome>, Error> {
        // The proof that a plan is minimal is worth a little extra time.
        self.trials.extend(GRACE, GRACE_RUNS);
        loop {
            let without: Vec<Case> =
                (0..self.case.plan.faults.len()).map(|index| without_fault(&self.case, index)).collect();
            let trials = self.trials.until(&without, |trial| *trial == CandidateOutcome::Broken)?;
            if trials.last() != Some(&CandidateOutcome::Broken) {
                return Ok(trials);
            }
            self.case.clone_from(&without[trials.len() - 1]);
        }
    }
}
