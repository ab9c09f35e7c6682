//! The simulated network compared with what a peer on a real kernel sees: the effect of each fault is proved.

#[cfg(target_os = "linux")]
#[path = "network/clocks.rs"]
mod clocks;
#[path = "network/datagrams.rs"]
mod datagrams;
#[path = "network/deaths.rs"]
mod deaths;
#[path = "support/echo.rs"]
mod echo;
#[path = "network/edges.rs"]
mod edges;
#[cfg(target_os = "linux")]
#[path = "network/events.rs"]
mod events;
#[path = "network/generators.rs"]
mod generators;
#[path = "network/kinds.rs"]
mod kinds;
#[path = "network/like_tokio.rs"]
mod like_tokio;
#[path = "network/machines.rs"]
mod machines;
#[path = "network/names.rs"]
mod names;
#[cfg(target_os = "linux")]
#[path = "network/pauses.rs"]
mod pauses;
#[path = "network/senders.rs"]
mod senders;
#[path = "network/sockets.rs"]
mod sockets;
#[path = "network/streams.rs"]
mod streams;
#[path = "network/tiers.rs"]
mod tiers;
#[path = "network/trigger_points.rs"]
mod trigger_points;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::fault::{Fault, FaultKind, Selector, Target, Trigger};
use squall::internal::run::{Detail, Outcome, Recording, Run, run};
use squall::net::{TcpListener, TcpStream};
use squall::prelude::*;
use squall::scenario::Case;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use echo::send_back;

/// Whether hosts run by events (see `SQUALL_ENGINE`), so that times are exact.
fn by_events() -> bool {
    std::env::var("SQUALL_ENGINE").is_ok_and(|engine| engine == "events")
}

/// The observations of a client: label and virtual time.
type Seen = Arc<Mutex<Vec<(String, Duration)>>>;

fn note(seen: &Seen, cx: &HostContext, what: impl ToString) {
    seen.lock().unwrap().push((what.to_string(), cx.elapsed()));
}

fn at(seen: &Seen, what: &str) -> Duration {
    let seen = seen.lock().unwrap();
    let found = seen.iter().find(|(label, _)| label == what);
    found.unwrap_or_else(|| panic!("`{what}` was not seen, only {seen:?}")).1
}

fn saw(seen: &Seen, what: &str) -> bool {
    seen.lock().unwrap().iter().any(|(label, _)| label == what)
}

/// The labels without their times.
fn labels(seen: &Seen) -> Vec<String> {
    seen.lock().unwrap().iter().map(|(label, _)| label.clone()).collect()
}

/// The distinct labels of a span of time, sorted.
fn labels_within(seen: &[(String, Duration)], from_ms: u64, to_ms: u64) -> Vec<&str> {
    let within = seen.iter().filter(|(_, at)| millis(from_ms) <= *at && *at < millis(to_ms));
    let labels: BTreeSet<&str> = within.map(|(label, _)| label.as_str()).collect();
    labels.into_iter().collect()
}

/// A host's program that also receives, in each of its lives, what it shares with the test.
fn sharing<T, Fut>(
    shared: &T,
    program: impl Fn(HostContext, T) -> Fut + Send + Sync + 'static,
) -> impl Fn(HostContext) -> Fut + Send + Sync + 'static
where
    T: Clone + Send + Sync + 'static,
{
    let shared = shared.clone();
    move |cx| program(cx, shared.clone())
}

/// Sleeps until this time of the run.
async fn until(cx: &HostContext, at_ms: u64) {
    tokio::time::sleep(millis(at_ms).saturating_sub(cx.elapsed())).await;
}

async fn echo(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(send_back(stream));
    }
}

async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map(drop)
}

/// Accepts one connection, and holds it without reading from it.
async fn accept_and_hold(cx: HostContext) -> io::Result<()> {
    let listener = cx.listener(80);
    let (_stream, _) = listener.accept().await?;
    std::future::pending().await
}

