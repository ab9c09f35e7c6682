//! The trials of a sweep: which faults it tries at which points, and which hosts it takes down.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::SweepError;
use super::options::{SweepFault, SweepOptions};
use super::points::Point;
use crate::fault::{Fault, Swarm, Target, here, kill, loss, millis, power_off, reset};
use crate::scenario::{Case, Scenario};
use crate::seed::Seed;
use crate::trace::HostId;

/// The number of plans that are drawn to see which hosts the scenario's faults take down.
const PLANS: u64 = 16;

/// One trial: its row in the result, and its plan.
pub(super) struct Trial {
    pub(super) row: usize,
    pub(super) faults: Vec<Fault>,
}

/// The case without faults, with the operations that the options ask for.
pub(super) fn control(scenario: &Scenario, options: &SweepOptions) -> Case {
    let mut case = scenario.control(options.seed);
    if let Some(most) = options.operations {
        for input in case.input.values_mut().flatten() {
            if let serde_json::Value::Array(operations) = input {
                operations.truncate(most);
            }
        }
    }
    case
}

/// The hosts that the sweep takes down.
///
/// # Errors
/// If no host matches.
pub(super) fn hosts(scenario: &Scenario, options: &SweepOptions) -> Result<Vec<String>, SweepError> {
    let topology = scenario.topology();
    let hosts = match &options.hosts {
        Some(pattern) => {
            let hosts = topology.matching(pattern).into_iter();
            hosts.map(|host| topology.hosts[host.index()].name.clone()).collect()
        }
        None => going_down(scenario),
    };
    if hosts.is_empty() {
        return Err(SweepError::NoHosts(options.hosts.clone().unwrap_or_default()));
    }
    Ok(hosts)
}

/// The hosts that the scenario's faults take down in the plans of some seeds, as its promises are about these. If there
/// are none, all hosts but the clients'.
fn going_down(scenario: &Scenario) -> Vec<String> {
    let topology = scenario.topology();
    let mut hosts = BTreeSet::new();
    for seed in 0..PLANS {
        let plan = scenario.case_on(&topology, Seed(seed), &Swarm::whole()).plan;
        for fault in plan.faults.iter().filter(|fault| fault.kind.takes_hosts_down()) {
            if let Target::Hosts(selector) = &fault.target {
                hosts.extend(selector.resolve(&topology, 0));
            }
        }
    }
    let clients: Vec<&str> = scenario.client_names().collect();
    let is_client = |host: &str| clients.contains(&host);
    let names = topology.hosts.iter().enumerate();
    let goes_down = |index: usize, name: &str| match hosts.is_empty() {
        true => !is_client(name),
        false => hosts.contains(&HostId(index as u16)),
    };
    names.filter(|(index, host)| goes_down(*index, &host.name)).map(|(_, host)| host.name.clone()).collect()
}

/// All trials: every single fault, in the order of the points, and then the pairs.
pub(super) fn trials(options: &SweepOptions, points: &[Point], going_down: &[String]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (row, sweep_fault) in options.sweep_faults.iter().enumerate() {
        let faults = points.iter().filter_map(|point| fault(*sweep_fault, point, going_down, options.down_for));
        trials.extend(faults.map(|fault| Trial { row, faults: vec![fault] }));
    }
    let singles = trials.len() as u64;
    if singles > 1 {
        for pair in 0..options.pairs {
            let first = options.seed.decide("first of a pair", &[pair]) % singles;
            // Every fault other than the first is equally likely to be the second.
            let other = options.seed.decide("second of a pair", &[pair]) % (singles - 1);
            let second = if other >= first { other + 1 } else { other };
            let faults = [first.min(second), first.max(second)].map(|index| trials[index as usize].faults[0].clone());
            trials.push(Trial { row: options.sweep_faults.len(), faults: faults.to_vec() });
        }
    }
    trials
}

/// The fault at a point; `None` if it makes no sense there.
fn fault(sweep_fault: SweepFault, point: &Point, going_down: &[String], down_for: Duration) -> Option<Fault> {
    let goes_down = |host: &String| going_down.contains(host);
    let ends = || Some([point.host.as_str(), point.to.as_deref()?]);
    let fault = match sweep_fault {
        SweepFault::Kill | SweepFault::PowerOff => {
            // If the sender of a message may not go down, its receiver does.
            let victim = match &point.to {
                _ if goes_down(&point.host) => here(),
                Some(to) if goes_down(to) => [to.as_str()].into(),
                _ => return None,
            };
            let fault = if sweep_fault == SweepFault::Kill { kill(victim) } else { power_off(victim) };
            fault.at_start().lasting(down_for)
        }
        SweepFault::Close => {
            let [from, to] = ends()?;
            reset(0, [from], [to]).one_way().at_start().lasting(millis(1))
        }
        SweepFault::Loss => {
            let [from, to] = ends()?;
            loss(1.0, [from], [to]).one_way().at_start().lasting(millis(1))
        }
    };
    Some(Fault { trigger: point.trigger.clone(), generator: "sweep".to_owned(), ..fault })
}
