//! Generators that draw several related faults at a time: groups, bridges, flapping links, swizzles, slow hosts and so
//! on. Each is a set of ordinary faults, so that shrinking can remove them one by one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::outline::Outline;
use super::schedule::{Occurrence, Schedule, scheduled};
use super::{
    Fault, FaultGenerator, Generator, Selector, Topology, isolate, kill, latency, loss, millis, partition, slow_start,
};
use crate::seed::Seed;
use crate::trace::HostId;

/// The shortest period of a flapping link: with a period of only one or two steps of the world it would not flap at
/// all.
const SHORTEST_PERIOD: Duration = millis(20);

type Compose = dyn Fn(&Topology, &Occurrence) -> Vec<Fault> + Send + Sync;

/// Specifies repeated sets of related faults. It becomes a [`Generator`]. Its schedule applies to each set as a whole.
///
/// ```
/// use squall::prelude::*;
///
/// let scenario = Scenario::new("cluster")
///     .fault(fault::partition_groups(["rack-a-*", "rack-b-*"]).lasting(secs(2)..secs(5)))
///     .fault(fault::restart_loop(3, millis(500), "node-*").once(secs(5)..secs(10)))
///     .fault(fault::flapping(millis(200), "node-1", "node-2"));
/// ```
#[derive(Clone)]
pub struct ComposedGenerator {
    name: String,
    kinds: &'static [&'static str],
    selectors: Vec<Selector>,
    schedule: Schedule,
    compose: Arc<Compose>,
}

scheduled!(ComposedGenerator);

impl fmt::Debug for ComposedGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComposedGenerator")
            .field("name", &self.name)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

impl ComposedGenerator {
    /// Composes faults at the hosts of these selectors. `kinds` are the words that select all generators like it.
    fn new(
        name: String,
        kinds: &'static [&'static str],
        selectors: &[&Selector],
        compose: impl Fn(&Topology, &Occurrence) -> Vec<Fault> + Send + Sync + 'static,
    ) -> ComposedGenerator {
        let selectors = selectors.iter().copied().cloned().collect();
        ComposedGenerator { name, kinds, selectors, schedule: Schedule::default(), compose: Arc::new(compose) }
    }

    fn strategy(&self, topology: &Topology) -> BoxedStrategy<Vec<Fault>> {
        let (this, own) = (self.clone(), topology.clone());
        let compose = move |occurrences: Vec<Occurrence>| {
            occurrences.iter().flat_map(|occurrence| (this.compose)(&own, occurrence)).collect::<Vec<Fault>>()
        };
        self.schedule.occurrences(topology).prop_map(compose).boxed()
    }
}

impl From<ComposedGenerator> for Generator {
    fn from(generator: ComposedGenerator) -> Generator {
        let (kinds, outline) = (generator.kinds, Outline::of(&generator.selectors));
        Generator::new(&generator.name.clone(), move |topology| generator.strategy(topology))
            .of_kinds(kinds)
            .outlined(outline)
    }
}

/// Nothing passes between hosts of different groups. A host in several groups belongs to the first of them; a host in
/// no group can talk to all hosts.
pub fn partition_groups<const COUNT: usize>(groups: [impl Into<Selector>; COUNT]) -> ComposedGenerator {
    let groups: Vec<Selector> = groups.into_iter().map(Into::into).collect();
    let names: Vec<String> = groups.iter().map(Selector::to_string).collect();
    let (name, all) = (format!("partition {}", names.join(" | ")), groups.clone());
    ComposedGenerator::new(
        name,
        &["groups", "partition"],
        &all.iter().collect::<Vec<_>>(),
        move |topology, occurrence| {
            let mut seen: Vec<HostId> = Vec::new();
            let mut members: Vec<Vec<HostId>> = Vec::new();
            for (index, group) in groups.iter().enumerate() {
                let pick = Seed(occurrence.picks[0]).decide("group", &[index as u64]);
                let mut hosts = group.resolve(topology, pick);
                hosts.retain(|host| !seen.contains(host));
                seen.extend(&hosts);
                members.push(hosts);
            }
            members.retain(|hosts| !hosts.is_empty());
            let cut = |index: usize| {
                let others: Vec<HostId> = members[index + 1..].concat();
                partition(named(topology, &members[index]), named(topology, &others)).during(occurrence)
            };
            (0..members.len().saturating_sub(1)).map(cut).collect()
        },
    )
}

