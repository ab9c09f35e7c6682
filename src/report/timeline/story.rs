//! Turns the records and operations of a run into moments, in the words of the system under test.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::moment::{Category, Life, Moment, Place, Weight};
use super::requests::{Requests, effect};
use super::streams::{StreamEvent, What};
use crate::fault::duration_text;
use crate::history::{Completion, Operation, TLS_SECRET};
use crate::run::Recording;
use crate::trace::{AttemptOutcome, Event, HostId, Mark, Record, SegmentKind};

/// All moments of a run, in order. The end of the operation `shown` is decisive, however it ended.
pub(super) fn moments(recording: &Recording, shown: Option<&Operation>) -> Vec<Moment> {
    let mut story = Story {
        recording,
        requests: Requests::of(recording),
        held_links: BTreeSet::new(),
        alive: vec![false; recording.hosts.len()],
        streams: BTreeMap::new(),
        moments: Vec::new(),
    };
    // Fates are recorded at the end of a step, but with the time at which they were decided.
    let mut records: Vec<&Record> = recording.records.iter().collect();
    records.sort_by_key(|record| record.at);
    let completed = recording.history.operations.iter();
    let mut ends: Vec<(Duration, &Operation)> =
        completed.filter_map(|operation| Some((operation.completed.as_ref()?.0, operation))).collect();
    ends.sort_by_key(|(at, _)| *at);
    let mut ends = VecDeque::from(ends);
    let mut streams = VecDeque::from(StreamEvent::of(recording));
    for record in records {
        while let Some((at, operation)) = ends.front().copied().filter(|(at, _)| *at < record.at) {
            ends.pop_front();
            story.operation_ended(at, operation, shown == Some(operation));
        }
        while let Some(event) = streams.front().copied().filter(|event| event.at <= record.at) {
            streams.pop_front();
            story.stream(&event);
        }
        story.record(record);
    }
    for (at, operation) in ends {
        story.operation_ended(at, operation, shown == Some(operation));
    }
    for event in streams {
        story.stream(&event);
    }
    story.end();
    story.moments
}

struct Story<'a> {
    recording: &'a Recording,
    requests: Requests,
    /// The faults and links for which a held connect has already been shown.
    held_links: BTreeSet<(Option<u32>, HostId, HostId)>,
    alive: Vec<bool>,
    /// The number of each request of HTTP/2, by its place among the exchanges.
    streams: BTreeMap<usize, u64>,
    moments: Vec<Moment>,
}

