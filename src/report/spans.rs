//! What lasts for a time: the lives of processes, and faults with the hosts and links that they touch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::fault::{Fault, Selector, Target, Topology, pick};
use crate::run::Recording;
use crate::trace::{Event, HostId};

/// A time as reports have it: in microseconds.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A time in which a host's process is in one state.
#[derive(Serialize)]
pub(super) struct LifeSpan {
    pub(super) host: u16,
    /// `up`, `stopping`, `down`, `off`, and beside these `paused` and `stalled`.
    pub(super) state: &'static str,
    pub(super) begins: u64,
    pub(super) ends: u64,
    /// What began it, in words.
    pub(super) why: String,
}

/// A fault, while it was active.
#[derive(Serialize)]
pub(super) struct FaultSpan {
    pub(super) text: String,
    pub(super) begins: Option<u64>,
    pub(super) ends: Option<u64>,
    /// The hosts that it acts on.
    pub(super) hosts: Vec<u16>,
    /// The directed links that it acts on.
    pub(super) links: Vec<(u16, u16)>,
    pub(super) effects: Option<u64>,
}

/// The lives of all processes.
pub(super) fn lives(recording: &Recording) -> Vec<LifeSpan> {
    let end = micros(recording.outcome.simulated);
    let mut spans = Vec::new();
    // What began, by host and by whether it goes on beside a life.
    let mut open: BTreeMap<(HostId, bool), LifeSpan> = BTreeMap::new();
    for record in &recording.records {
        let Some(host) = record.host else { continue };
        let (state, is_beside, why) = match &record.event {
            Event::Started => ("up", false, "starts"),
            Event::Stopping => ("stopping", false, "is asked to stop"),
            Event::Returned => ("down", false, "its program returns"),
            Event::Failed => ("down", false, "its program fails"),
            Event::Killed => ("down", false, "is killed"),
            Event::PoweredOff => ("off", false, "loses power"),
            Event::Paused => ("paused", true, "is paused"),
            Event::OutputStalled => ("stalled", true, "its output stalls"),
            Event::Resumed | Event::OutputResumed => ("", true, ""),
            _ => continue,
        };
        let at = micros(record.at);
        if let Some(span) = open.remove(&(host, is_beside)) {
            spans.push(LifeSpan { ends: at, ..span });
        }
        if !state.is_empty() {
            let why = record.text.as_ref().map_or(why.to_owned(), |text| format!("{why}: {text}"));
            open.insert((host, is_beside), LifeSpan { host: host.0, state, begins: at, ends: end, why });
        }
    }
    spans.extend(open.into_values());
    spans.sort_by_key(|span| (span.begins, span.host));
    spans
}

/// All faults of the plan.
pub(super) fn fault_spans(recording: &Recording, topology: &Topology) -> Vec<FaultSpan> {
    let faults = recording.case.plan.faults.iter().enumerate();
    faults.map(|(index, fault)| fault_span(recording, topology, index, fault)).collect()
}

fn fault_span(recording: &Recording, topology: &Topology, index: usize, fault: &Fault) -> FaultSpan {
    let number = index as u32;
    let at = |wanted: Event| recording.records.iter().find(|record| record.event == wanted).map(|record| record.at);
    let begins = at(Event::FaultBegan { fault: number });
    let ends = at(Event::FaultEnded { fault: number });
    let resolve = |hosts: &Selector, side: u64| match hosts {
        Selector::Here => affected_hosts(recording, number),
        hosts => hosts.resolve(topology, pick(recording.case.seed, index, side)),
    };
    let (mut hosts, mut links) = (Vec::new(), BTreeSet::new());
    match &fault.target {
        Target::Hosts(selector) => hosts = resolve(selector, 0).into_iter().map(|host| host.0).collect(),
        Target::Links { from, to } | Target::OneWay { from, to } => {
            let is_one_way = matches!(fault.target, Target::OneWay { .. }) || fault.kind.is_one_way();
            for a in resolve(from, 0) {
                for b in resolve(to, 1).into_iter().filter(|b| a != *b) {
                    links.insert((a.0, b.0));
                    if !is_one_way {
                        links.insert((b.0, a.0));
                    }
                }
            }
        }
    }
    FaultSpan {
        text: fault.to_string(),
        begins: begins.map(micros),
        // A run that dies ends with its faults.
        ends: begins.map(|_| ends.unwrap_or(recording.outcome.simulated)).map(micros),
        hosts,
        links: links.into_iter().collect(),
        effects: recording.outcome.fault_effects.get(index).copied(),
    }
}

/// The hosts that went down right after a fault began, or that it affected otherwise.
fn affected_hosts(recording: &Recording, fault: u32) -> Vec<HostId> {
    let (mut hosts, mut is_beginning) = (BTreeSet::new(), false);
    for record in &recording.records {
        match &record.event {
            Event::FaultBegan { fault: begun } => is_beginning = *begun == fault,
            Event::HostAffected { fault: by } if *by == fault => hosts.extend(record.host),
            Event::SegmentAffected { fault: Some(by), .. } if *by == fault => hosts.extend(record.host),
            Event::Killed | Event::PoweredOff | Event::Stopping | Event::Paused if is_beginning => {
                hosts.extend(record.host);
            }
            Event::Started | Event::FaultEnded { .. } => is_beginning = false,
            _ => {}
        }
    }
    hosts.into_iter().collect()
}
