//! A run in the Trace Event Format, which Perfetto and Chrome's `chrome://tracing` read: hosts are processes, and what lasts
//! on them are slices: lives, operations, calls and exchanges; events are instants.
//!
//! Exchanges overlap, so they and all else but lives are asynchronous slices (`b` and `e`), each with an id of its own.
//! Times are microseconds of virtual time.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::attempts::attempts;
use super::events::{event, outcome_of, short};
use super::spans::{fault_spans, lives, micros};
use crate::fault::Topology;
use crate::history::Operation;
use crate::run::Recording;
use crate::trace::exchange::Exchange;

/// The thread of a host that shows the life of its process and what happens there.
const LIFE: u32 = 1;
/// The thread that shows when a host's process is paused, or its output is stalled.
const PAUSES: u32 = 2;

#[derive(Serialize)]
struct TraceEvent {
    name: String,
    cat: &'static str,
    ph: &'static str,
    ts: u64,
    pid: usize,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The scope of an instant: `t` for its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

impl TraceEvent {
    fn new(ph: &'static str, cat: &'static str, name: String, ts: u64, pid: usize) -> TraceEvent {
        TraceEvent { name, cat, ph, ts, pid, tid: LIFE, dur: None, id: None, s: None, args: Value::Null }
    }
}

/// The events of a run, put together.
struct Events(Vec<TraceEvent>);

impl Events {
    fn name(&mut self, what: &str, pid: usize, tid: u32, name: &str) {
        let event = TraceEvent::new("M", "__metadata", what.to_owned(), 0, pid);
        self.0.push(TraceEvent { tid, args: json!({ "name": name }), ..event });
    }

