//! Looks for the runs that catch a planted mistake, and compares them with runs of the right system.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::job::{CaseRef, JobKind};
use super::pool::{Done, Job, Pool, interrupted, next};
use super::run_result::RunResult;
use super::shrink::{Bounds, shrink};
use crate::fault::{Plan, Swarm};
use crate::run::{self, Detail, Outcome};
use crate::sandbox::is_interrupted;
use crate::scenario::Mistake;
use crate::seed::Seed;

/// The distance between the first seeds of two starts.
const STRIDE: u64 = 0x1_0000;

/// A mistake, and the places of its two scenarios in a pool.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The mistake.
    pub mistake: Mistake,
    /// The scenario without the mistake.
    pub right: usize,
    /// The scenario with the mistake.
    pub wrong: usize,
}

/// The options of a hunt for a mistake.
#[derive(Clone, Copy, Debug)]
pub struct HuntOptions {
    /// The largest number of runs from each start.
    pub most_runs: u64,
    /// How many times the hunt begins, each time with other seeds.
    pub starts: u64,
    /// The limits of shrinking the first run that caught it.
    pub shrink: Bounds,
}

/// How a hunt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HuntVerdict {
    /// From every start, a run broke a promise that the mistake breaks.
    Caught,
    /// From one start, no run broke any promise.
    Missed,
    /// From one start, runs broke only promises that the mistake does not break: this one first, with this seed.
    CaughtByAnother {
        /// The check that failed.
        check: String,
        /// The seed of the run.
        seed: Seed,
    },
    /// All runs were the same as those of the right system, so none of them reached the mistake.
    NotExercised,
    /// The right system breaks this promise of the mistake, too, with this seed.
    FalseAlarm {
        /// The check that failed.
        check: String,
        /// The seed of the run.
        seed: Seed,
    },
}

/// One start of a hunt that caught the mistake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catch {
    /// The seed of the run that caught it.
    pub seed: Seed,
    /// How many runs it took.
    pub runs: u64,
    /// The CPU time of these runs, in seconds.
    pub cpu_seconds: f64,
    /// The check that caught it.
    pub check: String,
    /// What the check found.
    pub why: String,
}

/// The result of a hunt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hunt {
    /// The mistake's name.
    pub mistake: String,
    /// The scenario's name.
    pub scenario: String,
    /// The promises that the mistake breaks.
    pub breaks: Vec<String>,
    /// The part that makes the mistake, if it is known.
    pub part: Option<String>,
    /// How it ended.
    pub verdict: HuntVerdict,
    /// The largest number of runs from each start.
    pub most_runs: u64,
    /// The starts that caught it, in order.
    pub catches: Vec<Catch>,
    /// How many faults are left in the plan of the first catch when it has been shrunk.
    pub faults_left: Option<usize>,
}

impl Hunt {
    /// Whether every start caught the mistake, and the right system broke nothing.
    pub fn is_caught(&self) -> bool {
        self.verdict == HuntVerdict::Caught
    }

    /// The median of the numbers of runs, over the starts that caught it.
    pub fn median_runs(&self) -> Option<f64> {
        median(self.catches.iter().map(|caught| caught.runs as f64))
    }

    /// The median of the CPU times in seconds, over the starts that caught it.
    pub fn median_cpu_seconds(&self) -> Option<f64> {
        median(self.catches.iter().map(|caught| caught.cpu_seconds))
    }
}

/// The middle of some numbers, or the mean of the two in the middle.
fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}

