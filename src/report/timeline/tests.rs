//! The timelines of a small run that is written by hand.

use super::*;
use crate::check::Verdict;
use crate::fault::{self, Fault, Plan, millis, secs};
use crate::history::{Completion, History, Operation};
use crate::run::Outcome;
use crate::scenario::Case;
use crate::seed::Seed;
use crate::trace::exchange::{Goaway, Observed, observe_bytes};
use crate::trace::{AttemptOutcome, Counters, Event, Fingerprint, FlowKey, HostId, Mark, Record, SegmentKind};

const BUYER: HostId = HostId(0);
const GATEWAY: HostId = HostId(1);
const API: HostId = HostId(2);

fn record(at_ms: u64, host: Option<HostId>, event: Event, text: &str) -> Record {
    let text = (!text.is_empty()).then(|| text.to_owned());
    Record { at: millis(at_ms), host, event, text }
}

fn flow(from: HostId, to: HostId, ordinal: u32) -> FlowKey {
    FlowKey { from, to, port: 80, ordinal }
}

fn sent(at_ms: u64, flow: FlowKey, forward: bool, text: &str) -> Record {
    let host = if forward { flow.from } else { flow.to };
    let kind = if text.is_empty() { SegmentKind::Fin } else { SegmentKind::Data };
    record(at_ms, Some(host), Event::Sent { flow, forward, kind, length: 1, digest: 0 }, text)
}

/// The first fault does something to the first request of a flow.
fn effective(flow: FlowKey) -> Event {
    Event::SegmentAffected {
        fault: Some(0),
        flow,
        forward: true,
        segment: 0,
        kind: SegmentKind::Data,
        lost: 0,
        extra: Duration::ZERO,
        late: None,
    }
}

fn recording(records: Vec<Record>, operations: Vec<Operation>) -> Recording {
    let starts = (0..3).map(|host| record(0, Some(HostId(host)), Event::Started, ""));
    let (name, seed) = ("shop".to_owned(), Seed(1));
    Recording {
        outcome: Outcome {
            scenario: name.clone(),
            seed,
            verdict: Verdict::Pass,
            findings: Vec::new(),
            fingerprint: Fingerprint(0),
            counters: Counters::default(),
            simulated: secs(10),
            generators: Vec::new(),
            reached: Vec::new(),
            judged: Vec::new(),
            fault_effects: vec![3],
            escapes: Vec::new(),
            panics: Vec::new(),
        },
        case: Case::new(&name, seed),
        hosts: ["buyer", "gateway", "api"].map(str::to_owned).to_vec(),
        step: millis(10),
        run_for: secs(8),
        records: starts.chain(records).collect(),
        history: History { operations },
        observed: Observed::default(),
        packets: Vec::new(),
        orders: Vec::new(),
    }
}

fn example() -> Recording {
    let (order, again, probe) = (flow(BUYER, API, 0), flow(BUYER, API, 1), flow(GATEWAY, API, 0));
    let killed = vec![
        sent(100, order, true, "POST /orders"),
        sent(110, probe, true, "GET /health"),
        sent(120, probe, false, "200 OK"),
        sent(150, order, false, "201 Created"),
        sent(1_000, again, true, "POST /orders"),
        record(1_010, None, Event::FaultBegan { fault: 0 }, "kill api at 1.01s for 1s"),
        record(1_010, Some(API), Event::Killed, ""),
        record(1_030, Some(BUYER), Event::Arrived { flow: again, forward: false, kind: SegmentKind::Fin }, ""),
        record(
            1_030,
            Some(BUYER),
            Event::Mark(Mark::AttemptEnded { call: 7, attempt: 1, outcome: AttemptOutcome::Failed }),
            "",
        ),
        record(1_040, Some(GATEWAY), Event::Mark(Mark::Probed { to: API, ok: false }), ""),
        record(1_140, Some(GATEWAY), Event::Mark(Mark::Probed { to: API, ok: false }), ""),
        record(1_140, Some(GATEWAY), Event::Mark(Mark::HealthChanged { to: API, healthy: false }), ""),
        record(2_010, Some(API), Event::Started, ""),
        record(2_010, None, Event::FaultEnded { fault: 0 }, ""),
    ];
    // The fate of the last request is recorded after later events.
    let mut late =
        vec![sent(3_000, flow(BUYER, API, 2), true, "GET /orders/1"), sent(3_500, flow(BUYER, API, 2), true, "")];
    late.push(record(3_000, Some(BUYER), effective(flow(BUYER, API, 2)), ""));
    late.push(sent(3_600, flow(BUYER, API, 2), false, "200 OK"));
    let operation = |client, completed| Operation {
        host: BUYER,
        client,
        life: 0,
        name: "order".to_owned(),
        input: "1".to_owned(),
        invoked_at: millis(90),
        completed,
    };
    let operations = vec![
        operation(0, Some((millis(160), Completion::Ok("1".to_owned())))),
        operation(1, Some((millis(1_031), Completion::Unknown("the connection broke".to_owned())))),
        operation(2, None),
    ];
    recording(killed.into_iter().chain(late).collect(), operations)
}

