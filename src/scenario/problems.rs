//! The validation of a scenario: reports everything that is wrong with it at once, before its first run.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::derived::{SHORTEST_STEP, settings_of};
use super::{Engine, Scenario, nearest};
use crate::check::{Check, Situation};
use crate::descriptors::CAN_SIMULATE;
use crate::fault::{Generator, Selector, Topology, duration_text};
use crate::trace::HostId;

/// The most hosts that one problem lists.
const LISTED: usize = 12;

/// Everything that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// The scenario's name.
    pub scenario: String,
    /// The problems, one line each, in an order that does not depend on the order of the builder's calls.
    pub problems: Vec<String>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scenario `{}` cannot be run:", self.scenario)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl Scenario {
    /// Validates the scenario: every pattern must match a host, names must be valid and unique, there must be something
    /// to run and to judge, and the times must fit together. Every way to run a scenario calls this before its first
    /// run.
    ///
    /// # Errors
    /// If anything is wrong. The error lists all problems.
    pub fn validate(&self) -> Result<(), ScenarioError> {
        let is_judged = !self.checks.is_empty() || !self.situations.is_empty();
        let unjudged = (!is_judged).then(|| "it has no check: add one with `.check(..)`".to_owned());
        self.error_if_any(self.problems().into_iter().chain(unjudged).collect())
    }

    /// Validates a scenario that may have no checks, because the caller judges its run.
    pub(crate) fn validate_except_checks(&self) -> Result<(), ScenarioError> {
        self.error_if_any(self.problems())
    }

    fn error_if_any(&self, problems: Vec<String>) -> Result<(), ScenarioError> {
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ScenarioError { scenario: self.name.clone(), problems }),
        }
    }

    /// All problems except a lack of checks.
    fn problems(&self) -> Vec<String> {
        let topology = self.topology();
        let groups = [
            self.problems_of_hosts(),
            self.problems_of_patterns(&topology),
            self.problems_of_conflicts(&topology),
            self.problems_of_times(),
            self.problems_of_generators(&topology),
            self.problems_of_names(),
            self.problems_of_sockets(),
        ];
        // Each group is sorted by text, so that the order of the builder's calls does not matter.
        let sorted = |group: Vec<String>| group.into_iter().collect::<BTreeSet<String>>();
        groups.into_iter().flat_map(sorted).collect()
    }

    fn problems_of_sockets(&self) -> Vec<String> {
        if CAN_SIMULATE {
            return Vec::new();
        }
        if self.engine == Engine::Events {
            return vec!["hosts run by events only on Linux: run it there, or leave `.engine(..)` out".to_owned()];
        }
        if !self.has_plain_sockets {
            return Vec::new();
        }
        vec!["plain sockets are simulated only on Linux: run it there, or use `HostContext::connector`".to_owned()]
    }

    fn problems_of_hosts(&self) -> Vec<String> {
        if self.hosts.is_empty() {
            return vec!["it has no host: add programs with `.host(..)` or `.clients(..)`".to_owned()];
        }
        let twice = repeated(self.hosts.iter().map(|host| host.name.as_str()));
        let twice = twice.map(|name| format!("two hosts are named `{name}`: give one of them another name"));
        let bad = self.hosts.iter().filter_map(|host| {
            let why = host_name_defect(&host.name)?;
            Some(format!("a host cannot be named `{}`: {why}", host.name))
        });
        let absent = self.clients.iter().filter(|clients| clients.count == 0);
        let absent =
            absent.map(|clients| format!("there are 0 clients `{}`: set their number to at least 1", clients.name));
        twice.chain(bad).chain(absent).collect()
    }

    /// Patterns that match no host, except those of faults.
    fn problems_of_patterns(&self, topology: &Topology) -> Vec<String> {
        let wrong = |what: &str, pattern: &str| Some(format!("{what}: {}", unmatched(pattern, topology)?));
        let supervised = self.supervised.iter();
        let supervised = supervised.filter_map(|(pattern, _)| wrong(&format!("supervise(`{pattern}`)"), pattern));
        let offsets = self.wall_offsets.iter();
        let offsets = offsets.filter_map(|(pattern, _)| wrong(&format!("wall_clock_offset(`{pattern}`)"), pattern));
        let latencies = self.latencies.iter().flat_map(|(a, b, _)| {
            let what = format!("link_latency(`{a}`, `{b}`)");
            let mut problems: Vec<String> = [a, b].into_iter().filter_map(|side| wrong(&what, side)).collect();
            let mut hosts = [topology.matching(a), topology.matching(b)].concat();
            hosts.dedup();
            if problems.is_empty() && hosts.len() < 2 {
                problems.push(format!("{what}: both sides are the same host: name two different hosts"));
            }
            problems
        });
        let aliases = self.aliases.iter().flat_map(|(name, hosts)| {
            let what = format!("alias(`{name}`)");
            let taken = topology.hosts.iter().any(|host| [&host.name, &host.group].contains(&name));
            let taken = taken.then(|| format!("{what}: a host or group has this name: choose another"));
            let defect = host_name_defect(name).map(|why| format!("{what}: {why}"));
            let nobody = hosts.is_empty().then(|| format!("{what}: name at least one host"));
            let unmatched = hosts.iter().filter_map(|host| wrong(&what, host)).collect::<Vec<_>>();
            taken.into_iter().chain(defect).chain(nobody).chain(unmatched)
        });
        supervised.chain(offsets).chain(latencies).chain(aliases).collect()
    }

    /// Hosts and links for which two equally specific settings differ.
    fn problems_of_conflicts(&self, topology: &Topology) -> Vec<String> {
        let mut problems = Vec::new();
        let name = |host: HostId| topology.hosts[host.index()].name.as_str();
        for host in (0..topology.hosts.len()).map(|index| HostId(index as u16)) {
            let times = settings_of(&self.supervised, topology, host);
            problems.extend(conflict(
                "supervise",
                times.iter().map(|(p, after)| (format!("`{p}`"), after)),
                name(host),
            ));
            let offsets = settings_of(&self.wall_offsets, topology, host);
            let offsets = offsets.iter().map(|(p, offset_ms)| (format!("`{p}`"), offset_ms));
            problems.extend(conflict("wall_clock_offset", offsets, name(host)));
        }
        for (a, b, settings) in self.settings_of_links() {
            let settings = settings.iter().map(|(from, to, range)| (format!("`{from}`, `{to}`"), range));
            problems.extend(conflict("link_latency", settings, &format!("{} ↔ {}", name(a), name(b))));
        }
        problems
    }

    fn problems_of_times(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let smallest = self.smallest_latency();
        match self.step {
            _ if self.engine == Engine::Events => {}
            Some(step) if step < SHORTEST_STEP => problems.push(format!(
                "the step of {} is too short: make it at least {}",
                duration_text(step),
                duration_text(SHORTEST_STEP)
            )),
            Some(step) if step > smallest => problems.push(format!(
                "the step of {} is longer than the smallest latency, {}: make the step shorter or the latency larger",
                duration_text(step),
                duration_text(smallest)
            )),
            _ if smallest < SHORTEST_STEP => problems.push(format!(
                "the smallest latency, {}, is below the shortest step, {}: make the latency larger, or run \
                 by events (`.engine(Engine::Events)`)",
                duration_text(smallest),
                duration_text(SHORTEST_STEP)
            )),
            _ => {}
        }
        let of_links = self.latencies.iter().map(|(a, b, range)| (format!("link_latency(`{a}`, `{b}`)"), range));
        for (what, range) in of_links.chain([("latency".to_owned(), &self.latency)]) {
            if range.end < range.start {
                let (start, end) = (duration_text(range.start), duration_text(range.end));
                problems.push(format!("{what}: the range {start}..{end} ends before it begins: swap the two"));
            }
        }
        if self.duration().is_zero() {
            problems.push("a run has no length: set it with `.run_for(..)` and `.settle_for(..)`".to_owned());
        } else if self.run_for.is_zero() && !self.generators.is_empty() {
            problems.push("faults have no time to happen: set it with `.run_for(..)`".to_owned());
        }
        problems
    }

    fn problems_of_generators(&self, topology: &Topology) -> Vec<String> {
        let twice = repeated(self.generators.iter().map(Generator::name)).map(|name| {
            format!(
                "two fault generators are named `{name}`: rename one with `.named(..)`, as effects are counted by name"
            )
        });
        let wrong = self.generators.iter().filter_map(|generator| Some((generator.name(), generator.outline()?)));
        let wrong = wrong.flat_map(|(name, outline)| {
            let unmatched = outline.selectors.iter().flat_map(|selector| unmatched_by(selector, topology));
            let problems = unmatched.chain(outline.defects.iter().cloned());
            problems.map(move |problem| format!("fault generator `{name}`: {problem}"))
        });
        twice.chain(wrong).collect()
    }

    /// Checks and situations that share a name.
    fn problems_of_names(&self) -> Vec<String> {
        let checks = repeated(self.checks.iter().map(Check::name));
        let checks = checks.map(|name| format!("two checks are named `{name}`: rename one with `Check::named`"));
        let situations = repeated(self.situations.iter().map(Situation::name));
        let situations =
            situations.map(|name| format!("two situations are named `{name}`: give one of them another name"));
        checks.chain(situations).collect()
    }
}