/// Looks for the runs that catch a mistake. `progress` is told the number of starts that have ended, and of all runs.
///
/// The seeds of the first start are also run without the mistake.
///
/// # Errors
/// If runs cannot be carried out at all.
pub fn hunt(
    pool: &Pool,
    planted: &Planted,
    options: &HuntOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Hunt, Error> {
    pool.scenarios()[planted.right].validate()?;
    pool.scenarios()[planted.wrong].validate()?;
    let mut searches = search_from_all(pool, planted, options, progress)?;
    let verdict = searches.iter().find_map(|search| search.verdict.clone()).unwrap_or(HuntVerdict::Caught);
    let mut faults_left = None;
    if let Some(found) = searches.first_mut().and_then(|search| search.found.take())
        && options.shrink.runs > 0
        && !options.shrink.within.is_zero()
    {
        let case = pool.draw(planted.wrong, &CaseRef::Seed(found.seed))?;
        let shrunk = shrink(pool, planted.wrong, &case, &found, options.shrink, &mut |_, _| {})?;
        faults_left = shrunk.map(|shrunk| shrunk.to.faults);
    }
    let Mistake { name, right, breaks, part, .. } = &planted.mistake;
    Ok(Hunt {
        mistake: name.clone(),
        scenario: right.name().to_owned(),
        breaks: breaks.clone(),
        part: part.clone(),
        verdict,
        most_runs: options.most_runs,
        catches: searches.into_iter().filter_map(|search| search.caught).collect(),
        faults_left,
    })
}

/// The search from one start.
struct Search {
    start: u64,
    /// How many runs have been judged.
    runs: u64,
    cpu: Duration,
    wrong: Option<RunResult>,
    right: Option<RunResult>,
    /// Whether a run differed from that of the right system.
    is_exercised: bool,
    /// The first promise that was broken although the mistake does not break it.
    another: Option<(String, Seed)>,
    /// Why it failed, if it did.
    verdict: Option<HuntVerdict>,
    caught: Option<Catch>,
    /// The outcome of the run that caught it, with the promises of the mistake alone.
    found: Option<Outcome>,
}

impl Search {
    fn new(start: u64) -> Search {
        Search {
            start,
            runs: 0,
            cpu: Duration::ZERO,
            wrong: None,
            right: None,
            is_exercised: false,
            another: None,
            verdict: None,
            caught: None,
            found: None,
        }
    }

    fn is_compared(&self) -> bool {
        self.start == 0
    }

    fn is_over(&self) -> bool {
        self.caught.is_some() || self.verdict.is_some()
    }

    fn seed(&self) -> Seed {
        Seed(self.start * STRIDE + self.runs)
    }

    fn submit(&self, pool: &Pool, planted: &Planted, reply: &Sender<Done>) {
        let tag = self.start as usize * 2;
        let job = |scenario| Job::plain(scenario, CaseRef::Seed(self.seed()), JobKind::Outcome);
        pool.send(Job { tag, ..job(planted.wrong) }, reply);
        if self.is_compared() {
            pool.send(Job { tag: tag + 1, ..job(planted.right) }, reply);
        }
    }

    /// Judges the results of a seed, if they are all there; returns whether they were.
    fn judge(&mut self, planted: &Planted, most_runs: u64) -> bool {
        if self.wrong.is_none() || (self.is_compared() && self.right.is_none()) {
            return false;
        }
        let (Some(wrong), right) = (self.wrong.take(), self.right.take()) else { return false };
        let seed = self.seed();
        self.runs += 1;
        self.cpu += wrong.cpu;
        let is_expected = |check: &str| planted.mistake.is_caught_by(check);
        if let Some(right) = &right {
            self.is_exercised |= right.outcome.fingerprint != wrong.outcome.fingerprint;
            let mut alarms = right.outcome.findings.iter().filter(|finding| finding.verdict.is_fail());
            if let Some(alarm) = alarms.find(|finding| is_expected(&finding.check)) {
                self.verdict = Some(HuntVerdict::FalseAlarm { check: alarm.check.clone(), seed });
                return true;
            }
        }
        let mut outcome = wrong.outcome;
        let broken = || outcome.findings.iter().filter(|finding| finding.verdict.is_fail());
        if let Some(finding) = broken().find(|finding| is_expected(&finding.check)) {
            self.caught = Some(Catch {
                seed,
                runs: self.runs,
                cpu_seconds: self.cpu.as_secs_f64(),
                check: finding.check.clone(),
                why: finding.verdict.to_string(),
            });
            outcome.findings.retain(|finding| is_expected(&finding.check));
            self.found = Some(outcome);
        } else if let Some(finding) = broken().next() {
            self.another.get_or_insert((finding.check.clone(), seed));
        }
        if self.caught.is_none() && self.runs >= most_runs {
            self.verdict = Some(match self.another.take() {
                Some((check, seed)) => HuntVerdict::CaughtByAnother { check, seed },
                None if self.is_compared() && !self.is_exercised => HuntVerdict::NotExercised,
                None => HuntVerdict::Missed,
            });
        }
        true
    }
}

/// Makes a plan from the names of the hosts and the time that faults have.
pub type MakePlan<'a> = &'a dyn Fn(&[&str], Duration) -> Plan;

/// Makes one run with the mistake, in this thread, and says whether it broke a promise of the mistake. Without
/// `plan`, the seed draws the scenario's own.
pub fn is_caught_by(mistake: &Mistake, seed: Seed, plan: Option<MakePlan<'_>>) -> bool {
    let scenario = &mistake.wrong;
    let mut case = match plan {
        None => run::draw(scenario, seed, &Swarm::default()),
        Some(_) => scenario.control(seed),
    };
    if let Some(plan) = plan {
        let names: Vec<&str> = scenario.hosts.iter().map(|host| host.name.as_str()).collect();
        case.plan = plan(&names, scenario.run_for);
    }
    let outcome = run::run_valid(scenario, &case, Detail::Lean).outcome;
    outcome.findings.iter().any(|finding| finding.verdict.is_fail() && mistake.is_caught_by(&finding.check))
}

/// Searches from each start, one run after the other, and from several starts at once. No new start begins after one that
/// failed.
fn search_from_all(
    pool: &Pool,
    planted: &Planted,
    options: &HuntOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Search>, Error> {
    let (sender, receiver) = channel();
    let mut searches: Vec<Search> = Vec::new();
    let (mut running, mut ended, mut runs, mut has_failed) = (0, 0, 0, false);
    loop {
        while running <= pool.jobs() && (searches.len() as u64) < options.starts && !has_failed {
            let search = Search::new(searches.len() as u64);
            search.submit(pool, planted, &sender);
            searches.push(search);
            running += 1;
        }
        if running == 0 {
            return Ok(searches);
        }
        let done = next(&receiver)?;
        if is_interrupted() {
            return Err(interrupted());
        }
        let (search, is_right) = (&mut searches[done.tag / 2], done.tag % 2 == 1);
        let scenario = if is_right { planted.right } else { planted.wrong };
        let answer = pool.answer(scenario, done)?;
        *(if is_right { &mut search.right } else { &mut search.wrong }) = Some(answer);
        if !search.judge(planted, options.most_runs) {
            continue;
        }
        runs += 1;
        if search.is_over() {
            has_failed |= search.verdict.is_some();
            running -= 1;
            ended += 1;
        } else {
            search.submit(pool, planted, &sender);
        }
        progress(ended, runs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_starts_is_the_mean_of_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}
