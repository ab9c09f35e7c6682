//! What the sightings of a probe say about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::probe::{Probe, UNANSWERED, WRONG};
use crate::ways::{Seen, Sightings};

/// The sources that stay as they are, with the reason. One that turns out to be tamed or named in a long run is a failure, too.
pub const LIMITS: &[(&str, &str)] = &[
    ("entropy::rdrand", "the processor answers by itself, and nothing can trap it"),
    ("entropy::rdseed", "the processor answers by itself, and nothing can trap it"),
    ("entropy::processor", "the processor answers by itself, and this machine cannot trap it"),
    (
        "threads::stubborn",
        "a spin without a wait keeps its turn for ever: the run ends as a hang, with the place in virtual time",
    ),
    ("crates::minstant", "it measures the real counter against the real clock before `main`"),
];

/// What is to be said of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal in all ways of running.
    Tamed,
    /// Every run's own report names it, by these kinds of escape.
    Named(Vec<String>),
    /// What is wrong.
    Wrong(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Tamed => f.write_str("tamed"),
            Verdict::Named(kinds) => write!(f, "named: {}", kinds.join(", ")),
            Verdict::Wrong(why) => write!(f, "WRONG: {why}"),
        }
    }
}

/// Judges a probe by what it saw in each way, the plain one first, and by what a real process sees.
pub fn judge(probe: &Probe, ways: &[(&'static str, Sightings)], facts: &BTreeMap<String, String>) -> Verdict {
    let none = BTreeMap::new();
    let of =
        |way: &'static str, sightings: &'_ Sightings| (way, sightings.get(probe.name).cloned().unwrap_or_default());
    let ways: Vec<(&str, BTreeMap<String, Seen>)> = ways.iter().map(|(way, sightings)| of(way, sightings)).collect();
    let first = ways.first().map_or(&none, |(_, seen)| seen);
    if first.is_empty() {
        return Verdict::Wrong("it did not run".to_owned());
    }
    for (way, seen) in &ways {
        for (seed, seen) in seen {
            match &seen.text {
                Err(why) => return Verdict::Wrong(format!("{way}, seed {seed}: {why}")),
                Ok(text) if text.contains(WRONG) || text == UNANSWERED => {
                    return Verdict::Wrong(format!("{way}, seed {seed}: {text}"));
                }
                Ok(_) => {}
            }
        }
    }
    let runs = |seen: &BTreeMap<String, Seen>| seen.iter().filter(|(seed, _)| *seed != "status").count();
    let named = |seen: &BTreeMap<String, Seen>| seen.values().filter(|seen| !seen.escapes.is_empty()).count();
    if named(first) == runs(first) {
        let kinds: BTreeSet<String> = first.values().flat_map(|seen| seen.escapes.keys().cloned()).collect();
        return Verdict::Named(kinds.into_iter().collect());
    }
    for (way, seen) in &ways {
        let differs = first.iter().find(|(seed, first)| seen.get(*seed) != Some(*first));
        if let Some((seed, seen)) = seen.get_key_value("status") {
            return Verdict::Wrong(format!("{way}: {seed}: {}", seen.text.as_deref().unwrap_or_default()));
        }
        if let Some((seed, first)) = differs {
            let text = |seen: Option<&Seen>| seen.map_or("nothing".to_owned(), |seen| format!("{:?}", seen.text));
            return Verdict::Wrong(format!(
                "{way}, seed {seed}: {} instead of {}",
                text(seen.get(seed)),
                text(Some(first))
            ));
        }
    }
    let texts: BTreeSet<&str> = first.values().filter_map(|seen| seen.text.as_deref().ok()).collect();
    if probe.varies && texts.len() < 2 {
        return Verdict::Wrong(format!("all seeds see {:?}", texts.first().unwrap_or(&"")));
    }
    match facts.get(probe.name) {
        Some(real) if texts.contains(real.as_str()) => Verdict::Wrong(format!("a real process sees the same: {real}")),
        _ => Verdict::Tamed,
    }
}
