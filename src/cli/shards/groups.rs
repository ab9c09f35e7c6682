//! The failures of all shards, in groups and in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::results::Found;
use crate::report::count;

/// The most seeds of a group that are named.
const MOST_SEEDS: usize = 8;

/// What the failures of a group have in common: the scenario, the promise, the status, and the faults if they were shrunk.
type Group<'a> = (&'a str, &'a str, &'a str, Option<&'a [String]>);

/// Failures in groups: those that break the same promise with the same kinds of faults, once shrunk, stand together. `cases` are the
/// files of their cases, by name.
pub(crate) fn groups(found: &[(&str, &Found)], cases: &BTreeMap<PathBuf, PathBuf>) -> String {
    let mut found_together: BTreeMap<Group<'_>, Vec<&Found>> = BTreeMap::new();
    for (scenario, found) in found {
        let key = (*scenario, found.promise.as_str(), found.status.word(), found.plan.as_deref());
        found_together.entry(key).or_default().push(found);
    }
    let mut text = String::new();
    for ((scenario, promise, status, plan), group) in found_together {
        let mut seeds: Vec<&str> = group.iter().take(MOST_SEEDS).map(|found| found.seed.as_str()).collect();
        if group.len() > MOST_SEEDS {
            seeds.push("and more");
        }
        let (what, seeds) = (if promise.is_empty() { status } else { promise }, seeds.join(", "));
        let _ = writeln!(text, "FAILED: {scenario}: {what}, in {} ({seeds})", count(group.len(), "run"));
        let plan = match plan {
            None => "not shrunk".to_owned(),
            Some([]) => "none".to_owned(),
            Some(faults) => faults.join(", "),
        };
        let _ = writeln!(text, "  faults: {plan}");
        for found in group.iter().take(1) {
            if !found.why.is_empty() {
                let _ = writeln!(text, "  seed {}: {}", found.seed, found.why);
            }
            if let Some(path) = found.file.as_ref().and_then(|name| cases.get(name)) {
                let _ = writeln!(text, "  replay: cargo sims replay {}", path.display());
            }
        }
    }
    text
}