/// The problem that two settings of one host or link differ; `None` if all agree.
fn conflict<T: PartialEq>(what: &str, settings: impl Iterator<Item = (String, T)>, place: &str) -> Option<String> {
    let mut settings: Vec<(String, T)> = settings.collect();
    settings.sort_by(|a, b| a.0.cmp(&b.0));
    let (one, value) = settings.first()?;
    let (other, _) = settings.iter().find(|(_, other)| other != value)?;
    Some(format!("{what}({one}) and {what}({other}) differ about `{place}`: add one that names exactly `{place}`"))
}

/// Each repetition of a name.
fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut known = BTreeSet::new();
    names.filter(move |name| !known.insert(*name))
}

/// Why a selector, or a name in it, matches no host; empty if all match.
fn unmatched_by(selector: &Selector, topology: &Topology) -> Vec<String> {
    match selector {
        // A scenario without hosts is reported elsewhere, and `here` is known only in a run.
        Selector::All | Selector::Here => Vec::new(),
        Selector::Names(names) if names.is_empty() => vec!["no host is named: name at least one".to_owned()],
        Selector::Names(names) => {
            let is_unknown = |name: &&String| topology.hosts.iter().all(|host| host.name != **name);
            let unknown = names.iter().filter(is_unknown);
            unknown.map(|name| format!("no host is named `{name}`{}", hint(name, topology))).collect()
        }
        Selector::Matching(pattern)
        | Selector::One(pattern)
        | Selector::Minority(pattern)
        | Selector::Majority(pattern) => unmatched(pattern, topology).into_iter().collect(),
    }
}