#[track_caller]
fn check(options: &TimelineOptions, expected: &str) {
    let text = timeline(&example(), options);
    assert_eq!(text.trim_end(), expected.trim(), "\n{text}");
}

#[test]
fn the_timeline_shows_the_whole_run() {
    check(
        &TimelineOptions::default(),
        "
lanes: a buyer, b gateway, c api
      time  a b c
    0.100s  ●─┼─▶  r1 POST /orders
    0.150s  ◀─┼─●  r1 201 Created after 50ms
    0.160s  ● │ │  client 0: order ok (after 70ms)
    1.000s  ●─┼─▶  r2 POST /orders
    1.010s  │ │ │  f1 begins: kill api at 1.01s for 1s
    1.010s  │ │ ✕  api is killed
    1.030s  ● │ ·  loses the connection of r2 after 30ms (POST /orders)
    1.030s  ● │ ·  attempt 1 of call 7 fails
    1.031s  ● │ ·  client 1: order ends unknown: the connection broke (after 941ms)
    1.040s  │ ● ·  gateway finds api unhealthy
    1.140s  │ ● ·  gateway believes api dead
    2.010s  │ │ ▲  api starts
    2.010s  │ │ │  f1 ends (3 effects)
    3.000s  ●─┼─▶  r3 GET /orders/1 [f1 holds it back]
    3.500s  ● │ │  gives up r3 after 500ms (GET /orders/1)
    3.600s  ◀─┼─●  r3 200 OK after 600ms, too late
   10.000s  ● │ │  client 2: order never ended (since 90ms)",
    );
}

#[test]
fn routine_lines_are_left_out_first() {
    check(
        &TimelineOptions { max_lines: 13, ..TimelineOptions::default() },
        "
lanes: a buyer, b gateway, c api
      time  a b c
            │ │ │  … 1 request answered, 1 request sent, 1 operation ended
    1.010s  │ │ │  f1 begins: kill api at 1.01s for 1s
    1.010s  │ │ ✕  api is killed
            │ │ ·  … 2 lines about attempts
    1.031s  ● │ ·  client 1: order ends unknown: the connection broke (after 941ms)
    1.040s  │ ● ·  gateway finds api unhealthy
    1.140s  │ ● ·  gateway believes api dead
    2.010s  │ │ ▲  api starts
    2.010s  │ │ │  f1 ends (3 effects)
            │ │ │  … 1 request sent, 2 lines about attempts
   10.000s  ● │ │  client 2: order never ended (since 90ms)",
    );
}

#[test]
fn lines_around_a_moment_are_kept() {
    check(
        &TimelineOptions { around: Some(millis(1_035)), max_lines: 4, ..TimelineOptions::default() },
        "
lanes: a buyer, b gateway, c api
      time  a b c
    1.010s  │ │ ✕  api is killed
    1.030s  ● │ ·  loses the connection of r2 after 30ms (POST /orders)
    1.030s  ● │ ·  attempt 1 of call 7 fails
    1.031s  ● │ ·  client 1: order ends unknown: the connection broke (after 941ms)",
    );
}

