//! What a page is made of, as plain data: the JSON that the script of the page reads. Times are microseconds of virtual
//! time, hosts and faults are indices, and long lists have one array for each row to keep the page small.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::{OrderReport, Verdict};
use crate::explore::Failure;
use crate::fault::Topology;
use crate::history::Operation;
use crate::report::attempts::{Attempt, attempts};
use crate::report::events::{event, outcome_of, short};
use crate::report::messages::{Lost, Message, headlines, messages};
use crate::report::spans::{FaultSpan, LifeSpan, fault_spans, lives, micros};
use crate::run::Recording;
use crate::trace::exchange::Exchange;
use crate::trace::{INJECTED, SegmentKind};

/// Everything that a page shows.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    scenario: &'a str,
    seed: String,
    status: &'static str,
    fingerprint: String,
    version: &'static str,
    /// The command that runs the case again.
    replay: &'a str,
    hosts: &'a [String],
    /// When the faults were over.
    run_for: u64,
    end: u64,
    findings: Vec<Finding>,
    faults: Vec<FaultSpan>,
    lives: Vec<LifeSpan>,
    /// The texts that rows refer to.
    texts: Vec<String>,
    /// `from, to, sent, took (-1 if it never arrived), kind, port, connect, bytes, attempt, lost by, touched by, text,
    /// flags`.
    messages: Vec<[i64; 13]>,
    /// `host, at, kind, text, fault`.
    events: Vec<(i64, u64, &'static str, String, i64)>,
    exchanges: Vec<ExchangeRow<'a>>,
    operations: Vec<OperationRow<'a>>,
    /// What is known about histories that no order explains.
    orders: &'a [OrderReport],
    /// What the page does not show, and why.
    missing: Option<&'static str>,
}

/// A promise that was not kept.
#[derive(Serialize)]
struct Finding {
    check: String,
    verdict: &'static str,
    why: String,
    at: Option<u64>,
    /// The operation that shows it, by its place in the history.
    operation: Option<usize>,
}

#[derive(Serialize)]
struct ExchangeRow<'a> {
    client: u16,
    server: u16,
    port: u16,
    connect: u32,
    what: String,
    begins: u64,
    arrives: Option<u64>,
    answered: Option<u64>,
    ends: Option<u64>,
    status: Option<u16>,
    grpc: Option<u32>,
    ending: String,
    is_good: bool,
    call: usize,
    attempt: usize,
    attempts: usize,
    version: &'a str,
}

#[derive(Serialize)]
struct OperationRow<'a> {
    host: u16,
    client: u32,
    life: u32,
    name: &'a str,
    input: String,
    begins: u64,
    ends: Option<u64>,
    outcome: &'static str,
    answer: String,
}

/// What is the same for every page of a run.
pub(super) fn data<'a>(
    failure: &'a Failure,
    recording: &'a Recording,
    topology: &Topology,
    replay: &'a str,
) -> Data<'a> {
    let outcome = &failure.outcome;
    let mut texts = Texts::default();
    let messages = messages(recording);
    let lines = headlines(recording);
    let rows = messages.iter().flat_map(|message| {
        let line = lines.get(&message.name()).copied().unwrap_or_default();
        rows_of(message, texts.place(line))
    });
    let rows: Vec<[i64; 13]> = rows.collect();
    let is_dead = !recording.observed.is_observed;
    Data {
        scenario: &outcome.scenario,
        seed: outcome.seed.to_string(),
        status: failure.status().word(),
        fingerprint: outcome.fingerprint.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        replay,
        hosts: &recording.hosts,
        run_for: micros(recording.run_for),
        end: micros(recording.outcome.simulated.max(outcome.simulated)),
        findings: findings(failure, recording),
        faults: fault_spans(recording, topology),
        lives: lives(recording),
        texts: texts.all,
        messages: rows,
        events: recording.records.iter().filter_map(|record| event(recording, record)).collect(),
        exchanges: exchanges(&recording.observed.exchanges),
        operations: recording.history.operations.iter().map(operation).collect(),
        orders: &recording.orders,
        missing: is_dead.then_some("the run died, so nothing was read off its wire: there are no exchanges"),
    }
}

/// What a check says, without its own name at the beginning.
fn without_name<'a>(check: &str, why: &'a str) -> &'a str {
    let short = check.split_once(' ').and_then(|(name, _)| why.strip_prefix(name)?.strip_prefix(": "));
    short.unwrap_or(why)
}

/// Texts, each once; the first one is empty.
struct Texts {
    all: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts { all: vec![String::new()], places: BTreeMap::from([(String::new(), 0)]) }
    }
}

impl Texts {
    fn place(&mut self, text: &str) -> i64 {
        let next = self.all.len();
        let place = *self.places.entry(text.to_owned()).or_insert(next);
        if place == next {
            self.all.push(short(text));
        }
        place as i64
    }
}