/// Why a pattern matches no host; `None` if it matches one.
fn unmatched(pattern: &str, topology: &Topology) -> Option<String> {
    let is_unmatched = topology.matching(pattern).is_empty();
    is_unmatched.then(|| format!("no host matches `{pattern}`{}", hint(pattern, topology)))
}

/// The similar names, and the hosts that exist.
fn hint(pattern: &str, topology: &Topology) -> String {
    let names: BTreeSet<&str> = topology.hosts.iter().map(|host| host.name.as_str()).collect();
    let groups: BTreeSet<&str> = topology.hosts.iter().map(|host| host.group.as_str()).collect();
    let near = nearest(pattern, names.union(&groups).copied());
    let question = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let (listed, more) = (names.iter().take(LISTED).copied().collect::<Vec<_>>(), names.len().saturating_sub(LISTED));
    let listed = listed.join(", ");
    match (names.len(), more) {
        (0, _) => format!("{question} (there are no hosts)"),
        (_, 0) => format!("{question} (hosts: {listed})"),
        (_, more) => format!("{question} (hosts: {listed} and {more} more)"),
    }
}

/// Why no host can have this name; `None` if one can. Programs look hosts up by name, so it must be a possible DNS
/// name.
fn host_name_defect(name: &str) -> Option<String> {
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.parse::<IpAddr>().is_ok() || name.split('.').all(is_number) {
        return Some("it is read as an IP address and never looked up".to_owned());
    }
    if name.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost")) {
        return Some("`localhost` is the machine that a program runs on".to_owned());
    }
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(bad) = name.chars().find(|c| !is_allowed(c)) {
        return Some(format!("{bad:?} is neither a letter from a to z, a digit, `-`, `_` nor `.`"));
    }
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return Some("a name has at most 63 characters between dots, and 253 in all".to_owned());
    }
    let is_valid_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    (!name.split('.').all(is_valid_label)).then(|| "no part of it may be empty, or begin or end with `-`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_dns() {
        for name in ["server", "api-1", "a", "db_1", "store.eu-west.example", "n1", "1st", "10-0-0-1", "Server"] {
            assert_eq!(host_name_defect(name), None, "{name}");
        }
        let check = |name: &str, expected: &str| {
            let why = host_name_defect(name).unwrap_or_else(|| panic!("`{name}` is accepted"));
            assert!(why.contains(expected), "{name}: {why}");
        };
        check("", "empty");
        for address in ["10.0.0.1", "192.168.0.300", "::1", "fe80::1", "7"] {
            check(address, "an IP address");
        }
        check("localhost", "the machine that a program runs on");
        check("api.LocalHost", "the machine that a program runs on");
        check("api 1", "' ' is neither");
        check("api/1", "'/' is neither");
        check("api:80", "':' is neither");
        check("köln", "'ö' is neither");
        check("*", "'*' is neither");
        check(&"a".repeat(64), "at most 63");
        for name in ["-a", "a-", "a..b", ".a", "a.", "a.-b"] {
            check(name, "no part of it");
        }
    }
}
