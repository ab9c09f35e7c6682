//! The table that a program hands over: its scenarios, and its mistakes, of which each is two scenarios more.

use std::sync::Arc;

use crate::explore::Planted;
use crate::scenario::{Mistake, Scenario};

/// The scenarios of a program, and its mistakes.
pub(super) struct Table {
    /// All scenarios, those of the mistakes last.
    pub(super) all: Arc<[Scenario]>,
    pub(super) mistakes: Arc<[Planted]>,
    scenarios: usize,
}

impl Table {
    pub(super) fn new(scenarios: Vec<Scenario>, mistakes: Vec<Mistake>) -> Table {
        let (count, mut all) = (scenarios.len(), scenarios);
        let plant = |mistake: Mistake| {
            let name = format!("mistakes::{}", mistake.name());
            let (wrong, right) = (all.len(), all.len() + 1);
            all.push(mistake.wrong.clone().renamed(&name));
            all.push(mistake.right.clone().renamed(&format!("{name}::right")));
            Planted { mistake, right, wrong }
        };
        let mistakes = mistakes.into_iter().map(plant).collect();
        Table { all: all.into(), mistakes, scenarios: count }
    }

    /// The scenarios without those of the mistakes.
    pub(super) fn scenarios(&self) -> &[Scenario] {
        &self.all[..self.scenarios]
    }

    /// What is wrong with it, and what to do about it.
    pub(super) fn problem(&self) -> Option<String> {
        let mut names: Vec<&str> = self.all.iter().map(Scenario::name).collect();
        names.sort_unstable();
        if let Some(same) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Some(match same[0].strip_prefix("mistakes::") {
                Some(mistake) => format!("two mistakes are named `{mistake}`: rename one of them"),
                None => format!("two scenarios are named `{}`: rename one of them", same[0]),
            });
        }
        self.mistakes.iter().find_map(|planted| planted.mistake.problem())
    }
}
