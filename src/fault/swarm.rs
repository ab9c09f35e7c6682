//! Swarm testing: which generators a run uses, and at which intensity. Runs that differ in kind find more than runs
//! that are all alike.
//!
//! After Groce, Zhang, Eide, Chen and Regehr, "Swarm Testing" (ISSTA 2012): a run with few kinds of faults explores
//! their effects further than a run in which everything happens at once.

use proptest::strategy::{Strategy, ValueTree};
use serde::{Deserialize, Serialize};

use super::intensity::Intensity;
use super::{Generator, Plan, Topology};
use crate::seed::Seed;

/// Settings for how all runs draw their generators and intensities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// Words that select generators. Each is the name of a generator, the name of a kind, which selects all generators
    /// of that kind, or a pattern of names in which `*` stands for any text. Without words, each run draws which
    /// generators it uses.
    pub faults: Vec<String>,
    /// The intensity of all faults. If it is `None`, each run draws an intensity for each generator.
    pub intensity: Option<Intensity>,
}

impl Swarm {
    /// Every generator at full intensity in each run.
    pub fn whole() -> Swarm {
        Swarm { faults: vec!["*".to_owned()], intensity: Some(Intensity::FULL) }
    }

    /// Whether each run draws both its generators and their intensities.
    pub fn is_open(&self) -> bool {
        *self == Swarm::default()
    }

    /// For each of these generators, whether the words select it.
    pub fn selects(&self, generators: &[Generator]) -> Vec<bool> {
        let mut selected = vec![false; generators.len()];
        for word in &self.faults {
            for index in selected_by(word, generators) {
                selected[index] = true;
            }
        }
        selected
    }

    /// The intensity of each generator in the run of a seed; `None` for generators that the run does not use.
    ///
    /// A third of all runs use every generator at full intensity. Each of the others uses each generator with
    /// probability 1/2, and at least one, at a quarter, a half or all of its intensity. A single generator is always
    /// used at full intensity.
    pub fn shares(&self, seed: Seed, generators: &[Generator]) -> Vec<Option<Intensity>> {
        let is_whole = generators.len() < 2 || seed.decide("swarm: all sources", &[]).is_multiple_of(3);
        let selected = self.selects(generators);
        let uses = |index: usize| match self.faults.is_empty() {
            false => selected[index],
            true => is_whole || seed.decide(&format!("swarm: {}", generators[index].draw_key()), &[]).is_multiple_of(2),
        };
        let intensity = |index: usize| match self.intensity {
            Some(intensity) => intensity,
            None if is_whole => Intensity::FULL,
            None => {
                let drawn = seed.decide(&format!("intensity: {}", generators[index].draw_key()), &[]);
                Intensity::CHOICES[(drawn % Intensity::CHOICES.len() as u64) as usize]
            }
        };
        let mut shares: Vec<_> = (0..generators.len()).map(|index| uses(index).then(|| intensity(index))).collect();
        if self.faults.is_empty() && shares.iter().all(Option::is_none) && !shares.is_empty() {
            let index =
                in_order(generators)[(seed.decide("swarm: the only source", &[]) % shares.len() as u64) as usize];
            shares[index] = Some(intensity(index));
        }
        shares
    }
}

/// The generators that one word selects. An exact name or kind takes precedence over a pattern, even if it contains
/// `*`.
fn selected_by(word: &str, generators: &[Generator]) -> Vec<usize> {
    let all_where = |is_selected: &dyn Fn(&Generator) -> bool| -> Vec<usize> {
        generators.iter().enumerate().filter(|(_, generator)| is_selected(generator)).map(|(index, _)| index).collect()
    };
    let exact = all_where(&|generator| generator.name() == word || generator.is_of_kind(word));
    match exact.is_empty() {
        false => exact,
        true => all_where(&|generator| super::target::glob_matches(word, generator.name())),
    }
}

/// The generators by draw key, so that a case does not depend on the order in which they were declared.
fn in_order(generators: &[Generator]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..generators.len()).collect();
    order.sort_by_key(|index| generators[*index].draw_key());
    order
}

/// The plan that a seed draws. The draws of a generator do not depend on other generators.
pub(crate) fn draw(topology: &Topology, generators: &[Generator], seed: Seed, swarm: &Swarm) -> Plan {
    let shares = swarm.shares(seed, generators);
    let draw = |share: &dyn Fn(Intensity) -> Intensity| {
        let mut faults = Vec::new();
        for index in in_order(generators) {
            let (generator, Some(intensity)) = (&generators[index], &shares[index]) else { continue };
            let strategy = generator.strategy(&Topology { intensity: share(*intensity), ..topology.clone() });
            let drawn = strategy.new_tree(&mut seed.runner(&format!("plan: {}", generator.draw_key())));
            faults.extend(drawn.expect("the strategies of fault generators must yield faults").current());
        }
        faults
    };
    let mut faults = draw(&|share| share);
    if faults.is_empty() && swarm.intensity.is_none() {
        // At a low intensity a short run may draw no fault at all, and would test nothing.
        faults = draw(&|_| Intensity::FULL);
    }
    Plan::new(faults)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{kill, kill_several, latency, loss, millis, one, power_off, secs};

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
            assert!(shares.iter().any(Option::is_some), "seed {seed} uses no generator");
            let used: Vec<bool> = shares.iter().map(Option::is_some).collect();
            *kinds.entry(used).or_insert(0) += 1;
        }
        assert_eq!(kinds.len(), 15, "every combination except the empty one: {kinds:?}");
        let all = kinds[&vec![true; 4]];
        // A third of all runs, and one sixteenth of the others.
        assert!((180..270).contains(&all), "{all} of 600 use every generator");
    }

    #[test]
    fn the_draws_of_a_generator_do_not_depend_on_others() {
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
            assert_eq!(of(words(&["kill one of *"])), only(&["kill one of *"]));
            assert_eq!(of(words(&["*one*"])), only(&["kill one of *"]));
            assert_eq!(of(words(&["kill one"])), []);
            assert_eq!(of(words(&["kil"])), []);
        }
    }

    #[test]
    fn a_name_selects_no_longer_name_that_begins_with_it() {
        let generators: Vec<Generator> = vec![
            kill("a").into(),
            kill("a").at_message("a", "b", "").into(),
            kill(["a", "b"]).into(),
            kill_several(2, "*").into(),
            power_off("a").into(),
            kill("b").named("my own"),
        ];
        let check = |word: &str, expected: &[usize]| {
            let swarm = Swarm { faults: vec![word.to_owned()], intensity: None };
            let selected = swarm.selects(&generators);
            let selected: Vec<usize> = (0..generators.len()).filter(|index| selected[*index]).collect();
            assert_eq!(selected, expected, "{word}");
        };
        check("kill a", &[0]);
        check("kill a at a message a → b", &[1]);
        check("kill a, b", &[2]);
        check("kill a*", &[0, 1, 2]);
        check("kill", &[0, 1, 2, 3, 5]);
        check("kill several", &[3]);
        check("my own", &[5]);
        check("my", &[]);
        check("*", &[0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_plan_does_not_depend_on_the_order_of_its_generators() {
        let mut reversed = generators();
        reversed.reverse();
        for seed in 0..200 {
            let plan = draw(&topology(), &reversed, Seed(seed), &Swarm::default());
            assert_eq!(plan, drawn(seed, &Swarm::default()), "seed {seed}");
        }
    }

    #[test]
    fn intensity_scales_how_often_faults_happen_and_how_much_they_do() {
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
}