#[test]
fn the_operation_that_shows_a_breach_is_kept_however_far_it_is() {
    let shown = example().history.operations[0].clone();
    let options = TimelineOptions { around: Some(secs(3)), max_lines: 4, ..TimelineOptions::default() };
    let line = "client 0: order ok (after 70ms)";
    assert!(!timeline(&example(), &options).contains(line));
    assert!(timeline(&example(), &TimelineOptions { operation: Some(shown), ..options }).contains(line));
}

#[test]
fn lines_outside_the_span_are_left_out() {
    let options = TimelineOptions { from: Some(secs(2)), until: Some(millis(2_500)), ..TimelineOptions::default() };
    check(
        &options,
        "
lanes: a buyer, b gateway, c api
      time  a b c
    2.010s  │ │ ▲  api starts
    2.010s  │ │ │  f1 ends (3 effects)",
    );
}

#[test]
fn each_fault_of_a_connection_has_its_own_words() {
    let request = flow(BUYER, API, 0);
    let effect_of = |fault: Fault, corrupted: bool| {
        let effective = record(3_000, Some(BUYER), effective(request), "");
        let mut records = vec![sent(3_000, request, true, "GET /orders/1"), effective];
        if corrupted {
            let event = Event::SegmentCorrupted { fault: 0, flow: request, forward: true, segment: 0, bit: 9 };
            records.push(record(3_000, Some(BUYER), event, ""));
        }
        let mut recording = recording(records, Vec::new());
        recording.case.plan = Plan::new(vec![fault]);
        let text = timeline(&recording, &TimelineOptions::default());
        let line = text.lines().find(|line| line.contains("r1 GET")).unwrap().to_owned();
        line.split('[').nth(1).unwrap().trim_end_matches(']').to_owned()
    };
    assert_eq!(effect_of(fault::reset(9, "a", "b").at_start(), false), "f1 resets its connection");
    assert_eq!(effect_of(fault::close(9, "a", "b").at_start(), false), "f1 closes its connection");
    assert_eq!(effect_of(fault::stall(9, "a", "b").at_start(), false), "f1 stalls it");
    assert_eq!(effect_of(fault::trickle(9, millis(1), "a", "b").at_start(), false), "f1 slows it to a trickle");
    assert_eq!(effect_of(fault::corrupt(1.0, "a", "b").at_start(), true), "f1 corrupts a bit of it");
    assert_eq!(effect_of(fault::hold("a", "b").at_start(), false), "f1 holds it back");
}

#[test]
fn faults_of_machines_are_shown() {
    let records = vec![
        record(1_010, Some(API), Event::OutputStalled, ""),
        record(2_000, Some(BUYER), Event::HostAffected { fault: 1 }, "is given a dead address for gateway"),
        record(3_010, Some(API), Event::OutputResumed, ""),
        record(4_007, Some(API), Event::HostAffected { fault: 2 }, "runs out of memory with 8 requests in flight"),
        record(4_010, Some(API), Event::Killed, "it is out of memory [f3]"),
        record(5_010, Some(API), Event::Started, ""),
    ];
    let text = timeline(&recording(records, Vec::new()), &TimelineOptions::default());
    let expected = "
lanes: a buyer, b gateway, c api
      time  a b c
    1.010s  │ │ ●  api hangs: its output stalls
    2.000s  ● │ │  buyer is given a dead address for gateway [f2]
    3.010s  │ │ ●  api resumes its output
    4.007s  │ │ ●  api runs out of memory with 8 requests in flight [f3]
    4.010s  │ │ ✕  api is killed: it is out of memory [f3]
    5.010s  │ │ ▲  api starts";
    assert_eq!(text.trim_end(), expected.trim(), "\n{text}");
}