async fn reads_reset(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// A run with an echo server, the program `client`, and these faults.
fn world<F, Fut>(latency_ms: u64, faults: Vec<Fault>, client: F) -> (Run, Seen)
where
    F: Fn(HostContext, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    world_with(latency_ms, faults, |cx| echo(cx.listener(80)), client, |scenario| scenario)
}

fn world_with<S, SFut, F, Fut>(
    latency_ms: u64,
    faults: Vec<Fault>,
    server: S,
    client: F,
    adjust: impl Fn(Scenario) -> Scenario,
) -> (Run, Seen)
where
    S: Fn(HostContext) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = io::Result<()>> + 'static,
    F: Fn(HostContext, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let seen = Seen::default();
    let scenario = Scenario::new("network")
        .host("server", server)
        .host("client", sharing(&seen, client))
        .latency(millis(latency_ms)..millis(latency_ms))
        .fault(fault::scripted("script", faults))
        .run_for(secs(200))
        .settle_for(secs(10));
    (passing(&adjust(scenario)), seen)
}

/// A lean run, which must pass.
fn passing(scenario: &Scenario) -> Run {
    let run = run(scenario, &scenario.case(Seed(1)), Detail::Lean);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    run
}

/// A lean run, which must pass and equal the rich run of the same case.
fn passing_either_way(scenario: &Scenario, case: &Case) -> Run {
    let lean = run(scenario, case, Detail::Lean);
    assert!(lean.outcome.verdict.is_pass(), "{case:?}: {:?}", lean.outcome.findings);
    assert_same(&lean.outcome, &run(scenario, case, Detail::Rich).outcome);
    lean
}

/// A rich run, which must equal the lean run of the same case.
fn recorded(scenario: &Scenario) -> Recording {
    let case = scenario.case(Seed(1));
    let lean = run(scenario, &case, Detail::Lean).outcome;
    let recording = run(scenario, &case, Detail::Rich).into_recording(case);
    assert_same(&lean, &recording.outcome);
    recording
}

fn assert_same(lean: &Outcome, rich: &Outcome) {
    assert_eq!((lean.fingerprint, &lean.fault_effects), (rich.fingerprint, &rich.fault_effects));
}

fn on_link(kind: impl Into<FaultKind>, from_ms: u64, to_ms: u64) -> Fault {
    one_way(kind, "client", "server", from_ms, to_ms)
}

fn one_way(kind: impl Into<FaultKind>, from: &str, to: &str, from_ms: u64, to_ms: u64) -> Fault {
    let names = |name: &str| Selector::Names(vec![name.to_owned()]);
    fault_of(kind, Target::Links { from: names(from), to: names(to) }, from_ms, to_ms)
}

fn on_server(kind: impl Into<FaultKind>, from_ms: u64, to_ms: u64) -> Fault {
    fault_of(kind, Target::Hosts(Selector::from("server")), from_ms, to_ms)
}

fn fault_of(kind: impl Into<FaultKind>, target: Target, from_ms: u64, to_ms: u64) -> Fault {
    let lasting = millis(to_ms - from_ms);
    Fault { trigger: Trigger::At(millis(from_ms)), kind: kind.into(), target, lasting, generator: String::new() }
}

fn assert_between(what: Duration, from_ms: u64, to_ms: u64) {
    assert!(millis(from_ms) <= what && what <= millis(to_ms), "{what:?} is not within {from_ms}..{to_ms} ms");
}

#[test]
fn thousands_of_connections_come_and_go_beside_one_that_stays() {
    let kill = fault::kill("server").at(secs(100)).lasting(secs(1));
    let (_, seen) = world(1, vec![kill], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        for _ in 0..2_000 {
            ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        }
        ping(&mut old).await.unwrap();
        note(&seen, &cx, "the old one answers");
        assert_eq!(old.read(&mut [0]).await.unwrap(), 0);
        note(&seen, &cx, "the old one ends");
        until(&cx, 102_000).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "a new one answers");
    });
    assert!(at(&seen, "the old one answers") < secs(100));
    assert_between(at(&seen, "the old one ends"), 100_000, 100_002);
    assert_between(at(&seen, "a new one answers"), 102_003, 102_005);
}