impl Story<'_> {
    fn name(&self, host: HostId) -> &str {
        self.recording.hosts.get(host.index()).map_or("?", String::as_str)
    }

    fn add(&mut self, at: Duration, weight: Weight, category: Category, place: Place, text: &str) {
        let text = text.to_owned();
        self.moments.push(Moment { at, weight, category, place, life: None, text });
    }

    fn live(&mut self, at: Duration, weight: Weight, host: Option<HostId>, life: Life, text: &str) {
        let Some(host) = host else { return };
        if let Some(alive) = self.alive.get_mut(host.index()) {
            *alive = life == Life::Begins;
        }
        self.add(at, weight, Category::Other, Place::On(host), text);
        if let Some(moment) = self.moments.last_mut() {
            moment.life = Some(life);
        }
    }

    fn record(&mut self, record: &Record) {
        let Record { at, host, event, text } = record;
        let at = *at;
        let who = host.map(|host| self.name(host).to_owned()).unwrap_or_default();
        let place = host.map_or(Place::World, Place::On);
        let words = text.as_deref().unwrap_or_default();
        let (decisive, other) = (Weight::Decisive, Category::Other);
        match event {
            // Every host starts at the beginning; only later starts have a line.
            Event::Started if at.is_zero() => self.live(at, decisive, *host, Life::Begins, ""),
            Event::Started => self.live(at, decisive, *host, Life::Begins, &format!("{who} starts")),
            // A program that returns has done its work.
            Event::Returned => self.live(at, Weight::Notable, *host, Life::Ends, &format!("{who} returns")),
            Event::Failed => self.live(at, decisive, *host, Life::Ends, &format!("{who} fails: {words}")),
            Event::Killed if words.is_empty() => {
                self.live(at, decisive, *host, Life::Ends, &format!("{who} is killed"))
            }
            Event::Killed => self.live(at, decisive, *host, Life::Ends, &format!("{who} is killed: {words}")),
            Event::PoweredOff => self.live(at, decisive, *host, Life::Ends, &format!("{who} loses power")),
            Event::Stopping => self.add(at, decisive, other, place, &format!("{who} is asked to stop")),
            Event::OutputStalled => self.add(at, decisive, other, place, &format!("{who} hangs: its output stalls")),
            Event::OutputResumed => self.add(at, decisive, other, place, &format!("{who} resumes its output")),
            Event::Paused => {
                self.add(at, decisive, other, place, &format!("{who} is paused: its process does nothing"))
            }
            Event::Resumed => self.add(at, decisive, other, place, &format!("{who} goes on, and its timers are late")),
            Event::FaultBegan { fault } => {
                self.add(at, decisive, other, Place::World, &format!("f{} begins: {words}", fault + 1));
            }
            Event::FaultEnded { fault } => self.add(at, decisive, other, Place::World, &self.fault_ended(*fault)),
            Event::HostAffected { fault } => {
                self.add(at, Weight::Notable, other, place, &format!("{who} {words} [f{}]", fault + 1));
            }
            Event::FaultsOver => self.add(at, decisive, other, Place::World, "the faults are over"),
            Event::DescriptorsHeld { open, most, ended } => {
                let text =
                    format!("{who} holds {open} descriptors ({most} at most), {} of ended connections", ended.len());
                self.add(at, Weight::Notable, other, place, &text);
            }
            Event::Mark(mark) => self.mark(at, &who, *host, mark),
            Event::Log { .. } => self.add(at, Weight::Notable, Category::Log, place, &format!("{who} logs {words}")),
            Event::Sent { .. }
            | Event::Arrived { .. }
            | Event::SegmentAffected { .. }
            | Event::SegmentCorrupted { .. } => {
                self.segment(record);
            }
        }
    }

    fn fault_ended(&self, fault: u32) -> String {
        let effects = match self.recording.outcome.fault_effects.get(fault as usize) {
            None => "",
            Some(0) => " (no effect)",
            Some(1) => " (1 effect)",
            Some(effects) => &format!(" ({effects} effects)"),
        };
        format!("f{} ends{effects}", fault + 1)
    }

    fn segment(&mut self, record: &Record) {
        let Record { at, host, event, text } = record;
        let at = *at;
        let is_alive = |story: &Self, host: HostId| story.alive.get(host.index()).is_some_and(|alive| *alive);
        match (event, text) {
            (Event::Sent { flow, forward: true, .. }, Some(words)) => {
                let moment = self.requests.request(at, *flow, words);
                self.moments.extend(moment);
            }
            (Event::Sent { flow, forward: false, .. }, Some(words)) => {
                let moment = self.requests.answer(at, *flow, words);
                self.moments.extend(moment);
            }
            (Event::Sent { flow, forward: true, kind: SegmentKind::Fin | SegmentKind::Rst, .. }, None) => {
                let moments = self.requests.closed_by_client(at, *flow);
                // A client that has died does not give up its requests.
                if is_alive(self, flow.from) {
                    self.moments.extend(moments);
                }
            }
            (Event::Arrived { flow, forward: false, kind: SegmentKind::Fin | SegmentKind::Rst }, _)
                if is_alive(self, flow.from) =>
            {
                let moments = self.requests.closed_by_server(at, *flow);
                self.moments.extend(moments);
            }
            (Event::SegmentAffected { fault, flow, kind: SegmentKind::Syn, lost, late, .. }, _)
                if *host == Some(flow.from) && self.held_links.insert((*fault, flow.from, flow.to)) =>
            {
                let place = Place::Between { from: flow.from, to: flow.to };
                let text = format!("connect [{}]", effect(self.recording, *fault, *lost > 0, *late));
                self.add(at, Weight::Notable, Category::Other, place, &text);
            }
            _ => {}
        }
    }

    /// Adds what happened on a stream of HTTP/2, whose frames no line of text shows.
    fn stream(&mut self, event: &StreamEvent<'_>) {
        let at = event.at;
        let moment = match event.what {
            What::Asked(place, exchange) => {
                let number = self.requests.next_number();
                self.streams.insert(place, number);
                let effect = self.requests.effect_of(exchange.connection, exchange.client(), at);
                event.asked(number, exchange, &effect)
            }
            What::Ended(place, exchange) => {
                let Some(number) = self.streams.get(&place) else { return };
                event.ended(*number, exchange)
            }
            What::Goaway(goaway) => {
                let (server, client) = (self.name(goaway.connection.to), self.name(goaway.connection.from));
                event.goaway(goaway, server, client)
            }
        };
        self.moments.push(moment);
    }

    fn mark(&mut self, at: Duration, who: &str, host: Option<HostId>, mark: &Mark) {
        let (weight, category, text) = match mark {
            Mark::HealthChanged { to, healthy } => {
                let belief = if *healthy { "healthy" } else { "dead" };
                (Weight::Decisive, Category::Other, format!("{who} believes {} {belief}", self.name(*to)))
            }
            Mark::BreakerChanged { open } => {
                let verb = if *open { "opens" } else { "closes" };
                (Weight::Decisive, Category::Other, format!("{who} {verb} its breaker"))
            }
            Mark::Probed { to, ok } => {
                let is_news = host.is_some_and(|host| self.requests.is_news(host, *to, *ok));
                if !is_news {
                    return;
                }
                (Weight::Notable, Category::Other, format!("{who} finds {} unhealthy", self.name(*to)))
            }
            Mark::AttemptStarted { call, attempt: attempt @ 2.., .. } => {
                (Weight::Notable, Category::Attempt, format!("{who} begins attempt {attempt} of call {call}"))
            }
            Mark::AttemptEnded { call, attempt, outcome } => match failed_attempt(outcome) {
                None => return,
                Some(how) => (Weight::Notable, Category::Attempt, format!("attempt {attempt} of call {call} {how}")),
            },
            Mark::CallEnded { call, ok: false } => {
                // The operation behind the call shows what that meant for the client.
                (Weight::Notable, Category::Attempt, format!("call {call} fails"))
            }
            Mark::Applied { id, .. } => (Weight::Routine, Category::Effect, format!("{who} applies effect {id}")),
            Mark::Ready(true) if at.is_zero() => return,
            Mark::Ready(true) => (Weight::Notable, Category::Other, format!("{who} is ready")),
            Mark::Ready(false) => (Weight::Notable, Category::Other, format!("{who} is no longer ready")),
            // It is there for captures.
            Mark::Note { name, .. } if name == TLS_SECRET => return,
            Mark::Note { name, detail } => (Weight::Notable, Category::Other, format!("{who}: {name} {detail}")),
            Mark::Ejected { to, lasting } => {
                let (backend, lasting) = (self.name(*to), duration_text(*lasting));
                (Weight::Decisive, Category::Other, format!("{who} ejects {backend} for {lasting}"))
            }
            Mark::CallStarted { .. }
            | Mark::AttemptStarted { .. }
            | Mark::CallEnded { ok: true, .. }
            | Mark::Dispatched { .. } => return,
        };
        self.add(at, weight, category, host.map_or(Place::World, Place::On), &text);
    }

    fn operation_ended(&mut self, at: Duration, operation: &Operation, is_shown: bool) {
        let (weight, end) = match &operation.completed {
            Some((_, Completion::Ok(_))) | None if is_shown => (Weight::Decisive, "ok".to_owned()),
            Some((_, Completion::Ok(_))) | None => (Weight::Routine, "ok".to_owned()),
            Some((_, Completion::Fail(why))) => (Weight::Decisive, format!("fails: {why}")),
            Some((_, Completion::Unknown(why))) => (Weight::Decisive, format!("ends unknown: {why}")),
        };
        let took = duration_text(at - operation.invoked_at);
        let text = format!("client {}: {} {end} (after {took})", operation.client, operation.name);
        let category = if is_shown { Category::Breach } else { Category::Operation };
        self.add(at, weight, category, Place::On(operation.host), &text);
    }

    /// Adds the operations and requests that never came to an end.
    fn end(&mut self) {
        let at = self.recording.outcome.simulated;
        for operation in &self.recording.history.operations {
            if operation.completed.is_none() {
                let since = duration_text(operation.invoked_at);
                let text = format!("client {}: {} never ended (since {since})", operation.client, operation.name);
                self.add(at, Weight::Decisive, Category::Operation, Place::On(operation.host), &text);
            }
        }
        let open = self.requests.left_open();
        if !open.is_empty() {
            self.add(
                at,
                Weight::Notable,
                Category::Other,
                Place::World,
                &format!("without an answer: {}", open.join(", ")),
            );
        }
    }
}

/// How an attempt failed; `None` if it did not.
fn failed_attempt(outcome: &AttemptOutcome) -> Option<String> {
    match outcome {
        AttemptOutcome::Status(status @ (408 | 429 | 500..)) => Some(format!("is answered with {status}")),
        AttemptOutcome::Status(_) => None,
        AttemptOutcome::TimedOut => Some("times out".to_owned()),
        AttemptOutcome::Refused => Some("is refused".to_owned()),
        AttemptOutcome::Failed => Some("fails".to_owned()),
    }
}