/// The hosts split into two halves, and one more host, the bridge, can talk to both.
pub fn bridge(hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("bridge within {hosts}");
    ComposedGenerator::new(name, &["bridge"], &[&hosts.clone()], move |topology, occurrence| {
        let drawn = shuffled(hosts.resolve(topology, occurrence.picks[0]), occurrence.picks[1], "bridge");
        let Some((_, others)) = drawn.split_first() else { return Vec::new() };
        let (first, second) = others.split_at(others.len() / 2);
        if first.is_empty() {
            return Vec::new();
        }
        vec![partition(named(topology, first), named(topology, second)).during(occurrence)]
    })
}

/// The links between the two sides are cut and healed again and again: cut in the first half of each `period` (at least
/// 20 ms), healed in the second.
pub fn flapping(period: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> ComposedGenerator {
    let (from, to): (Selector, Selector) = (from.into(), to.into());
    let period = period.max(SHORTEST_PERIOD);
    let name = format!("flapping {from} ↔ {to}");
    ComposedGenerator::new(name, &["flapping"], &[&from.clone(), &to.clone()], move |topology, occurrence| {
        let (from, to) = (from.named(topology, occurrence.picks[0]), to.named(topology, occurrence.picks[1]));
        let (mut at, end) = (occurrence.at, occurrence.at + occurrence.lasting);
        let mut faults = Vec::new();
        while at < end {
            let lasting = (period / 2).min(end - at);
            faults.push(partition(from.clone(), to.clone()).at(at).lasting(lasting));
            at += period;
        }
        faults
    })
}

/// The hosts are isolated one by one in the first third of the fault's time, and come back one by one in the last
/// third, in another order (after FoundationDB's "swizzle-clogging").
pub fn swizzle(hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("swizzle {hosts}");
    ComposedGenerator::new(name, &["swizzle"], &[&hosts.clone()], move |topology, occurrence| {
        let leaving = shuffled(hosts.resolve(topology, occurrence.picks[0]), occurrence.picks[1], "leaving");
        let mut returning = shuffled(leaving.clone(), occurrence.picks[1], "returning");
        if returning == leaving {
            returning.reverse();
        }
        let third = occurrence.lasting / 3;
        let of_third =
            |number: usize| Duration::from_millis((third.as_millis() as u64 * number as u64) / leaving.len() as u64);
        let cut = |(number, host): (usize, &HostId)| {
            let place = returning.iter().position(|other| other == host).unwrap_or(number);
            let (begins, ends) = (of_third(number), third * 2 + of_third(place + 1));
            let generator = isolate(named(topology, &[*host]));
            generator.at(occurrence.at + begins).lasting(ends - begins)
        };
        leaving.iter().enumerate().map(cut).collect()
    })
}

/// All links of the hosts become slow and lossy at the same time: each segment is delayed by an extra time drawn from
/// `extra`, and is lost with probability `rate` per transmission.
pub fn slow_host(extra: Range<Duration>, rate: f64, hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("slow host {hosts}");
    ComposedGenerator::new(name, &["slow host"], &[&hosts.clone()], move |topology, occurrence| {
        let slow = hosts.named(topology, occurrence.picks[0]);
        let all_hosts = Selector::All.named(topology, 0);
        vec![
            latency(extra.clone(), slow.clone(), all_hosts.clone()).during(occurrence),
            loss(rate, slow, all_hosts).during(occurrence),
        ]
    })
}

/// Processes die, and the next processes of their hosts begin to listen this much later. Both fit into the fault's
/// time, and the hosts are down for at least half of it.
pub fn slow_restart(by: Duration, hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("slow restart {hosts}");
    ComposedGenerator::new(name, &["slow restart"], &[&hosts.clone()], move |topology, occurrence| {
        let hosts = hosts.named(topology, occurrence.picks[0]);
        let down = occurrence.lasting.saturating_sub(by).max(occurrence.lasting / 2);
        let slow = slow_start(by, hosts.clone()).during(occurrence);
        vec![kill(hosts).at(occurrence.at).lasting(down), slow]
    })
}

/// Processes die again and again, up to `times` times, and live for `up` in between. They are down for the rest of the
/// fault's time, in equal parts; they die less often if a part would be shorter than 20 ms.
pub fn restart_loop(times: u32, up: Duration, hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("restart loop {hosts}");
    ComposedGenerator::new(name, &["restart loop"], &[&hosts.clone()], move |topology, occurrence| {
        if times == 0 {
            return Vec::new();
        }
        let hosts = hosts.named(topology, occurrence.picks[0]);
        let fits = |times: &u32| SHORTEST_PERIOD * *times + up * (*times - 1) <= occurrence.lasting;
        let times = (1..=times).rev().find(fits).unwrap_or(1);
        let down = occurrence.lasting.saturating_sub(up * (times - 1)) / times;
        let down = Duration::from_millis(down.as_millis() as u64);
        (0..times).map(|number| kill(hosts.clone()).at(occurrence.at + (down + up) * number).lasting(down)).collect()
    })
}

/// This many of the hosts (or all, if there are fewer) die at the same time, and come back together.
pub fn kill_several(count: usize, hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("kill {count} of {hosts}");
    ComposedGenerator::new(name, &["kill several", "kill"], &[&hosts.clone()], move |topology, occurrence| {
        let mut chosen = shuffled(hosts.resolve(topology, occurrence.picks[0]), occurrence.picks[1], "several");
        chosen.truncate(count);
        chosen.sort();
        chosen.iter().map(|host| kill(named(topology, &[*host])).during(occurrence)).collect()
    })
}

/// All of the hosts die at the same time, and come back together.
pub fn whole_tier(hosts: impl Into<Selector>) -> ComposedGenerator {
    let hosts: Selector = hosts.into();
    let name = format!("whole tier {hosts}");
    ComposedGenerator::new(name, &["whole tier"], &[&hosts.clone()], move |topology, occurrence| {
        vec![kill(hosts.named(topology, occurrence.picks[0])).during(occurrence)]
    })
}

impl FaultGenerator {
    fn during(self, occurrence: &Occurrence) -> Fault {
        self.at(occurrence.at).lasting(occurrence.lasting)
    }
}

fn named(topology: &Topology, hosts: &[HostId]) -> Selector {
    let mut hosts = hosts.to_vec();
    hosts.sort();
    Selector::Names(hosts.into_iter().map(|host| topology.hosts[host.index()].name.clone()).collect())
}

/// The hosts in an order that `pick` and the label decide.
fn shuffled(mut hosts: Vec<HostId>, pick: u64, label: &str) -> Vec<HostId> {
    hosts.sort_by_key(|host| Seed(pick).decide(label, &[u64::from(host.0)]));
    hosts
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;

    use super::*;
    use crate::fault::{one, secs};

    /// The faults that a generator draws for a client and four nodes, from 10 s on, for 6 s.
    fn drawn(generator: ComposedGenerator, seed: u64) -> Vec<String> {
        let topology = Topology::of(&["client", "n1", "n2", "n3", "n4"], secs(60));
        let generator: Generator = generator.once(secs(10)..secs(10)).lasting(secs(6)..secs(6)).into();
        let faults = generator.strategy(&topology).new_tree(&mut Seed(seed).runner("test")).unwrap().current();
        assert!(faults.iter().all(|fault| fault.defect().is_none() && fault.generator == generator.name()));
        assert!(faults.iter().all(|fault| fault.begins_at() >= Some(secs(10)) && fault.ends_at() <= Some(secs(16))));
        faults.iter().map(Fault::to_string).collect()
    }

    #[test]
    fn groups_are_cut_from_all_others() {
        let groups = drawn(partition_groups(["n1", "n2", "n*"]), 1);
        let expected = ["partition n1 ↔ n2, n3, n4 at 10s for 6s", "partition n2 ↔ n3, n4 at 10s for 6s"];
        assert_eq!(groups, expected);
        assert!(drawn(partition_groups(["n1", "store"]), 1).is_empty());
    }

    #[test]
    fn a_bridge_is_in_neither_half() {
        let mut bridges = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let faults = drawn(bridge("n*"), seed);
            let [only] = faults.as_slice() else { panic!("{faults:?}") };
            let missing: Vec<&str> = ["n1", "n2", "n3", "n4"].into_iter().filter(|name| !only.contains(name)).collect();
            assert_eq!(missing.len(), 1, "{only}");
            bridges.insert(missing[0].to_owned());
        }
        assert_eq!(bridges.len(), 4, "every host can be the bridge");
    }

    #[test]
    fn a_flapping_link_is_cut_for_half_of_each_period() {
        let flaps = drawn(flapping(secs(4), "client", "n1"), 1);
        assert_eq!(flaps, ["partition client ↔ n1 at 10s for 2s", "partition client ↔ n1 at 14s for 2s"]);
        assert_eq!(drawn(flapping(Duration::ZERO, "client", "n1"), 1).len(), 300);
    }

    #[test]
    fn swizzled_hosts_leave_and_return_in_different_orders() {
        let topology = Topology::of(&["client", "n1", "n2", "n3", "n4"], secs(60));
        for seed in 0..20 {
            let generator = swizzle("n*").once(secs(10)..secs(10)).lasting(secs(6)..secs(6));
            let mut faults = generator.strategy(&topology).new_tree(&mut Seed(seed).runner("test")).unwrap().current();
            assert_eq!(faults.len(), 4);
            assert!(faults.is_sorted_by(|a, b| a.begins_at() < b.begins_at()));
            let leaving: Vec<String> = faults.iter().map(|fault| format!("{:?}", fault.target)).collect();
            let last_cut = faults[3].begins_at();
            faults.sort_by_key(Fault::ends_at);
            assert!(last_cut < faults[0].ends_at(), "for a while all are cut");
            let returning: Vec<String> = faults.iter().map(|fault| format!("{:?}", fault.target)).collect();
            assert_ne!(leaving, returning);
        }
    }

    #[test]
    fn a_slow_restart_is_a_kill_and_a_slow_start() {
        let slow = |by: Duration| drawn(slow_restart(by, "n1"), 1);
        assert_eq!(slow(secs(2)), ["kill n1 at 10s for 4s", "slow start by 2s n1 at 10s for 6s"]);
        assert_eq!(slow(secs(9)), ["kill n1 at 10s for 3s", "slow start by 9s n1 at 10s for 6s"]);
    }

    #[test]
    fn a_restart_loop_fits_into_its_time() {
        let expected = ["kill n1 at 10s for 1.666s", "kill n1 at 12.166s for 1.666s", "kill n1 at 14.332s for 1.666s"];
        assert_eq!(drawn(restart_loop(3, millis(500), "n1"), 1), expected);
        assert_eq!(drawn(restart_loop(9, secs(2), "n1"), 1).len(), 3, "four deaths need more than three lives");
        assert_eq!(drawn(restart_loop(2, secs(60), "n1"), 1), ["kill n1 at 10s for 6s"]);
    }

    #[test]
    fn several_hosts_die_at_once_by_one_fault_each() {
        let mut pairs = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let faults = drawn(kill_several(2, "n*"), seed);
            assert_eq!(faults.len(), 2, "{faults:?}");
            assert!(faults.iter().all(|fault| fault.starts_with("kill n") && fault.ends_with(" at 10s for 6s")));
            pairs.insert(faults);
        }
        assert_eq!(pairs.len(), 6, "any two can die");
        assert_eq!(drawn(kill_several(9, "n*"), 1).len(), 4);
        assert_eq!(drawn(whole_tier("n*"), 1), ["kill n1, n2, n3, n4 at 10s for 6s"]);
    }

    #[test]
    fn a_slow_host_is_slow_and_lossy_towards_all_hosts() {
        let slow = drawn(slow_host(millis(50)..millis(80), 0.02, one("n2")), 1);
        let expected = ["latency +50ms..80ms n2 ↔ client, n1, n2, n3, n4", "loss 2.0 % n2 ↔ client, n1, n2, n3, n4"];
        assert_eq!(slow, expected.map(|text| format!("{text} at 10s for 6s")));
    }
}
