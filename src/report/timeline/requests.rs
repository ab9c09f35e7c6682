//! Matches requests and answers on each connection in order, and follows the requests that were not answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::moment::{Category, Moment, Place, Weight};
use crate::fault::duration_text;
use crate::run::Recording;
use crate::trace::{Event, FlowKey, HostId, SegmentKind};

/// A request without an answer.
struct Open {
    at: Duration,
    /// Counted from 1 over the run; `None` for a health probe.
    number: Option<u64>,
    words: String,
}

impl Open {
    fn name(&self) -> String {
        match self.number {
            Some(number) => format!("r{number}"),
            None => format!("probe {}", self.words),
        }
    }
}

/// The state of all requests up to now.
pub(super) struct Requests {
    open: BTreeMap<FlowKey, VecDeque<Open>>,
    /// Requests that their clients gave up, in order; an answer may still come.
    given_up: BTreeMap<FlowKey, VecDeque<Open>>,
    sent: u64,
    /// The effects of faults on segments, in words, by connection, sender and time.
    effects: BTreeMap<(FlowKey, HostId, Duration), String>,
    /// The pairs of hosts whose probes fail: only the first failure in a row is shown.
    failing_probes: BTreeSet<(HostId, HostId)>,
}

/// The effect of faults on one segment with bytes.
#[derive(Clone, Copy, Debug)]
struct Affected {
    /// The first fault that affected it.
    fault: Option<u32>,
    is_lost: bool,
    late: Option<Duration>,
    corrupted_by: Option<u32>,
}

impl Affected {
    /// The affected segments, by connection, sender and the time at which they were first sent.
    fn of(recording: &Recording) -> BTreeMap<(FlowKey, HostId, Duration), Affected> {
        let mut affected = BTreeMap::new();
        let mut sent: BTreeMap<(FlowKey, bool), Vec<Duration>> = BTreeMap::new();
        for record in &recording.records {
            let Some(host) = record.host else { continue };
            let (flow, forward, segment) = match &record.event {
                Event::Sent { flow, forward, .. } => {
                    sent.entry((*flow, *forward)).or_default().push(record.at);
                    continue;
                }
                Event::SegmentAffected { flow, forward, segment, kind: SegmentKind::Data, .. }
                | Event::SegmentCorrupted { flow, forward, segment, .. } => (*flow, *forward, *segment),
                _ => continue,
            };
            let times = sent.get(&(flow, forward));
            let Some(sent_at) = times.and_then(|times| times.get(segment as usize)) else { continue };
            let new = Affected { fault: None, is_lost: false, late: None, corrupted_by: None };
            let entry = affected.entry((flow, host, *sent_at)).or_insert(new);
            match &record.event {
                Event::SegmentAffected { fault, lost, late, .. } => {
                    entry.fault = entry.fault.or(*fault);
                    entry.is_lost |= *lost > 0;
                    entry.late = late.or(entry.late);
                }
                Event::SegmentCorrupted { fault, .. } => entry.corrupted_by = Some(*fault),
                _ => {}
            }
        }
        affected
    }

    fn text(&self, recording: &Recording) -> String {
        match self.corrupted_by {
            Some(fault) => format!("f{} corrupts a bit of it", fault + 1),
            None => effect(recording, self.fault, self.is_lost, self.late),
        }
    }
}

impl Requests {
    pub(super) fn of(recording: &Recording) -> Requests {
        let affected = Affected::of(recording);
        let effects = affected.into_iter().map(|(sent, affected)| (sent, affected.text(recording))).collect();
        Requests { open: BTreeMap::new(), given_up: BTreeMap::new(), sent: 0, effects, failing_probes: BTreeSet::new() }
    }

