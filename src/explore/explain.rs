//! Explains why a run failed: which faults it needs, how far each can be moved, and which faults belong together.

use std::time::Duration;

use super::candidates::{CandidateOutcome, Candidates};
use super::error::Error;
use super::pool::Pool;
use super::promise::Promise;
use super::shrink::{with_fault, without_fault};
use crate::fault::{Fault, Trigger};
use crate::scenario::{Case, Scenario};

/// The limit of runs: more are not worth their time.
const MOST_RUNS: u64 = 500;

/// How far a fault can be moved in one direction with the promise still broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By this much, which is as far as the run allows.
    Anywhere(Duration),
    /// By this much; one step further, the promise is kept or another one is broken.
    UpTo(Duration),
    /// By at least this much; there was no time to try more.
    AtLeast(Duration),
    /// Not even by one step.
    Nowhere,
    /// Unknown: there was no time to find out, or this fault cannot be moved.
    NotKnown,
}

/// The part that one fault plays in a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultWhy {
    /// The result of the run without this fault; `None` if there was no time to find out.
    pub without: Option<CandidateOutcome>,
    /// How much earlier it can begin.
    pub earlier: Reach,
    /// How much later it can begin.
    pub later: Reach,
}

/// Two faults that matter together, by their indexes in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The first fault.
    pub first: usize,
    /// The second fault.
    pub second: usize,
    /// The promise is still broken if both faults begin this much later, but is kept if only one of them does.
    pub moved_by: Option<Duration>,
    /// Whether these two alone, out of more than two faults, break the promise.
    pub suffices: bool,
}

/// Why a run failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The part that each fault plays, in the order of the plan.
    pub faults: Vec<FaultWhy>,
    /// The pairs of faults that matter together.
    pub pairs: Vec<Pair>,
    /// The number of runs that the explanation took.
    pub runs: u64,
}

/// Finds out why this case breaks the promise, within a given time. `without` holds the results that are already known
/// of the run without each fault.
///
/// # Errors
/// If runs cannot be carried out at all.
pub fn explain(
    pool: &Pool,
    scenario: usize,
    case: &Case,
    promise: &Promise,
    without: &[CandidateOutcome],
    within: Duration,
) -> Result<Why, Error> {
    let mut trials = Candidates::new(pool, scenario, promise.clone(), within, MOST_RUNS);
    // The usual CPU time is that of a run without faults, which passes.
    trials.measure(&Case { plan: crate::fault::Plan::none(), ..case.clone() })?;
    let mut without = without.to_vec();
    let missing: Vec<Case> = (without.len()..case.plan.faults.len()).map(|index| without_fault(case, index)).collect();
    without.extend(trials.until(&missing, |_| false)?);
    let mut explainer = Explainer { scenario: &pool.scenarios()[scenario], case, trials };
    let mut faults = Vec::new();
    for index in 0..case.plan.faults.len() {
        let (earlier, later) = (explainer.reach(index, Direction::Earlier)?, explainer.reach(index, Direction::Later)?);
        faults.push(FaultWhy { without: without.get(index).cloned(), earlier, later });
    }
    let pairs = explainer.pairs(&faults)?;
    Ok(Why { faults, pairs, runs: explainer.trials.runs })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Earlier,
    Later,
}

struct Explainer<'a> {
    scenario: &'a Scenario,
    case: &'a Case,
    trials: Candidates<'a>,
}

