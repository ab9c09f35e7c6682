//! Which generators a run uses at all, and how hard: runs that differ in kind find more than runs that are all alike.
//!
//! After Groce, Zhang, Eide, Chen and Regehr, "Swarm Testing" (ISSTA 2012): a run with few kinds of faults gets farther in
//! what those bring about than one in which everything happens at once.

use std::fmt;
use std::str::FromStr;

use proptest::strategy::{Strategy, ValueTree};
use serde::{Deserialize, Serialize};

use super::{Generator, Plan, Topology};
use crate::seed::Seed;

/// How hard faults are, in per cent of what their generators say: how often they happen, how much they lose or delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intensity {
    percent: u32,
}

impl Intensity {
    /// As the generators say.
    pub const FULL: Intensity = Intensity { percent: 100 };

    /// What a run that is not at full intensity draws from.
    const WEAKER: [Intensity; 3] = [Intensity::FULL, Intensity { percent: 50 }, Intensity { percent: 25 }];

    /// So many times as hard: 1 is what the generators say.
    pub fn times(self, number: f64) -> f64 {
        if self == Intensity::FULL { number } else { number * f64::from(self.percent) / 100.0 }
    }

    /// The same time, or a shorter one if faults are harder.
    pub(crate) fn shorten(self, time: std::time::Duration) -> std::time::Duration {
        if self == Intensity::FULL { time } else { (time * 100).checked_div(self.percent).unwrap_or(time) }
    }

    /// The same time, or a longer one if faults are harder.
    pub(crate) fn lengthen(self, time: std::time::Duration) -> std::time::Duration {
        if self == Intensity::FULL { time } else { time * self.percent / 100 }
    }
}

impl Default for Intensity {
    fn default() -> Intensity {
        Intensity::FULL
    }
}

impl fmt::Display for Intensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.percent) / 100.0)
    }
}

/// A text that is no intensity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no intensity between 0.01 and 10, such as 0.5 or 2")]
pub struct ParseIntensityError(String);

impl FromStr for Intensity {
    type Err = ParseIntensityError;

    fn from_str(text: &str) -> Result<Intensity, ParseIntensityError> {
        let percent = text.parse::<f64>().ok().map(|number| (number * 100.0).round());
        let percent = percent.filter(|percent| (1.0..=1_000.0).contains(percent)).map(|percent| percent as u32);
        percent.map(|percent| Intensity { percent }).ok_or_else(|| ParseIntensityError(text.to_owned()))
    }
}

/// What is said of the draw of all runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// Words that name generators: a generator takes part if its name is one of them or begins with one, or if `*` in it stands
    /// for the rest. If there are none, each run draws which generators it uses.
    pub faults: Vec<String>,
    /// How hard all faults are. If it is not said, each run draws how hard those of each generator are.
    pub intensity: Option<Intensity>,
}

impl Swarm {
    /// Every generator, as it is, in each run.
    pub fn whole() -> Swarm {
        Swarm { faults: vec!["*".to_owned()], intensity: Some(Intensity::FULL) }
    }

    /// Whether nothing is said.
    pub fn is_open(&self) -> bool {
        *self == Swarm::default()
    }

