//! Flags that several commands share: how many runs at once, and which faults seeds draw.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use crate::fault::{Generator, Intensity, Swarm};
use crate::scenario::{Engine, Scenario};

/// The number of parallel runs, and their limit of CPU time.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Number of runs at once. Default: the number of processors.
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// End a run as a hang when its virtual time stands still for this many seconds of CPU time, and as slow when it has
    /// used six times as many (more if it is long or has many hosts). Default: the scenario's own limit.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) hang_after: Option<Duration>,
}

/// The flags that restrict which faults seeds draw.
#[derive(Clone, Debug, Args)]
pub(crate) struct Drawing {
    /// Only the faults of these generators, separated by commas or in a flag each: names as `list` shows them, even
    /// with commas in them (`'kill api-1, api-2'`); kinds, for all generators of a kind (`loss,kill`); or patterns in
    /// which `*` stands for any text. Default: each run draws which generators it uses.
    #[arg(long, value_name = "NAMES")]
    pub(crate) faults: Vec<String>,
    /// The intensity of faults: 1 is what their generators specify, 2 is twice as frequent and twice as strong.
    /// Default: each run draws a quarter, a half or all of it.
    #[arg(long, value_name = "X")]
    pub(crate) intensity: Option<Intensity>,
    /// What runs the hosts: `turmoil`, step by step, or `events`, which jumps to when something happens. Default:
    /// SQUALL_ENGINE, or else what the scenario says.
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<Engine>,
}

impl Drawing {
    /// Whether none of the flags is set that a case file sets itself.
    pub(crate) fn is_default(&self) -> bool {
        self.faults.is_empty() && self.intensity.is_none()
    }

    /// The flags as a swarm over the generators of these scenarios.
    ///
    /// # Errors
    /// Everything that is wrong with the scenarios, and every word that selects no generator of any of them.
    pub(crate) fn swarm(&self, scenarios: &[&Scenario]) -> Result<Swarm, String> {
        let generators: Vec<Generator> =
            scenarios.iter().flat_map(|scenario| scenario.generators.iter().cloned()).collect();
        let faults: Vec<String> = self.faults.iter().flat_map(|text| words(text, &generators)).collect();
        let wrong = scenarios.iter().filter_map(|scenario| scenario.validate().err()).map(|error| error.to_string());
        let unknown = faults.iter().filter(|word| !is_selecting(word, &generators)).map(|word| {
            let mut names: Vec<&str> = generators.iter().map(Generator::name).collect();
            names.sort_unstable();
            names.dedup();
            match names.is_empty() {
                true => format!("no fault generator matches `{word}`, as there is none: leave --faults out"),
                false => format!("no fault generator matches `{word}`; there are: {}", names.join("; ")),
            }
        });
        let problems: Vec<String> = wrong.chain(unknown).collect();
        match problems.is_empty() {
            true => Ok(Swarm { faults, intensity: self.intensity }),
            false => Err(problems.join("\n")),
        }
    }

    /// The flags as written in a shell, with a space before each.
    pub(crate) fn flags(&self) -> String {
        let faults = self.faults.iter().map(|text| format!(" --faults '{}'", text.replace('\'', r"'\''")));
        let faults: String = faults.collect();
        let intensity = self.intensity.map(|intensity| format!(" --intensity {intensity}")).unwrap_or_default();
        let engine = self.engine.map(|engine| format!(" --engine {}", engine.name())).unwrap_or_default();
        faults + &intensity + &engine
    }
}

fn is_selecting(word: &str, generators: &[Generator]) -> bool {
    Swarm { faults: vec![word.to_owned()], intensity: None }.selects(generators).contains(&true)
}

/// The words of a list that is separated by commas. A generator of several hosts has commas in its own name, so the
/// longest piece that selects a generator is one word.
fn words(text: &str, generators: &[Generator]) -> Vec<String> {
    let pieces: Vec<&str> = text.split(',').collect();
    let joined = |from: usize, to: usize| pieces[from..to].join(",").trim().to_owned();
    let mut words = Vec::new();
    let mut from = 0;
    while from < pieces.len() {
        let selecting = (from + 1..=pieces.len()).rev().find(|to| is_selecting(&joined(from, *to), generators));
        let to = selecting.unwrap_or(from + 1);
        words.push(joined(from, to));
        from = to;
    }
    words
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected the number of runs at once, at least 1".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let parsed = text.trim_end_matches('s').parse().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    parsed.filter(|time| !time.is_zero()).ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{kill, loss};

    #[test]
    fn a_list_of_generators_may_hold_names_with_commas() {
        let generators = [
            kill(["api-1", "api-2"]).into(),
            kill("api-1").into(),
            loss(0.1, "a", "b").into(),
            kill("a").at_message("a", "b", "x,y").into(),
        ];
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text, &generators), expected, "{text}");
        check("loss,kill", &["loss", "kill"]);
        check("loss, kill", &["loss", "kill"]);
        check("kill api-1, api-2", &["kill api-1, api-2"]);
        check("loss,kill api-1, api-2,kill", &["loss", "kill api-1, api-2", "kill"]);
        check("kill api-1,loss", &["kill api-1", "loss"]);
        check("kill api-1, *", &["kill api-1, *"]);
        check(r#"kill a at a message a → b with "x,y",loss"#, &[r#"kill a at a message a → b with "x,y""#, "loss"]);
        check("kill api-2, api-1", &["kill api-2", "api-1"]);
        check("flood", &["flood"]);
        check("", &[""]);
    }
}