#[test]
fn an_echo_takes_two_latencies_at_any_step() {
    for step_ms in [1, 10, 25] {
        let (_, seen) = world_with(
            25,
            vec![],
            |cx| echo(cx.listener(80)),
            |cx, seen| async move {
                let mut stream = cx.connector().connect("server", 80).await.unwrap();
                note(&seen, &cx, "connected");
                // A time in the middle of a step.
                tokio::time::sleep(millis(7)).await;
                note(&seen, &cx, "asked");
                ping(&mut stream).await.unwrap();
                note(&seen, &cx, "answered");
            },
            |scenario| scenario.step(millis(step_ms)),
        );
        assert_between(at(&seen, "connected"), 50, 52);
        assert_between(at(&seen, "answered") - at(&seen, "asked"), 50, 52);
    }
}

#[test]
fn a_connect_waits_out_a_partition_and_succeeds_at_the_next_retransmission() {
    let (run, seen) = world(20, vec![on_link(fault::kinds::Partition {}, 0, 3_300)], |cx, seen| async move {
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
    });
    // SYNs go out at 0, 1, 2, 3 and 4 s.
    assert_between(at(&seen, "connected"), 4_040, 4_045);
    assert_eq!(run.outcome.fault_effects, vec![4]);
}

#[test]
fn a_request_in_flight_survives_a_partition() {
    let (_, seen) = world(20, vec![on_link(fault::kinds::Partition {}, 1_000, 4_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        tokio::time::sleep_until(tokio::time::Instant::now() + millis(1_100) - cx.elapsed()).await;
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
    });
    // The timeout is 240 ms: transmissions at 1.10, 1.34, 1.58, 2.06, 3.02 and 4.94 s.
    assert_between(at(&seen, "answered"), 4_940 + 40, 4_940 + 50);
}

#[test]
fn a_partition_of_the_way_back_stops_a_connect() {
    let cut = one_way(fault::kinds::PartitionOneWay {}, "server", "client", 0, 10_500);
    let (run, seen) = world(20, vec![cut], |cx, seen| async move {
        let first = tokio::time::timeout(secs(5), cx.connector().connect("server", 80)).await;
        note(&seen, &cx, if first.is_err() { "silence" } else { "answer" });
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
    });
    assert!(saw(&seen, "silence"));
    // The second connect sends SYNs at 5, 6, .., 10 and 12 s: only the last comes after the partition.
    assert_between(at(&seen, "connected"), 12_040, 12_045);
    assert!(run.outcome.fault_effects[0] >= 5, "{:?}", run.outcome.fault_effects);
}

#[test]
fn a_connect_without_an_answer_gives_up_after_131_seconds() {
    let (_, seen) = world(20, vec![on_link(fault::kinds::Partition {}, 0, 190_000)], |cx, seen| async move {
        let error = cx.connector().connect("server", 80).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        note(&seen, &cx, "gave up");
    });
    assert_between(at(&seen, "gave up"), 131_000, 131_002);
}

#[test]
fn loss_delays_and_never_breaks_a_connection() {
    let (run, seen) = world(20, vec![on_link(fault::kinds::Loss { rate: 0.05 }, 0, 200_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for _ in 0..2_000 {
            let asked = cx.elapsed();
            ping(&mut stream).await.unwrap();
            let took = cx.elapsed() - asked;
            seen.lock().unwrap().push(("took".into(), took));
        }
        note(&seen, &cx, "done");
    });
    assert!(saw(&seen, "done"));
    let mut took: Vec<Duration> = seen.lock().unwrap().iter().filter(|(l, _)| l == "took").map(|(_, t)| *t).collect();
    took.sort();
    assert_eq!(took.len(), 2_000);
    assert_between(took[1_000], 40, 42);
    assert_between(took[1_980], 200, 700);
    let lost = run.outcome.fault_effects[0];
    assert!((130..=280).contains(&lost), "{lost} of some 4,000 segments were lost at 5 %");
}

#[test]
fn a_hold_lets_everything_through_at_once() {
    let (_, seen) = world(20, vec![on_link(fault::kinds::Hold {}, 1_000, 3_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        tokio::time::sleep(millis(1_500)).await;
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
    });
    assert_between(at(&seen, "answered"), 3_020, 3_045);
}

#[test]
fn added_latency_is_seen_both_ways_and_ends_with_the_fault() {
    let slow = fault::kinds::Latency { at_least: millis(100), at_most: millis(100) };
    let (_, seen) = world(20, vec![on_link(slow, 1_000, 2_000)], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for label in ["before", "during", "after"] {
            let asked = cx.elapsed();
            ping(&mut stream).await.unwrap();
            let took = cx.elapsed() - asked;
            seen.lock().unwrap().push((label.into(), took));
            tokio::time::sleep(millis(1_000)).await;
        }
    });
    assert_between(at(&seen, "before"), 40, 42);
    assert_between(at(&seen, "during"), 240, 242);
    assert_between(at(&seen, "after"), 40, 42);
}

/// Echoes on a plain turmoil socket.
async fn plain_turmoil_echo(_: HostContext) -> io::Result<()> {
    let listener = turmoil::net::TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                let _ = stream.write_all(&buffer[..length]).await;
            }
        });
    }
}