    /// An asynchronous slice from one time to another.
    fn slice(&mut self, cat: &'static str, id: String, name: String, pid: usize, times: (u64, u64), args: Value) {
        let (begins, ends) = (times.0, times.1.max(times.0));
        let begin = TraceEvent::new("b", cat, name.clone(), begins, pid);
        self.0.push(TraceEvent { id: Some(id.clone()), args, ..begin });
        self.0.push(TraceEvent { id: Some(id), ..TraceEvent::new("e", cat, name, ends, pid) });
    }
}

/// The run as JSON in the Trace Event Format. `topology` is that of its scenario.
pub fn trace_events(recording: &Recording, topology: &Topology) -> String {
    let mut events = Events(Vec::new());
    let end = micros(recording.outcome.simulated);
    for (host, name) in recording.hosts.iter().enumerate() {
        events.name("process_name", pid(host), LIFE, name);
        events.name("thread_name", pid(host), LIFE, "process");
    }
    let faults = pid(recording.hosts.len());
    events.name("process_name", faults, LIFE, "faults");
    for (number, fault) in fault_spans(recording, topology).into_iter().enumerate() {
        let (Some(begins), Some(ends)) = (fault.begins, fault.ends) else { continue };
        let name = |host: &u16| recording.hosts.get(usize::from(*host)).map_or("?", String::as_str);
        let links: Vec<String> = fault.links.iter().map(|(a, b)| format!("{} → {}", name(a), name(b))).collect();
        let hosts: Vec<&str> = fault.hosts.iter().map(name).collect();
        let args = json!({ "effects": fault.effects, "hosts": hosts, "links": links });
        let text = format!("f{}: {}", number + 1, fault.text);
        events.slice("fault", format!("f{}", number + 1), text, faults, (begins, ends), args);
    }
    for life in lives(recording) {
        let (host, is_beside) = (usize::from(life.host), matches!(life.state, "paused" | "stalled"));
        let (tid, dur) = (if is_beside { PAUSES } else { LIFE }, Some(life.ends.saturating_sub(life.begins)));
        let event = TraceEvent::new("X", "life", life.state.to_owned(), life.begins, pid(host));
        events.0.push(TraceEvent { tid, dur, args: json!({ "why": life.why }), ..event });
    }
    for record in &recording.records {
        let Some((host, at, kind, text, _)) = event(recording, record) else { continue };
        // Lives and faults are slices already.
        if matches!(kind, "life" | "fault") {
            continue;
        }
        let pid = usize::try_from(host).map_or(faults, pid);
        events.0.push(TraceEvent { s: Some("t"), ..TraceEvent::new("i", kind, text, at, pid) });
    }
    for (number, operation) in recording.history.operations.iter().enumerate() {
        add_operation(&mut events, number, operation, end);
    }
    add_exchanges(&mut events, recording, end);
    // Readers expect the events of a track in their order; metadata comes first.
    events.0.sort_by_key(|event| (event.ph != "M", event.ts));
    let all = json!({ "displayTimeUnit": "ms", "traceEvents": events.0, "otherData": {
        "scenario": recording.outcome.scenario,
        "seed": recording.outcome.seed.to_string(),
        "fingerprint": recording.outcome.fingerprint.to_string(),
    } });
    all.to_string()
}

/// The process that stands for a host. Perfetto reserves process 0.
fn pid(host: usize) -> usize {
    host + 1
}

fn add_operation(events: &mut Events, number: usize, operation: &Operation, end: u64) {
    let (outcome, answer) = outcome_of(operation);
    let times = (micros(operation.invoked_at), operation.completed.as_ref().map_or(end, |(at, _)| micros(*at)));
    let name = format!("{} {outcome}", operation.name);
    let args = json!({ "client": operation.client, "input": short(&operation.input), "answer": short(answer) });
    events.slice("operation", format!("operation {number}"), name, pid(operation.host.index()), times, args);
}

/// Exchanges on the hosts of their clients and, while these work on them, of their servers; calls with several attempts
/// stand above these.
fn add_exchanges(events: &mut Events, recording: &Recording, end: u64) {
    let exchanges = &recording.observed.exchanges;
    let ended = |exchange: &Exchange| exchange.ended_at.map_or(end, micros);
    let attempts = attempts(exchanges);
    // The first exchange of each call of several attempts, and when the last of them ended.
    let mut calls: BTreeMap<usize, (&Exchange, usize, u64)> = BTreeMap::new();
    for (exchange, attempt) in exchanges.iter().zip(&attempts).filter(|(_, attempt)| attempt.of > 1) {
        let (_, _, last) = calls.entry(attempt.call).or_insert((exchange, attempt.of, 0));
        *last = ended(exchange).max(*last);
    }
    for (number, (first, of, last)) in calls {
        let name = format!("{} {} in {of} attempts", first.method, first.path_only());
        let times = (micros(first.request.first_sent), last);
        events.slice("call", format!("call {number}"), name, pid(first.client().index()), times, Value::Null);
    }
    for (number, (exchange, attempt)) in exchanges.iter().zip(attempts).enumerate() {
        let host = |host: usize| recording.hosts.get(host).map_or("?", String::as_str);
        let (client, server) = (exchange.client().index(), exchange.server().index());
        let how = exchange.status.map_or_else(|| exchange.ending.to_string(), |status| status.to_string());
        let args = json!({
            "server": host(server), "port": exchange.connection.port, "connection": exchange.connection.ordinal,
            "stream": exchange.stream, "path": short(&exchange.path), "ending": exchange.ending.to_string(),
            "grpc_status": exchange.grpc_status, "attempt": attempt.number, "attempts": attempt.of,
        });
        let name = format!("{} {} → {}: {how}", exchange.method, short(exchange.path_only()), host(server));
        let times = (micros(exchange.request.first_sent), ended(exchange));
        events.slice("exchange", format!("exchange {number}"), name, pid(client), times, args);
        if let Some(arrived) = exchange.request.first_arrived {
            let answered = exchange
                .response
                .as_ref()
                .map_or_else(|| ended(exchange), |response| micros(response.last_sent.unwrap_or(response.first_sent)));
            let name = format!("serves {} {}", exchange.method, short(exchange.path_only()));
            let (id, args) = (format!("served {number}"), json!({ "client": host(client), "exchange": number }));
            events.slice("served", id, name, pid(server), (micros(arrived), answered), args);
        }
    }
}
