//! The effective settings of a finished scenario, whatever the order of the builder's calls: which of several settings
//! holds for a host or a link.

use std::ops::Range;
use std::time::Duration;

use super::{Engine, LinkLatency, Scenario};
use crate::descriptors::CAN_SIMULATE;
use crate::fault::{Topology, TopologyHost, duration_text, millis};
use crate::host::HostSpec;
use crate::trace::HostId;

/// The length of a step if none is set and no latency is smaller.
pub(super) const DEFAULT_STEP: Duration = millis(10);

/// The shortest step.
pub(super) const SHORTEST_STEP: Duration = millis(1);

/// Reduces the settings that match one host or link, each with its breadth, to the most specific ones. If these differ,
/// the scenario is refused.
fn narrowest<'a, T>(settings: impl Iterator<Item = (u8, &'a T)>) -> Vec<&'a T> {
    let settings: Vec<(u8, &T)> = settings.collect();
    let least = settings.iter().map(|(breadth, _)| *breadth).min();
    settings.into_iter().filter(|(breadth, _)| Some(*breadth) == least).map(|(_, setting)| setting).collect()
}

impl Scenario {
    /// The hosts and times from which generators draw a plan.
    pub fn topology(&self) -> Topology {
        let host = |host: &HostSpec| TopologyHost { name: host.name.clone(), group: host.group.clone() };
        Topology { hosts: self.hosts.iter().map(host).collect(), ..Topology::of(&[], self.run_for) }
    }

    /// The hosts with all settings that apply to them, still without the clients' programs.
    pub(super) fn configured_hosts(&self) -> Vec<HostSpec> {
        let mut hosts = self.hosts.clone();
        if self.supervised.is_empty() && self.wall_offsets.is_empty() {
            return hosts;
        }
        let topology = self.topology();
        for (index, host) in hosts.iter_mut().enumerate() {
            let id = HostId(index as u16);
            host.supervised = settings_of(&self.supervised, &topology, id).first().map(|(_, after)| *after);
            let offset_ms =
                settings_of(&self.wall_offsets, &topology, id).first().map_or(0, |(_, offset_ms)| *offset_ms);
            host.wall_offset = offset_ms.saturating_mul(1_000_000);
        }
        hosts
    }

    /// The latency of each link for which one is set.
    pub(crate) fn link_latencies(&self) -> Vec<(HostId, HostId, Range<Duration>)> {
        let latencies = self.settings_of_links().into_iter();
        latencies.filter_map(|(a, b, settings)| Some((a, b, settings.first()?.2.clone()))).collect()
    }

    /// The names for other hosts, each with its hosts.
    pub(crate) fn aliases_of_hosts(&self) -> Vec<(String, Vec<HostId>)> {
        let topology = self.topology();
        let hosts = |patterns: &[String]| patterns.iter().flat_map(|pattern| topology.matching(pattern)).collect();
        self.aliases.iter().map(|(name, patterns)| (name.clone(), hosts(patterns))).collect()
    }

    /// The most specific settings of each link.
    pub(super) fn settings_of_links(&self) -> Vec<(HostId, HostId, Vec<&LinkLatency>)> {
        let mut all = Vec::new();
        if self.latencies.is_empty() {
            return all;
        }
        let topology = self.topology();
        for (first, second) in links(&topology) {
            let of_link = |(a, b, _): &LinkLatency| {
                let one_way = |a: &str, b: &str| Some(breadth(a, &topology, first)? + breadth(b, &topology, second)?);
                one_way(a, b).into_iter().chain(one_way(b, a)).min()
            };
            let settings = self.latencies.iter().filter_map(|setting| Some((of_link(setting)?, setting)));
            all.push((first, second, narrowest(settings)));
        }
        all
    }

    /// The smallest latency of any link.
    pub(super) fn smallest_latency(&self) -> Duration {
        let latencies = self.latencies.iter().map(|(_, _, range)| range.start);
        latencies.fold(self.latency.start, Duration::min)
    }

    /// Why this engine cannot run it; `None` if it can.
    pub(crate) fn defect_on(&self, engine: Engine) -> Option<String> {
        let smallest = self.smallest_latency();
        if engine == Engine::Turmoil && smallest < SHORTEST_STEP {
            return Some(format!(
                "a latency of {} is too short for turmoil's engine: run it with `--engine events`",
                duration_text(smallest)
            ));
        }
        (engine == Engine::Events && !CAN_SIMULATE).then(|| "hosts run by events only on Linux".to_owned())
    }

    /// The length of a simulation step, in whole milliseconds. It is at most the smallest latency, because a segment
    /// that should arrive in the step in which it was sent would arrive late.
    pub(crate) fn step_of_run(&self) -> Duration {
        let step = self.step.unwrap_or(DEFAULT_STEP).min(self.smallest_latency()).max(SHORTEST_STEP);
        millis(step.as_millis() as u64)
    }
}

/// The most specific settings of a host.
pub(super) fn settings_of<'a, T>(
    settings: &'a [(String, T)],
    topology: &Topology,
    host: HostId,
) -> Vec<&'a (String, T)> {
    narrowest(settings.iter().filter_map(|setting| Some((breadth(&setting.0, topology, host)?, setting))))
}

/// How broadly a pattern matches a host: 0 by the host's name, 1 by its group's name, 2 with `*`; `None` if it does not
/// match.
fn breadth(pattern: &str, topology: &Topology, host: HostId) -> Option<u8> {
    let TopologyHost { name, group } = &topology.hosts[host.index()];
    match pattern {
        _ if pattern == name => Some(0),
        _ if pattern == group => Some(1),
        _ => topology.matching(pattern).contains(&host).then_some(2),
    }
}

/// All links: every pair of hosts, once.
fn links(topology: &Topology) -> impl Iterator<Item = (HostId, HostId)> {
    let count = topology.hosts.len() as u16;
    (0..count).flat_map(move |first| (first + 1..count).map(move |second| (HostId(first), HostId(second))))
}
