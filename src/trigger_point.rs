//! The trigger points that a plan waits for: counts messages and events, and names the faults that are due.

use std::fmt;
use std::sync::Arc;

use crate::trace::{Event, HostId};

/// The messages to count: those from certain hosts to certain others.
#[derive(Clone, Debug)]
pub(crate) struct MessageWatch {
    pub(crate) from: Vec<HostId>,
    pub(crate) to: Vec<HostId>,
    /// Only messages that contain these bytes count.
    pub(crate) containing: Vec<u8>,
}

/// The events to count: those of certain hosts with a certain name.
#[derive(Clone, Debug)]
pub(crate) struct EventWatch {
    pub(crate) hosts: Vec<HostId>,
    pub(crate) named: String,
}

/// The messages or events that a watch counts.
#[derive(Clone, Debug)]
pub(crate) enum Watched {
    Message(MessageWatch),
    Event(EventWatch),
}

/// One trigger point that the run watches for.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The index in the plan of the fault that begins there; `u32::MAX` for a watch that only counts.
    pub(crate) fault: u32,
    pub(crate) watched: Watched,
    /// The occurrence, from 1, at which the fault begins.
    pub(crate) nth: u32,
    /// The number of occurrences so far.
    pub(crate) seen: u32,
}

type OnTrigger = dyn Fn(u32, HostId) + Send + Sync;

/// All trigger points that a run watches for.
#[derive(Clone, Default)]
pub(crate) struct TriggerPoints {
    pub(crate) watches: Vec<Watch>,
    /// Called with a fault and the host where its trigger point was reached, for effects that cannot wait for the end
    /// of the step.
    pub(crate) on_trigger: Option<Arc<OnTrigger>>,
}

impl fmt::Debug for TriggerPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerPoints").field("watches", &self.watches).finish_non_exhaustive()
    }
}

impl TriggerPoints {
    /// Counts an event and returns the faults that it triggers. Without watches this costs one comparison.
    pub(crate) fn event(&mut self, host: HostId, event: &Event) -> Vec<u32> {
        if self.watches.is_empty() {
            return Vec::new();
        }
        let Some(name) = event.name() else { return Vec::new() };
        self.count(
            |watched| matches!(watched, Watched::Event(watch) if watch.named == name && watch.hosts.contains(&host)),
        )
    }

    /// Counts a message that is about to leave and returns the faults that it triggers.
    pub(crate) fn message(&mut self, from: HostId, to: HostId, bytes: &[u8]) -> Vec<u32> {
        self.count(|watched| match watched {
            Watched::Message(watch) => {
                watch.from.contains(&from) && watch.to.contains(&to) && contains(bytes, &watch.containing)
            }
            Watched::Event(_) => false,
        })
    }

    fn count(&mut self, is_counted: impl Fn(&Watched) -> bool) -> Vec<u32> {
        let mut due = Vec::new();
        for watch in self.watches.iter_mut().filter(|watch| is_counted(&watch.watched)) {
            watch.seen = watch.seen.saturating_add(1);
            if watch.seen == watch.nth {
                due.push(watch.fault);
            }
        }
        due
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Mark;

    const NONE: [u32; 0] = [];

    #[test]
    fn messages_and_events_are_counted_separately() {
        let watch = |fault, watched, nth| Watch { fault, watched, nth, seen: 0 };
        let message = |containing: &[u8]| {
            let (from, to) = (vec![HostId(0)], vec![HostId(1), HostId(2)]);
            Watched::Message(MessageWatch { from, to, containing: containing.to_vec() })
        };
        let event = Watched::Event(EventWatch { hosts: vec![HostId(1)], named: "ready".to_owned() });
        let mut trigger_points = TriggerPoints {
            watches: vec![watch(0, message(b""), 3), watch(1, message(b"POST"), 2), watch(2, event, 1)],
            on_trigger: None,
        };
        let mut send = |from, to, bytes: &[u8]| trigger_points.message(HostId(from), HostId(to), bytes);
        assert_eq!(send(0, 1, b"POST / HTTP/1.1"), NONE);
        assert_eq!(send(1, 0, b"POST / HTTP/1.1"), NONE, "the opposite direction does not count");
        assert_eq!(send(0, 2, b"GET / HTTP/1.1"), NONE);
        assert_eq!(send(0, 1, b"POST / HTTP/1.1"), [0, 1], "the third message, and the second one with these bytes");
        assert_eq!(send(0, 1, b"POST / HTTP/1.1"), NONE, "each fault is triggered once");
        assert_eq!(trigger_points.event(HostId(2), &Event::Mark(Mark::Ready(true))), NONE);
        assert_eq!(trigger_points.event(HostId(1), &Event::Mark(Mark::Ready(false))), NONE);
        assert_eq!(trigger_points.event(HostId(1), &Event::Mark(Mark::Ready(true))), [2]);
        assert_eq!(trigger_points.watches.iter().map(|watch| watch.seen).collect::<Vec<_>>(), [4, 3, 1]);
    }
}
