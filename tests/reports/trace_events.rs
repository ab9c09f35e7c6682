//! The trace of a run for Perfetto: it keeps the rules of the Trace Event Format, and has what the run has.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::Value;
use squall::internal::explore::{CaseRef, Failure, Pool, investigate};
use squall::internal::report::trace_events;
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::trace::Event;

use crate::{TABLE, cli, directory, failing, stdout};

/// A run with kills and retries, and its trace.
fn traced() -> (Failure, Value) {
    let scenarios: Arc<[Scenario]> = TABLE.iter().map(|scenario| scenario()).collect();
    let lossy = scenarios.iter().position(|scenario| scenario.name() == "lossy").unwrap();
    let pool = Pool::new(scenarios, NonZeroUsize::MIN, EntryPoint::Main, None);
    let run = investigate(&pool, lossy, &CaseRef::Seed(Seed(3)), None).unwrap();
    let recording = run.recording.as_deref().expect("a recording");
    let text = trace_events(recording, &pool.scenarios()[lossy].topology());
    let trace = serde_json::from_str(&text).unwrap();
    (run, trace)
}

fn events<'a>(trace: &'a Value, phase: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = trace["traceEvents"].as_array().expect("events");
    all.iter().filter(move |event| event["ph"] == phase)
}

/// The asynchronous slices of a category, each with its begin and its end.
fn slices<'a>(trace: &'a Value, category: &'a str) -> BTreeMap<&'a str, (&'a Value, &'a Value)> {
    let of_category = |phase| events(trace, phase).filter(move |event| event["cat"] == category);
    let ends: BTreeMap<&str, &Value> = of_category("e").map(|end| (end["id"].as_str().unwrap(), end)).collect();
    let begins = of_category("b").map(|begin| (begin["id"].as_str().unwrap(), begin)).collect::<Vec<_>>();
    let count = begins.len();
    let slices: BTreeMap<_, _> = begins.into_iter().map(|(id, begin)| (id, (begin, ends[id]))).collect();
    assert_eq!((slices.len(), ends.len()), (count, count), "{category}: each id begins once and ends once");
    slices
}

pub fn a_trace_keeps_the_rules_of_its_format() {
    let (run, trace) = traced();
    let recording = run.recording.as_deref().unwrap();
    let end = recording.outcome.simulated.as_micros() as u64;
    let mut last = 0;
    for event in trace["traceEvents"].as_array().unwrap() {
        let phase = event["ph"].as_str().unwrap();
        let (at, took) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap_or(0));
        assert!(["M", "X", "i", "b", "e"].contains(&phase), "{event}");
        assert!(event["pid"].as_u64().unwrap() > 0 && event["tid"].is_u64() && event["name"].is_string(), "{event}");
        assert_eq!((phase == "X", phase == "b" || phase == "e"), (event["dur"].is_u64(), event["id"].is_string()));
        assert!(last <= at && at + took <= end, "in order, and within the run: {event}");
        last = at;
    }
    for category in ["exchange", "served", "call", "operation", "fault"] {
        let slices = slices(&trace, category);
        assert!(!slices.is_empty(), "{category}");
        for (begin, end) in slices.values() {
            assert_eq!((&begin["name"], &begin["pid"]), (&end["name"], &end["pid"]));
            assert!(begin["ts"].as_u64() <= end["ts"].as_u64(), "{begin}");
        }
    }
    // Complete slices of one thread do not overlap.
    let mut threads: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for life in events(&trace, "X") {
        let (begins, took) = (life["ts"].as_u64().unwrap(), life["dur"].as_u64().unwrap());
        let thread = (life["pid"].as_u64().unwrap(), life["tid"].as_u64().unwrap());
        threads.entry(thread).or_default().push((begins, begins + took));
    }
    assert!(threads.values().all(|spans| spans.windows(2).all(|pair| pair[0].1 <= pair[1].0)), "{threads:?}");
}

pub fn a_trace_has_what_the_run_has() {
    let (run, trace) = traced();
    let recording = run.recording.as_deref().unwrap();
    let names = events(&trace, "M").filter(|event| event["name"] == "process_name");
    let names: BTreeSet<&str> = names.map(|event| event["args"]["name"].as_str().unwrap()).collect();
    assert!(recording.hosts.iter().all(|host| names.contains(host.as_str())), "{names:?}");
    let count = |category| slices(&trace, category).len();
    let exchanges = &recording.observed.exchanges;
    let served = exchanges.iter().filter(|exchange| exchange.request.first_arrived.is_some()).count();
    let began = recording.records.iter().filter(|record| matches!(record.event, Event::FaultBegan { .. })).count();
    let starts = recording.records.iter().filter(|record| record.event == Event::Started).count();
    let ups = events(&trace, "X").filter(|life| life["name"] == "up").count();
    assert_eq!((count("exchange"), count("served")), (exchanges.len(), served));
    assert_eq!((count("operation"), count("fault"), ups), (recording.history.operations.len(), began, starts));
    // A call of several attempts spans them.
    let attempts: Vec<&Value> = slices(&trace, "exchange").values().map(|(begin, _)| *begin).collect();
    let several = attempts.iter().filter(|begin| begin["args"]["attempts"].as_u64() > Some(1)).count();
    let told: u64 =
        slices(&trace, "call").values().map(|(begin, _)| attempts_in(begin["name"].as_str().unwrap())).sum();
    assert_eq!(several as u64, told);
    assert!(told > 0, "something was retried");
}

/// The number in `GET /orders in 3 attempts`.
fn attempts_in(name: &str) -> u64 {
    name.split_whitespace().rev().nth(1).and_then(|number| number.parse().ok()).expect("a number of attempts")
}

pub fn a_trace_is_written_beside_the_page() {
    let directory = directory("trace_cli");
    let (_, case_file) = failing(&directory, "slow");
    let output = cli(&directory, &["report", case_file.to_str().unwrap(), "--out", "out", "--trace-json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let line =
        stdout(&output).lines().find_map(|line| line.strip_prefix("trace: ").map(str::to_owned)).expect("a line");
    assert!(line.ends_with(".trace.json"), "{line}");
    let trace: Value = serde_json::from_slice(&std::fs::read(directory.join(line)).unwrap()).unwrap();
    assert_eq!((&trace["otherData"]["scenario"], &trace["displayTimeUnit"]), (&"slow".into(), &"ms".into()));
}