impl Explainer<'_> {
    /// Finds how far a fault can be moved: doubles the shift until the promise is kept, then bisects.
    fn reach(&mut self, index: usize, direction: Direction) -> Result<Reach, Error> {
        let fault = &self.case.plan.faults[index];
        if fault.kind.segments().is_some() {
            return Ok(Reach::NotKnown);
        }
        let (Some(begins), Some(ends)) = (fault.begins_at(), fault.ends_at()) else { return Ok(Reach::NotKnown) };
        let room = match direction {
            Direction::Earlier => begins,
            Direction::Later => self.scenario.run_for.saturating_sub(ends),
        };
        let step = self.scenario.step_of_run();
        let mut shifts: Vec<Duration> = (0..20).map(|n| step * (1 << n)).take_while(|shift| *shift < room).collect();
        if room.is_zero() {
            return Ok(Reach::NotKnown);
        }
        shifts.push(room);
        let candidates: Vec<Case> = shifts.iter().map(|shift| self.moved(&[index], direction, *shift)).collect();
        let found = self.trials.until(&candidates, |trial| *trial != CandidateOutcome::Broken)?;
        let broken_up_to = found.iter().take_while(|trial| **trial == CandidateOutcome::Broken).count();
        let known = if broken_up_to == 0 { Reach::NotKnown } else { Reach::AtLeast(shifts[broken_up_to - 1]) };
        match found.get(broken_up_to) {
            None if broken_up_to == shifts.len() => return Ok(Reach::Anywhere(room)),
            // There was no time.
            None | Some(CandidateOutcome::Broken) => return Ok(known),
            // Where the verdict is unknown, for example as there is nothing left to judge, nothing is broken.
            Some(CandidateOutcome::Passes | CandidateOutcome::Other(_) | CandidateOutcome::Unknown) => {}
        }
        let first_kept = broken_up_to;
        let mut broken = if first_kept == 0 { Duration::ZERO } else { shifts[first_kept - 1] };
        let mut kept = shifts[first_kept];
        while kept - broken > step {
            let middle = broken + step * ((kept - broken).div_duration_f64(step) / 2.0).max(1.0) as u32;
            match self.trials.until(&[self.moved(&[index], direction, middle)], |_| true)?.first() {
                Some(CandidateOutcome::Broken) => broken = middle,
                Some(CandidateOutcome::Passes | CandidateOutcome::Other(_) | CandidateOutcome::Unknown)
                    if middle < kept =>
                {
                    kept = middle;
                }
                _ if broken.is_zero() => return Ok(Reach::NotKnown),
                _ => return Ok(Reach::AtLeast(broken)),
            }
        }
        Ok(if broken.is_zero() { Reach::Nowhere } else { Reach::UpTo(broken) })
    }

    /// The pairs of faults whose distance in time matters, or that suffice without the others.
    fn pairs(&mut self, faults: &[FaultWhy]) -> Result<Vec<Pair>, Error> {
        let mut pairs = Vec::new();
        for first in 0..faults.len() {
            for second in first + 1..faults.len() {
                let moved_by = self.moved_together(faults, first, second)?;
                let suffices = faults.len() > 2 && self.suffice(first, second)?;
                if moved_by.is_some() || suffices {
                    pairs.push(Pair { first, second, moved_by, suffices });
                }
            }
        }
        Ok(pairs)
    }

    fn moved_together(&mut self, faults: &[FaultWhy], first: usize, second: usize) -> Result<Option<Duration>, Error> {
        let step = self.scenario.step_of_run();
        let alone = |index: usize| match faults[index].later {
            Reach::UpTo(reach) => Some(reach + step),
            Reach::Nowhere => Some(step),
            Reach::Anywhere(_) | Reach::AtLeast(_) | Reach::NotKnown => None,
        };
        let (Some(a), Some(b)) = (alone(first), alone(second)) else { return Ok(None) };
        let shift = a.max(b);
        let last_end = [first, second].map(|index| self.case.plan.faults[index].ends_at()).into_iter().max().flatten();
        if last_end.unwrap_or_default() + shift > self.scenario.run_for {
            return Ok(None);
        }
        // Moving either of them alone must keep the promise, or the pair says no more than one of them does.
        let candidates =
            [vec![first, second], vec![first], vec![second]].map(|moved| self.moved(&moved, Direction::Later, shift));
        let trials = self.trials.until(&candidates, |_| false)?;
        let [together, first, second] = trials.as_slice() else { return Ok(None) };
        let is_kept = |trial: &CandidateOutcome| matches!(trial, CandidateOutcome::Passes | CandidateOutcome::Other(_));
        let is_pair = *together == CandidateOutcome::Broken && is_kept(first) && is_kept(second);
        Ok(is_pair.then_some(shift))
    }

    fn suffice(&mut self, first: usize, second: usize) -> Result<bool, Error> {
        let faults = [first, second].map(|index| self.case.plan.faults[index].clone());
        let case = Case { plan: crate::fault::Plan { faults: faults.to_vec() }, ..self.case.clone() };
        Ok(self.trials.until(&[case], |_| true)?.first() == Some(&CandidateOutcome::Broken))
    }

    fn moved(&self, indexes: &[usize], direction: Direction, by: Duration) -> Case {
        let mut case = self.case.clone();
        for index in indexes {
            let fault = &case.plan.faults[*index];
            // `reach` and `moved_together` move only faults that begin at a time.
            let Some(begins) = fault.begins_at() else { continue };
            let at = match direction {
                Direction::Earlier => begins.saturating_sub(by),
                Direction::Later => begins + by,
            };
            let fault = Fault { trigger: Trigger::At(at), ..fault.clone() };
            case = with_fault(&case, *index, fault);
        }
        case
    }
}