/// The rows of a segment: one for each transmission, or for each part of it that arrived.
fn rows_of(message: &Message<'_>, text: i64) -> Vec<[i64; 13]> {
    let touched = message.blocked_by.first().copied();
    let touched = touched.or_else(|| message.delayed_by.first().map(|(fault, _)| *fault));
    let touched = touched.or_else(|| message.corrupted_by.first().map(|(fault, _)| *fault));
    let is_injected = message.segment == INJECTED;
    let flags = i64::from(is_injected) | i64::from(!message.corrupted_by.is_empty()) << 1;
    let mut rows = Vec::new();
    for send in &message.sends {
        let (lost, unpowered) = match send.lost {
            Some(Lost::ByFault(fault)) => (i64::from(fault), 0),
            Some(Lost::Unpowered) => (-1, 4),
            None => (-1, 0),
        };
        let mut row = |took: i64, length: u32| {
            rows.push([
                i64::from(message.from().0),
                i64::from(message.to().0),
                micros(send.at) as i64,
                took,
                kind(message.kind),
                i64::from(message.flow.port),
                i64::from(message.flow.ordinal),
                i64::from(length),
                i64::from(send.attempt),
                lost,
                touched.map_or(-1, i64::from),
                text,
                flags | unpowered,
            ]);
        };
        if send.arrivals.is_empty() {
            row(-1, message.length);
        }
        for (at, length) in &send.arrivals {
            row(micros(at.saturating_sub(send.at)) as i64, *length);
        }
    }
    rows
}

/// The number by which the page knows a kind of segment.
fn kind(kind: SegmentKind) -> i64 {
    match kind {
        SegmentKind::Data => 0,
        SegmentKind::Syn => 1,
        SegmentKind::SynAck => 2,
        SegmentKind::Ack => 3,
        SegmentKind::Fin => 4,
        SegmentKind::Rst => 5,
        SegmentKind::Window => 6,
        SegmentKind::Probe => 7,
        SegmentKind::Datagram => 8,
        SegmentKind::Unreachable => 9,
    }
}

fn findings(failure: &Failure, recording: &Recording) -> Vec<Finding> {
    let operations = &recording.history.operations;
    let finding = |finding: &crate::check::Finding| {
        let breach = finding.verdict.breach();
        let operation = breach.and_then(|breach| breach.operation());
        let stated = breach.and_then(|breach| breach.moment());
        // What ends the whole process ends the run.
        let ended = (finding.check == "process").then_some(failure.outcome.simulated);
        Finding {
            check: finding.check.clone(),
            verdict: match finding.verdict {
                Verdict::Pass => "pass",
                Verdict::Unknown(_) => "unknown",
                Verdict::Fail(_) => "fail",
            },
            why: without_name(&finding.check, finding.verdict.why().unwrap_or_default()).to_owned(),
            at: stated.or(ended).map(|at| micros(at.min(failure.outcome.simulated))),
            operation: operation.and_then(|shown| operations.iter().position(|known| known == shown)),
        }
    };
    failure.outcome.findings.iter().map(finding).collect()
}

fn exchanges(exchanges: &[Exchange]) -> Vec<ExchangeRow<'_>> {
    let row = |(exchange, attempt): (&Exchange, Attempt)| ExchangeRow {
        client: exchange.client().0,
        server: exchange.server().0,
        port: exchange.connection.port,
        connect: exchange.connection.ordinal,
        what: short(&format!("{} {}", exchange.method, exchange.path)),
        begins: micros(exchange.request.first_sent),
        arrives: exchange.request.last_arrived.map(micros),
        answered: exchange.response.as_ref().map(|response| micros(response.first_sent)),
        ends: exchange.ended_at.map(micros),
        status: exchange.status,
        grpc: exchange.grpc_status,
        ending: exchange.ending.to_string(),
        is_good: exchange.is_answered(),
        call: attempt.call,
        attempt: attempt.number,
        attempts: attempt.of,
        version: match exchange.version {
            crate::trace::exchange::HttpVersion::Http10 => "HTTP/1.0",
            crate::trace::exchange::HttpVersion::Http11 => "HTTP/1.1",
            crate::trace::exchange::HttpVersion::Http2 => "HTTP/2",
        },
    };
    exchanges.iter().zip(attempts(exchanges)).map(row).collect()
}

fn operation(operation: &Operation) -> OperationRow<'_> {
    let (outcome, answer) = outcome_of(operation);
    OperationRow {
        host: operation.host.0,
        client: operation.client,
        life: operation.life,
        name: &operation.name,
        input: short(&operation.input),
        begins: micros(operation.invoked_at),
        ends: operation.completed.as_ref().map(|(at, _)| micros(*at)),
        outcome,
        answer: short(answer),
    }
}
