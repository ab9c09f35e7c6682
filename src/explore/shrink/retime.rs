//! Moves the faults that remain when an earlier one is left out. Without it the run gets to the same point at another time,
//! and with other messages before it, so that a fault which hit something would miss it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::reduce;
use crate::fault::{Fault, Plan, Selector, Trigger};
use crate::run::Recording;
use crate::scenario::Case;
use crate::trace::{Event, HostId, Record, SegmentKind};

/// The cases without the fault at `index`, in which those that began after it are moved: to the same point of the run, as
/// far as the two recordings have something in common before it; sooner by the duration of the fault; to when it began;
/// and to earlier messages or events. `with` is a run with the fault, and `without` the same without it.
pub(super) fn candidates(with: &Recording, without: &Recording, index: usize) -> Vec<Case> {
    let began = beginnings(with);
    let (Some(dropped), Some(dropped_at)) = (with.case.plan.faults.get(index), began.get(&index)) else {
        return Vec::new();
    };
    let (base, milestones) = (&without.case, common_milestones(with, without));
    // In the smaller plan, the faults behind the one that is left out have moved up by one place.
    let later: Vec<(usize, Duration)> = began
        .iter()
        .filter(|(fault, at)| **fault != index && *at > dropped_at)
        .map(|(fault, at)| (fault - usize::from(*fault > index), *at))
        .collect();
    let moved = |trigger_of: &dyn Fn(&Fault, Duration) -> Option<Trigger>| {
        let mut faults = base.plan.faults.clone();
        for (place, at) in &later {
            if let Some(trigger) = faults.get(*place).and_then(|fault| trigger_of(fault, *at)) {
                faults[*place].trigger = trigger;
            }
        }
        Case { plan: Plan { faults }, ..base.clone() }
    };
    let mut cases = vec![
        moved(&|fault, at| match fault.trigger.nth() {
            Some(nth) => same_occurrence(with, without, &milestones, &fault.trigger, nth, at),
            None => same_time(&milestones, at).map(Trigger::At),
        }),
        moved(&|fault, _| Some(Trigger::At(fault.begins_at()?.saturating_sub(dropped.lasting).max(*dropped_at)))),
        moved(&|fault, _| fault.begins_at().map(|_| Trigger::At(*dropped_at))),
    ];
    let counted = later.iter().find(|(place, _)| base.plan.faults[*place].trigger.nth().is_some());
    for earlier in
        counted.map(|(place, _)| reduce::earlier_trigger_points(&base.plan.faults[*place])).unwrap_or_default()
    {
        cases.push(moved(&|fault, _| Some(earlier.trigger.clone()).filter(|_| fault.kind == earlier.kind)));
    }
    cases.retain(|case| case != base);
    cases.dedup();
    cases
}

/// When each fault began.
fn beginnings(recording: &Recording) -> BTreeMap<usize, Duration> {
    let mut began = BTreeMap::new();
    for record in &recording.records {
        if let Event::FaultBegan { fault } = record.event {
            began.entry(fault as usize).or_insert(record.at);
        }
    }
    began
}

/// Something that happens in both runs, once in each: when it does in the run with the fault, and when without it.
type Milestone = (Duration, Duration);

/// The operations of the clients, the messages and the named events that happen once in each run, in the order of the
/// run with the fault.
fn common_milestones(with: &Recording, without: &Recording) -> Vec<Milestone> {
    let (with, without) = (unique(with), unique(without));
    let both = with.into_iter().filter_map(|(what, at)| Some((at?, (*without.get(&what)?)?)));
    let mut milestones: Vec<Milestone> = both.collect();
    milestones.sort_unstable();
    milestones
}

/// When each thing happened; `None` if it happened more than once.
fn unique(recording: &Recording) -> BTreeMap<String, Option<Duration>> {
    let mut all: BTreeMap<String, Option<Duration>> = BTreeMap::new();
    let mut add = |what: String, at: Duration| {
        all.entry(what).and_modify(|known| *known = None).or_insert(Some(at));
    };
    for record in &recording.records {
        match &record.event {
            Event::Sent { flow, forward, kind: SegmentKind::Data, digest, .. } => {
                add(format!("message {:?} {:?} {forward} {digest}", flow.from, flow.to), record.at);
            }
            event if event.name().is_some() => add(format!("event {:?} {event:?}", record.host), record.at),
            _ => {}
        }
    }
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for operation in &recording.history.operations {
        let count = counts.entry(operation.session()).or_default();
        *count += 1;
        add(format!("operation {} {count}", operation.session()), operation.invoked_at);
    }
    all
}

/// The last milestone up to this time of the run with the fault.
fn last_before(milestones: &[Milestone], at: Duration) -> Option<Milestone> {
    milestones.iter().rev().find(|(with, _)| *with <= at).copied()
}

/// The time of the run without the fault that corresponds to this time of the run with it.
fn same_time(milestones: &[Milestone], at: Duration) -> Option<Duration> {
    let (with, without) = last_before(milestones, at)?;
    Some(without + (at - with))
}

/// The message or event of the run without the fault that corresponds to the one at which a fault began in the run with
/// it: as many after the last milestone.
fn same_occurrence(
    with: &Recording,
    without: &Recording,
    milestones: &[Milestone],
    trigger: &Trigger,
    nth: u32,
    at: Duration,
) -> Option<Trigger> {
    let milestone = last_before(milestones, at)?;
    let after = nth.saturating_sub(count(with, trigger, milestone.0)?);
    Some(trigger.with_nth((count(without, trigger, milestone.1)? + after).max(1)))
}

/// How many of the messages or events that a trigger counts happened up to this time; `None` if the recording does not
/// tell.
fn count(recording: &Recording, trigger: &Trigger, until: Duration) -> Option<u32> {
    let is_one_of = |host: HostId, selector: &Selector| match selector {
        Selector::Names(names) => names.contains(recording.hosts.get(host.index())?).into(),
        Selector::All => Some(true),
        _ => None,
    };
    let counts = |record: &Record| match (trigger, &record.event) {
        (Trigger::Message(point), Event::Sent { flow, forward, kind: SegmentKind::Data, .. }) => {
            let (from, to) = if *forward { (flow.from, flow.to) } else { (flow.to, flow.from) };
            // The bytes themselves are not recorded.
            if point.containing.is_empty() {
                Some(is_one_of(from, &point.from)? && is_one_of(to, &point.to)?)
            } else {
                None
            }
        }
        (Trigger::Event(point), event) if event.name() == Some(&point.named) => is_one_of(record.host?, &point.host),
        _ => Some(false),
    };
    let mut count = 0;
    for record in recording.records.iter().filter(|record| record.at <= until) {
        count += u32::from(counts(record)?);
    }
    Some(count)
}