    /// Whether a generator is meant by its words.
    pub fn means(&self, generator: &str) -> bool {
        self.faults.iter().any(|word| {
            let begins =
                generator.strip_prefix(word.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
            begins || super::target::glob_matches(word, generator)
        })
    }

    /// How hard the faults of each generator are in the run of a seed; none of those that it does not use.
    ///
    /// A third of all runs use every generator as it is. Each of the others uses a generator with an even chance, at least one in
    /// all, at a quarter, a half or all of its intensity. A generator that is alone is always used as it is.
    pub fn shares(&self, seed: Seed, generators: &[Generator]) -> Vec<Option<Intensity>> {
        let is_whole = generators.len() < 2 || seed.decide("swarm: all sources", &[]).is_multiple_of(3);
        let uses = |index: usize| match self.faults.is_empty() {
            false => self.means(generators[index].name()),
            true => is_whole || seed.decide(&format!("swarm: {}", generators[index].name()), &[]).is_multiple_of(2),
        };
        let intensity = |index: usize| match self.intensity {
            Some(intensity) => intensity,
            None if is_whole => Intensity::FULL,
            None => {
                let drawn = seed.decide(&format!("intensity: {}", generators[index].name()), &[]);
                Intensity::WEAKER[(drawn % Intensity::WEAKER.len() as u64) as usize]
            }
        };
        let mut shares: Vec<_> = (0..generators.len()).map(|index| uses(index).then(|| intensity(index))).collect();
        if self.faults.is_empty() && shares.iter().all(Option::is_none) && !shares.is_empty() {
            let index = (seed.decide("swarm: the only source", &[]) % shares.len() as u64) as usize;
            shares[index] = Some(intensity(index));
        }
        shares
    }
}

/// The plan that a seed draws. What a generator draws does not depend on the others.
pub(crate) fn draw(topology: &Topology, generators: &[Generator], seed: Seed, swarm: &Swarm) -> Plan {
    let shares = swarm.shares(seed, generators);
    let draw = |share: &dyn Fn(Intensity) -> Intensity| {
        let mut faults = Vec::new();
        for (generator, intensity) in generators.iter().zip(&shares) {
            let Some(intensity) = intensity else { continue };
            let strategy = generator.strategy(&Topology { intensity: share(*intensity), ..topology.clone() });
            let drawn = strategy.new_tree(&mut seed.runner(&format!("plan: {}", generator.name())));
            faults.extend(drawn.expect("the strategies of fault generators must yield faults").current());
        }
        faults
    };
    let mut faults = draw(&|share| share);
    if faults.is_empty() && swarm.intensity.is_none() {
        // At a low intensity a short run may have no fault at all, and would tell nothing.
        faults = draw(&|_| Intensity::FULL);
    }
    Plan::new(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{kill, latency, loss, millis, one, power_off, secs};

    fn generators() -> Vec<Generator> {
        vec![
            loss(0.2, "a", "b").every(secs(2)..secs(4)).lasting(millis(100)..secs(1)).into(),
            kill(one("*")).every(secs(2)..secs(4)).lasting(millis(100)..secs(1)).into(),
            kill("a").every(secs(2)..secs(4)).into(),
            power_off("b").every(secs(2)..secs(4)).into(),
        ]
    }

    fn topology() -> Topology {
        Topology::of(&["a", "b"], secs(60))
    }

    fn drawn(seed: u64, swarm: &Swarm) -> Plan {
        draw(&topology(), &generators(), Seed(seed), swarm)
    }

    #[test]
    fn runs_differ_in_kind() {
        let mut kinds = std::collections::BTreeMap::new();
        for seed in 0..600 {
            let shares = Swarm::default().shares(Seed(seed), &generators());
            assert!(shares.iter().any(Option::is_some), "seed {seed} uses nothing");
            let used: Vec<bool> = shares.iter().map(Option::is_some).collect();
            *kinds.entry(used).or_insert(0) += 1;
        }
        assert_eq!(kinds.len(), 15, "every combination but none: {kinds:?}");
        let all = kinds[&vec![true; 4]];
        // A third of all, and one of sixteen of the rest.
        assert!((180..270).contains(&all), "{all} of 600 use every generator");
    }

    #[test]
    fn what_a_generator_draws_depends_on_no_other() {
        let words = |words: &[&str]| Swarm {
            faults: words.iter().map(|word| (*word).to_owned()).collect(),
            intensity: Some(Intensity::FULL),
        };
        for seed in 0..50 {
            let whole = drawn(seed, &words(&["*"]));
            let of = |swarm: Swarm| drawn(seed, &swarm).faults;
            let only = |names: &[&str]| {
                let faults = whole.faults.iter().filter(|fault| names.contains(&fault.generator.as_str()));
                faults.cloned().collect::<Vec<_>>()
            };
            assert_eq!(of(words(&["loss"])), only(&["loss a ↔ b"]));
            assert_eq!(of(words(&["kill"])), only(&["kill one of *", "kill a"]));
            assert_eq!(of(words(&["kill a", "power off"])), only(&["kill a", "power off b"]));
            assert_eq!(of(words(&["*one*"])), only(&["kill one of *"]));
            assert_eq!(of(words(&["kil"])), []);
        }
    }

    #[test]
    fn intensity_says_how_often_and_how_much() {
        let at = |text: &str| Swarm { faults: vec!["*".to_owned()], intensity: Some(text.parse().unwrap()) };
        let count = |text: &str| (0..20).map(|seed| drawn(seed, &at(text)).faults.len()).sum::<usize>();
        let (quarter, whole, twice) = (count("0.25"), count("1"), count("2"));
        assert!(quarter * 3 < whole && whole * 5 < twice * 4, "{quarter}, {whole}, {twice}");
        let rate = |text: &str| {
            let plan = drawn(1, &at(text));
            let loss = plan.faults.iter().find(|fault| fault.kind.name() == "loss").unwrap();
            loss.kind.to_string()
        };
        let rates = ["0.5", "1", "2", "10"].map(rate);
        assert_eq!(rates, ["loss 10.0 %", "loss 20.0 %", "loss 40.0 %", "loss 100.0 %"]);
        let late: Generator = latency(millis(10)..millis(20), "a", "b").throughout().into();
        let plan = draw(&topology(), &[late], Seed(1), &at("0.5"));
        assert_eq!(plan.faults[0].to_string(), "latency +5ms..10ms a ↔ b at 0s for 60s");
    }

    #[test]
    fn intensities_are_read_as_they_are_written() {
        for (text, expected) in [("1", Some(100)), ("0.25", Some(25)), ("10", Some(1_000)), ("0.01", Some(1))] {
            assert_eq!(text.parse::<Intensity>().ok().map(|intensity| intensity.percent), expected, "{text}");
            assert_eq!(text.parse::<Intensity>().unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "11", "NaN", "inf", "half"] {
            assert!(text.parse::<Intensity>().is_err(), "{text}");
        }
    }
}