#[test]
fn plain_turmoil_sockets_have_latency_and_partitions_exact_to_a_step() {
    if by_events() {
        return eprintln!("skipped: there are no plain turmoil sockets where hosts run by events");
    }
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = turmoil::net::TcpStream::connect("server:80").await.unwrap();
        for label in ["first", "second", "third"] {
            stream.write_all(b"ping").await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
            note(&seen, &cx, label);
            tokio::time::sleep_until(tokio::time::Instant::now() + millis(1_000) - cx.elapsed().min(millis(999))).await;
        }
    };
    let partition = on_link(fault::kinds::Partition {}, 900, 3_000);
    let (_, seen) = world_with(20, vec![partition], plain_turmoil_echo, client, |s| s);
    assert_between(at(&seen, "first"), 60, 100);
    assert_between(at(&seen, "second"), 3_020, 3_080);
    assert_between(at(&seen, "third"), 3_060, 3_200);
}

#[test]
fn removing_a_fault_leaves_the_fate_of_other_links_unchanged() {
    let times = |faults: Vec<Fault>| {
        let seen = Seen::default();
        let client = sharing(&seen, |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            for n in 0..200 {
                ping(&mut stream).await.unwrap();
                note(&seen, &cx, n);
            }
        });
        let scenario = Scenario::new("keyed")
            .host("server", |cx| echo(cx.listener(80)))
            .host("client", client)
            .host("other", |cx| async move {
                for _ in 0..100 {
                    if let Ok(mut stream) = cx.connector().connect("server", 80).await {
                        let _ = ping(&mut stream).await;
                    }
                }
            })
            .fault(fault::scripted("script", faults))
            .run_for(secs(60));
        run(&scenario, &scenario.case(Seed(9)), Detail::Lean);
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 200);
        seen
    };
    let loss = || one_way(fault::kinds::Loss { rate: 0.2 }, "client", "server", 0, 60_000);
    let cut = one_way(fault::kinds::Partition {}, "other", "server", 500, 20_000);
    let cut_loss = one_way(fault::kinds::Loss { rate: 0.5 }, "other", "server", 0, 60_000);
    assert_eq!(times(vec![loss()]), times(vec![cut, loss(), cut_loss]));
}
