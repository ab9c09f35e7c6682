//! Where a fault strikes, as data, and how names and groups become hosts.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Intensity, Trigger};
use crate::seed::Seed;
use crate::trace::HostId;

/// A host as fault generators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyHost {
    /// Its name, for example `api-2`.
    pub name: String,
    /// The group that it was declared in, for example `api`; a single host is its own group.
    pub group: String,
}

/// What generators need to know of a scenario to draw a plan for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// The hosts in the order of [`HostId`].
    pub hosts: Vec<TopologyHost>,
    /// How long faults may happen.
    pub run_for: Duration,
    /// How often the moments came in a fault-free run of the same seed that generators wait for: what they draw from.
    pub seen: Vec<(Trigger, u32)>,
    /// How hard faults are to be.
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

pub(super) fn glob_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| glob_matches(after, &rest[i..]))
        }),
    }
}

/// Which hosts. A pattern is a host's name, a group's name, or either with `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// Exactly the hosts with these names.
    Names(Vec<String>),
    /// All hosts that match the pattern.
    Matching(String),
    /// One of the hosts that match the pattern.
    One(String),
    /// Some, but fewer than half, of the hosts that match the pattern (one, if there are only two).
    Minority(String),
    /// More than half of the hosts that match the pattern.
    Majority(String),
    /// Every host.
    All,
    /// The host where the fault's moment came: the sender of the message, or the host of the event.
    Here,
}

/// One of the hosts that match the pattern.
pub fn one(pattern: &str) -> Selector {
    Selector::One(pattern.to_owned())
}

/// Fewer than half of the hosts that match the pattern.
pub fn minority(pattern: &str) -> Selector {
    Selector::Minority(pattern.to_owned())
}

/// More than half of the hosts that match the pattern.
pub fn majority(pattern: &str) -> Selector {
    Selector::Majority(pattern.to_owned())
}

/// Every host.
pub fn all() -> Selector {
    Selector::All
}

/// The host where the moment came that a fault begins with: the sender of the message, or the host of the event.
pub fn here() -> Selector {
    Selector::Here
}

impl From<&str> for Selector {
    fn from(pattern: &str) -> Selector {
        Selector::Matching(pattern.to_owned())
    }
}

impl Selector {
    /// The hosts meant on this topology; `pick` decides where the selector leaves a choice.
    pub fn resolve(&self, topology: &Topology, pick: u64) -> Vec<HostId> {
        let some = |pattern: &str, count: fn(usize) -> usize| {
            let mut hosts = topology.matching(pattern);
            let wanted = count(hosts.len()).min(hosts.len());
            // A rotation by `pick` and a cut: every host is equally likely to be among the chosen.
            if !hosts.is_empty() {
                let by = (pick % hosts.len() as u64) as usize;
                hosts.rotate_left(by);
            }
            hosts.truncate(wanted);
            hosts.sort();
            hosts
        };
        match self {
            Selector::Names(names) => names.iter().flat_map(|name| exact(topology, name)).collect(),
            Selector::Matching(pattern) => topology.matching(pattern),
            Selector::One(pattern) => some(pattern, |_| 1),
            Selector::Minority(pattern) => some(pattern, |n| ((n.saturating_sub(1)) / 2).max(1)),
            Selector::Majority(pattern) => some(pattern, |n| n / 2 + 1),
            // Only a run knows.
            Selector::Here => Vec::new(),
            Selector::All => (0..topology.hosts.len()).map(|index| HostId(index as u16)).collect(),
        }
    }

    /// The same hosts, by name: what a drawn plan holds. Where a moment comes is known only when it comes.
    pub(crate) fn named(&self, topology: &Topology, pick: u64) -> Selector {
        if *self == Selector::Here {
            return Selector::Here;
        }
        let names = self.resolve(topology, pick).into_iter().map(|id| topology.hosts[id.index()].name.clone());
        Selector::Names(names.collect())
    }
}

/// What decides which hosts a selector means: one side of the fault at this place in the plan.
pub(crate) fn pick(seed: Seed, fault: usize, side: u64) -> u64 {
    seed.decide("target", &[fault as u64, side])
}

fn exact(topology: &Topology, name: &str) -> Option<HostId> {
    topology.hosts.iter().position(|host| host.name == name).map(|index| HostId(index as u16))
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Names(names) => write!(f, "{}", names.join(", ")),
            Selector::Matching(pattern) => write!(f, "{pattern}"),
            Selector::One(pattern) => write!(f, "one of {pattern}"),
            Selector::Minority(pattern) => write!(f, "a minority of {pattern}"),
            Selector::Majority(pattern) => write!(f, "a majority of {pattern}"),
            Selector::All => write!(f, "all"),
            Selector::Here => write!(f, "whoever that is"),
        }
    }
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// These hosts.
    Hosts(Selector),
    /// The links between the hosts of one side and those of the other.
    Links {
        /// One side.
        from: Selector,
        /// The other.
        to: Selector,
    },
    /// The same links, but only what goes from the first side to the second.
    OneWay {
        /// Where it comes from.
        from: Selector,
        /// Where it goes.
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

    /// The two sides of links; none for hosts.
    pub(crate) fn sides(&self) -> Option<(&Selector, &Selector)> {
        match self {
            Target::Hosts(_) => None,
            Target::Links { from, to } | Target::OneWay { from, to } => Some((from, to)),
        }
    }

    /// The same links in one direction; hosts stay what they are.
    pub(super) fn one_way(self) -> Target {
        match self {
            Target::Links { from, to } => Target::OneWay { from, to },
            other => other,
        }
    }

    /// The same target with other selectors; what replaces a selector is given its side, 0 or 1.
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