/// A stuck system once showed ten equal lines, and neither the fault nor the first symptom.
#[test]
fn what_repeats_is_folded_and_what_began_it_stands() {
    let mut records = vec![
        record(1_000, None, Event::FaultBegan { fault: 0 }, "partition buyer - api at 1s"),
        record(1_500, Some(GATEWAY), Event::Mark(Mark::HealthChanged { to: API, healthy: false }), ""),
    ];
    for call in 1..=60 {
        let outcome = AttemptOutcome::TimedOut;
        let ended = Event::Mark(Mark::AttemptEnded { call, attempt: 1, outcome });
        records.push(record(
            1_000 + call * 100,
            Some(BUYER),
            Event::Mark(Mark::CallStarted { call, deadline: secs(1) }),
            "",
        ));
        records.push(record(1_050 + call * 100, Some(BUYER), ended, ""));
    }
    let options = TimelineOptions { around: Some(secs(7)), max_lines: 8, ..TimelineOptions::default() };
    let text = timeline(&recording(records, Vec::new()), &options);
    let expected = "
lanes: a buyer, b gateway, c api
      time  a b c
    1.000s  │ │ │  f1 begins: partition buyer - api at 1s
    1.150s  ● │ │  attempt 1 of call 1 times out
            │ │ │  … 3 more like it
    1.500s  │ ● │  gateway believes api dead
            │ │ │  … 54 more like it
    6.950s  ● │ │  attempt 1 of call 59 times out";
    assert_eq!(text.trim_end(), expected.trim(), "\n{text}");
}

#[test]
fn hosts_to_which_something_happens_have_lanes() {
    let mut recording = example();
    recording.hosts.extend((3..40).map(|host| format!("idle-{host}")));
    let killed = record(500, Some(HostId(30)), Event::Killed, "");
    recording.records.insert(3, killed);
    let text = timeline(&recording, &TimelineOptions::default());
    let header = text.lines().next().unwrap();
    assert!(header.starts_with("lanes: a buyer, b gateway, c api, d idle-3, "), "{header}");
    assert!(header.ends_with("k idle-10, l idle-30, and 28 hosts without a lane"), "{header}");
    // A host without a lane is named.
    for host in 3..12 {
        recording.records.insert(3, record(400, Some(HostId(host)), Event::Killed, ""));
    }
    let logs = Event::Mark(Mark::Note { name: "note".to_owned(), detail: "hello".to_owned() });
    recording.records.push(record(9_000, Some(HostId(39)), logs, ""));
    let text = timeline(&recording, &TimelineOptions::default());
    assert!(text.contains("idle-39: note hello"), "{text}");
}

#[test]
fn streams_of_http2_have_lines_of_their_own() {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // `:method: POST` and a path without compression; `:status: 200`; `grpc-status: 14`.
    let post = |stream: u8| frame(1, 5, stream, b"\x83\x04\x02/m");
    let client = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), post(1), post(3), post(5)].concat();
    let unavailable = frame(1, 5, 1, b"\x88\x00\x0bgrpc-status\x0214");
    let exchanges = observe_bytes([
        (true, &client[..]),
        (false, &unavailable),
        (true, &frame(3, 0, 3, &[0, 0, 0, 8])),
        (false, &frame(7, 0, 0, &[0, 0, 0, 3, 0, 0, 0, 0])),
    ]);
    let mut recording = recording(Vec::new(), Vec::new());
    let goaway = Goaway { at: millis(3), connection: exchanges[0].connection, last_stream: 3 };
    recording.observed = Observed { is_observed: true, exchanges, goaways: vec![goaway], ..Observed::default() };
    let timeline = timeline(&recording, &TimelineOptions::default());
    let expected = [
        "r1 POST /m",
        "r2 POST /m",
        "r3 POST /m",
        "r1 grpc-status 14 after 1ms (to POST /m)",
        "gives up r2 after 2ms (POST /m)",
        "refuses r3 after 3ms (POST /m)",
        "gateway takes no more streams from buyer (GOAWAY)",
    ];
    let lines: Vec<&str> = timeline.lines().filter(|line| line.contains('●') || line.contains('◀')).collect();
    assert_eq!(lines.len(), expected.len(), "{timeline}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.ends_with(expected), "{line} does not end with {expected}");
    }
}
