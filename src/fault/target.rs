//! Where a fault acts: targets as data, and how selectors become the hosts of a topology.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Intensity, Selector, Trigger};
use crate::seed::Seed;
use crate::trace::HostId;

/// A host as fault generators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyHost {
    /// Its name, for example `api-2`.
    pub name: String,
    /// The group in which it was declared, for example `api`; a single host is its own group.
    pub group: String,
}

/// What generators need to know about a scenario to draw a plan for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The hosts in the order of [`HostId`].
    pub hosts: Vec<TopologyHost>,
    /// For how long after the start of the run faults may happen.
    pub run_for: Duration,
    /// How often each trigger point of the generators was reached in a run of the same seed without faults. Generators
    /// draw one of these occurrences.
    pub seen: Vec<(Trigger, u32)>,
    /// The intensity of the faults.
    pub intensity: Intensity,
}

impl Topology {
    /// A topology of single hosts with these names.
    pub fn of(hosts: &[&str], run_for: Duration) -> Topology {
        let hosts = hosts.iter().map(|name| TopologyHost { name: (*name).to_owned(), group: (*name).to_owned() });
        Topology { hosts: hosts.collect(), run_for, seen: Vec::new(), intensity: Intensity::FULL }
    }

    /// The hosts whose name or group is `pattern`, in which `*` stands for any text.
    pub fn matching(&self, pattern: &str) -> Vec<HostId> {
        let matches = |host: &TopologyHost| glob_matches(pattern, &host.name) || glob_matches(pattern, &host.group);
        let hosts = self.hosts.iter().enumerate().filter(|(_, host)| matches(host));
        hosts.map(|(index, _)| HostId(index as u16)).collect()
    }
}

pub(crate) fn glob_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| glob_matches(after, &rest[i..]))
        }),
    }
}

impl Selector {
    /// The hosts that it selects on this topology; `pick` decides where there is a choice.
    pub fn resolve(&self, topology: &Topology, pick: u64) -> Vec<HostId> {
        let some = |pattern: &str, count: fn(usize) -> usize| {
            let mut hosts = topology.matching(pattern);
            let count = count(hosts.len()).min(hosts.len());
            // Rotated by `pick`, then truncated: every host is equally likely to be chosen.
            if !hosts.is_empty() {
                let by = (pick % hosts.len() as u64) as usize;
                hosts.rotate_left(by);
            }
            hosts.truncate(count);
            hosts.sort();
            hosts
        };
        match self {
            Selector::Names(names) => names.iter().flat_map(|name| exact(topology, name)).collect(),
            Selector::Matching(pattern) => topology.matching(pattern),
            Selector::One(pattern) => some(pattern, |_| 1),
            Selector::Minority(pattern) => some(pattern, |n| ((n.saturating_sub(1)) / 2).max(1)),
            Selector::Majority(pattern) => some(pattern, |n| n / 2 + 1),
            // Only a run knows it.
            Selector::Here => Vec::new(),
            Selector::All => (0..topology.hosts.len()).map(|index| HostId(index as u16)).collect(),
        }
    }

    /// The same hosts by name, for a drawn plan. `here` stays, because only a run knows it.
    pub(crate) fn named(&self, topology: &Topology, pick: u64) -> Selector {
        if *self == Selector::Here {
            return Selector::Here;
        }
        let names = self.resolve(topology, pick).into_iter().map(|id| topology.hosts[id.index()].name.clone());
        Selector::Names(names.collect())
    }
}

/// The number that decides which hosts a selector chooses: keyed by the fault's place in the plan and the side of its
/// target.
pub(crate) fn pick(seed: Seed, fault: usize, side: u64) -> u64 {
    seed.decide("target", &[fault as u64, side])
}

fn exact(topology: &Topology, name: &str) -> Option<HostId> {
    topology.hosts.iter().position(|host| host.name == name).map(|index| HostId(index as u16))
}

/// Where a fault acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// These hosts.
    Hosts(Selector),
    /// The links between the hosts of one side and those of the other.
    Links {
        /// One side.
        from: Selector,
        /// The other side.
        to: Selector,
    },
    /// The same links, but only in the direction from the first side to the second.
    OneWay {
        /// The sending side.
        from: Selector,
        /// The receiving side.
        to: Selector,
    },
}

impl Target {
    /// All its selectors.
    pub(crate) fn selectors(&self) -> Vec<&Selector> {
        match self {
            Target::Hosts(hosts) => vec![hosts],
            Target::Links { from, to } | Target::OneWay { from, to } => vec![from, to],
        }
    }

    /// The two sides of links; `None` for hosts.
    pub(crate) fn sides(&self) -> Option<(&Selector, &Selector)> {
        match self {
            Target::Hosts(_) => None,
            Target::Links { from, to } | Target::OneWay { from, to } => Some((from, to)),
        }
    }

    /// The same links in one direction; a target of hosts is unchanged.
    pub(super) fn one_way(self) -> Target {
        match self {
            Target::Links { from, to } => Target::OneWay { from, to },
            other => other,
        }
    }

    /// The same target with other selectors; `change` gets the side of each, 0 or 1.
    pub(crate) fn map(&self, change: impl Fn(u64, &Selector) -> Selector) -> Target {
        match self {
            Target::Hosts(hosts) => Target::Hosts(change(0, hosts)),
            Target::Links { from, to } => Target::Links { from: change(0, from), to: change(1, to) },
            Target::OneWay { from, to } => Target::OneWay { from: change(0, from), to: change(1, to) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{majority, minority, one};

    fn topology() -> Topology {
        let host = |name: &str, group: &str| TopologyHost { name: name.into(), group: group.into() };
        let hosts = vec![host("gateway", "gateway"), host("api-1", "api"), host("api-2", "api"), host("api-3", "api")];
        Topology { hosts, ..Topology::of(&[], Duration::from_secs(1)) }
    }

    #[test]
    fn patterns_match_names_groups_and_globs() {
        for (pattern, expected) in [
            ("gateway", vec![0]),
            ("api", vec![1, 2, 3]),
            ("api-2", vec![2]),
            ("*-1", vec![1]),
            ("*a*", vec![0, 1, 2, 3]),
            ("store", vec![]),
        ] {
            let found: Vec<u16> = topology().matching(pattern).into_iter().map(|id| id.0).collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn selectors_choose_the_right_number() {
        for pick in 0..7 {
            assert_eq!(one("api").resolve(&topology(), pick).len(), 1);
            assert_eq!(minority("api").resolve(&topology(), pick).len(), 1);
            assert_eq!(majority("api").resolve(&topology(), pick).len(), 2);
            assert_eq!(one("store").resolve(&topology(), pick).len(), 0);
        }
        let chosen: std::collections::BTreeSet<_> = (0..3).map(|pick| one("api").resolve(&topology(), pick)).collect();
        assert_eq!(chosen.len(), 3, "each host can be chosen");
    }
}
