//! The causal points of a run without faults: each message and each named event.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::fault::{EventPoint, MessagePoint, Selector, Trigger};
use crate::run::Recording;
use crate::trace::{Event, HostId, SegmentKind};

/// A point of a run at which a fault can begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The trigger that begins a fault there.
    pub trigger: Trigger,
    /// The virtual time of the point in the run without faults.
    pub at: Duration,
    /// The host that sends the message or has the event.
    pub host: String,
    /// The host that receives the message; `None` for an event.
    pub to: Option<String>,
    /// The message in words; empty if it has none.
    pub words: String,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} in the run without faults", self.trigger, crate::fault::duration_text(self.at))?;
        if self.words.is_empty() { write!(f, ")") } else { write!(f, ": {})", self.words) }
    }
}

/// Every message between two hosts and every named event while faults may happen, up to the end of the last operation,
/// as no client sees what happens later. Without operations, all points up to the end of the faults.
pub(super) fn points(recording: &Recording) -> Vec<Point> {
    let ends = recording.history.operations.iter().filter_map(|operation| Some(operation.completed.as_ref()?.0));
    let until = ends.max().unwrap_or(Duration::MAX).min(recording.run_for);
    let mut messages: BTreeMap<(HostId, HostId), u32> = BTreeMap::new();
    let mut events: BTreeMap<(HostId, String), u32> = BTreeMap::new();
    let name = |host: HostId| recording.hosts.get(host.index()).cloned().unwrap_or_default();
    let only = |host: HostId| Selector::Names(vec![name(host)]);
    let mut points = Vec::new();
    for record in &recording.records {
        let at = record.at;
        match (&record.event, record.host) {
            (Event::Sent { flow, forward, kind: SegmentKind::Data, .. }, _) if flow.from != flow.to => {
                let (from, to) = if *forward { (flow.from, flow.to) } else { (flow.to, flow.from) };
                let count = messages.entry((from, to)).or_default();
                *count += 1;
                let trigger_point =
                    MessagePoint { from: only(from), to: only(to), containing: String::new(), nth: *count };
                points.push(Point {
                    trigger: Trigger::Message(trigger_point),
                    at,
                    host: name(from),
                    to: Some(name(to)),
                    words: record.text.clone().unwrap_or_default(),
                });
            }
            (event, Some(host)) => {
                let Some(named) = event.name() else { continue };
                let count = events.entry((host, named.to_owned())).or_default();
                *count += 1;
                // The first start of each host is the beginning of the run, and not a point.
                if *event == Event::Started && at.is_zero() {
                    continue;
                }
                let trigger_point = EventPoint { host: only(host), named: named.to_owned(), nth: *count };
                let (host, words) = (name(host), String::new());
                points.push(Point { trigger: Trigger::Event(trigger_point), at, host, to: None, words });
            }
            _ => {}
        }
    }
    // Hosts run one after the other, each for a whole step, so the records of a step are not in order.
    points.sort_by_key(|point| point.at);
    points.retain(|point| point.at <= until);
    points
}