    /// The number of the next request.
    pub(super) fn next_number(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// What faults did to the segment that this host sent at this time, in brackets; empty for nothing.
    pub(super) fn effect_of(&self, flow: FlowKey, from: HostId, at: Duration) -> String {
        with(self.effects.get(&(flow, from, at)))
    }

    /// A request was sent.
    pub(super) fn request(&mut self, at: Duration, flow: FlowKey, words: &str) -> Option<Moment> {
        let number = (!is_probe(words)).then(|| self.next_number());
        let open = Open { at, number, words: words.to_owned() };
        let effect = self.effects.get(&(flow, flow.from, at));
        let moment = open.number.map(|_| Moment {
            at,
            weight: if effect.is_some() { Weight::Notable } else { Weight::Routine },
            category: Category::Request,
            place: Place::Between { from: flow.from, to: flow.to },
            life: None,
            text: format!("{} {words}{}", open.name(), with(effect)),
        });
        self.open.entry(flow).or_default().push_back(open);
        moment
    }

    /// An answer was sent.
    pub(super) fn answer(&mut self, at: Duration, flow: FlowKey, words: &str) -> Option<Moment> {
        // An interim answer (1xx) is not the final one.
        if words.starts_with('1') {
            return None;
        }
        let late = self.given_up.get_mut(&flow).and_then(VecDeque::pop_front);
        let (request, too_late) = match late {
            Some(request) => (request, ", too late"),
            None => (self.open.get_mut(&flow).and_then(VecDeque::pop_front)?, ""),
        };
        let is_good = words.starts_with(['2', '3']);
        if request.number.is_none() && !self.is_news(flow.from, flow.to, is_good) {
            return None;
        }
        let effect = self.effects.get(&(flow, flow.to, at));
        let is_routine = is_good && too_late.is_empty() && effect.is_none();
        let took = duration_text(at - request.at);
        let name = request.name();
        let text = match (is_good, request.number) {
            (false, Some(_)) => {
                format!("{name} {words} after {took}{too_late} (to {}){}", request.words, with(effect))
            }
            _ => format!("{name} {words} after {took}{too_late}{}", with(effect)),
        };
        Some(Moment {
            at,
            weight: if is_routine { Weight::Routine } else { Weight::Notable },
            category: if is_good && too_late.is_empty() { Category::Answer } else { Category::Attempt },
            place: Place::Between { from: flow.to, to: flow.from },
            life: None,
            text,
        })
    }

    /// The client of a connection closed it.
    pub(super) fn closed_by_client(&mut self, at: Duration, flow: FlowKey) -> Vec<Moment> {
        let given_up = self.open.remove(&flow).unwrap_or_default();
        let moments = self.unanswered(at, flow, &given_up, |open| format!("gives up {}", open.name()));
        self.given_up.entry(flow).or_default().extend(given_up);
        moments
    }

    /// The client of a connection learned that the server closed it.
    pub(super) fn closed_by_server(&mut self, at: Duration, flow: FlowKey) -> Vec<Moment> {
        let broken = self.open.remove(&flow).unwrap_or_default();
        self.unanswered(at, flow, &broken, |open| format!("loses the connection of {}", open.name()))
    }

    fn unanswered(
        &mut self,
        at: Duration,
        flow: FlowKey,
        requests: &VecDeque<Open>,
        what: impl Fn(&Open) -> String,
    ) -> Vec<Moment> {
        let mut moments = Vec::new();
        for open in requests {
            if open.number.is_none() && !self.is_news(flow.from, flow.to, false) {
                continue;
            }
            let words = if open.number.is_some() { format!(" ({})", open.words) } else { String::new() };
            moments.push(Moment {
                at,
                weight: Weight::Notable,
                category: Category::Attempt,
                place: Place::On(flow.from),
                life: None,
                text: format!("{} after {}{words}", what(open), duration_text(at - open.at)),
            });
        }
        moments
    }

    /// Whether a probe is the first to fail in a row.
    pub(super) fn is_news(&mut self, from: HostId, to: HostId, ok: bool) -> bool {
        if ok {
            // The recovery is shown when the prober's belief changes.
            self.failing_probes.remove(&(from, to));
            false
        } else {
            self.failing_probes.insert((from, to))
        }
    }

    /// The requests that were still open at the end, by name.
    pub(super) fn left_open(&self) -> Vec<String> {
        let mut open: Vec<(u64, String)> = self
            .open
            .values()
            .flatten()
            .filter_map(|open| Some((open.number?, format!("{} {}", open.name(), open.words))))
            .collect();
        open.sort();
        open.into_iter().map(|(_, name)| name).collect()
    }
}

fn is_probe(words: &str) -> bool {
    let path = words.strip_prefix("GET ").map(|path| path.split('?').next().unwrap_or(path));
    matches!(path, Some("/health" | "/ready"))
}

/// The effect of a fault on a segment, in words.
pub(super) fn effect(recording: &Recording, fault: Option<u32>, is_lost: bool, late: Option<Duration>) -> String {
    let kind = fault.and_then(|fault| recording.case.plan.faults.get(fault as usize)).map(|fault| &fault.kind);
    let own = kind.and_then(|kind| kind.facts().effect_on_a_message);
    if let (Some(fault), Some(own)) = (fault, own) {
        return format!("f{} {own}", fault + 1);
    }
    match (fault, late) {
        (Some(fault), Some(late)) => format!("f{} delays it by {}", fault + 1, duration_text(late)),
        (Some(fault), None) if is_lost => format!("f{} loses it", fault + 1),
        (Some(fault), None) => format!("f{} holds it back", fault + 1),
        (None, _) => "its destination has no power".to_owned(),
    }
}

fn with(effect: Option<&String>) -> String {
    effect.map(|effect| format!(" [{effect}]")).unwrap_or_default()
}
