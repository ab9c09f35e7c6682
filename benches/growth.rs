//! How the cost of a run grows: with its hosts, its connections, its length, the latency of its links and its faults, on both
//! engines.
//!
//! `cargo bench --bench growth --profile dev` prints the curves. Each figure is CPU time of this thread.

#[path = "../tests/support/echo.rs"]
mod echo;
mod support;

use std::time::Duration;

use squall::internal::run::{Detail, run};
use squall::prelude::*;
use squall::scenario::{Case, Engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use echo::send_back;
use support::{peak_kib, thread_cpu};

/// The most hosts with which turmoil's engine is tried: its cost grows with their cube.
const MOST_HOSTS_ON_TURMOIL: usize = 50;

async fn serve(cx: HostContext) -> std::io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(send_back(stream));
    }
}

/// Asks once each `pause`, over one connection that it opens again when it breaks.
async fn ask(cx: HostContext, pause: Duration) {
    loop {
        let asked = async {
            let mut stream = cx.connector().connect("server", 80).await?;
            loop {
                stream.write_all(b"ping").await?;
                stream.read_exact(&mut [0; 4]).await?;
                tokio::time::sleep(pause).await;
            }
        };
        let _: std::io::Result<()> = asked.await;
        tokio::time::sleep(pause).await;
    }
}

/// Opens connections one after the other, and closes each.
async fn come_and_go(cx: HostContext, times: usize) {
    for _ in 0..times {
        if let Ok(mut stream) = cx.connector().connect("server", 80).await {
            let _ = stream.write_all(b"ping").await;
            let _ = stream.read_exact(&mut [0; 4]).await;
        }
    }
}

fn pair(name: &str, pause: Duration, length: Duration) -> Scenario {
    Scenario::new(name)
        .host("server", serve)
        .host("client", move |cx| ask(cx, pause))
        .run_for(length)
        .settle_for(Duration::ZERO)
}

/// What the hosts beside the two that talk do.
#[derive(Clone, Copy)]
enum Others {
    Listen,
    /// They wait for a timer each second.
    Wait,
    /// They ask the server each second.
    Ask,
}

/// Two hosts that talk, among others.
fn hosts(count: usize, others: Others, length: Duration) -> Scenario {
    let other = move |cx: HostContext| async move {
        match others {
            Others::Listen => drop(cx.listener(80).accept().await),
            Others::Wait => loop {
                tokio::time::sleep(secs(1)).await;
            },
            Others::Ask => ask(cx, secs(1)).await,
        }
    };
    pair("hosts", millis(100), length).hosts("other", count - 2, other)
}

/// The CPU seconds of one run: of one that takes long, or the mean of several.
fn cost(engine: Engine, scenario: Scenario, plan: impl FnOnce(Case) -> Case) -> f64 {
    const LONG: Duration = millis(300);
    let scenario = scenario.engine(engine);
    let case = plan(scenario.control(Seed(1)));
    let (began, mut runs) = (thread_cpu(), 0);
    loop {
        let run = run(&scenario, &case, Detail::Lean);
        assert!(run.outcome.findings.is_empty(), "{:?}", run.outcome.findings);
        runs += 1;
        let took = thread_cpu() - began;
        if took >= LONG {
            return took.as_secs_f64() / f64::from(runs);
        }
    }
}

fn line<T: std::fmt::Display>(what: &str, engine: Engine, points: impl IntoIterator<Item = (T, f64, Duration)>) {
    print!("{what:<30} {:<8}", engine.name());
    for (point, cost, length) in points {
        print!("  {point}: {:.4} s ({:.0}x)", cost, length.as_secs_f64() / cost);
    }
    println!();
}

fn main() {
    println!("CPU seconds of a run, and simulated seconds for each of them\n");
    // The peak of memory is that of all runs so far, so the small ones come first.
    connections();
    let kinds = [
        ("two talk, others listen", Others::Listen),
        ("others wait each second", Others::Wait),
        ("others ask each second", Others::Ask),
    ];
    for (what, others) in kinds {
        for engine in [Engine::Turmoil, Engine::Events] {
            let counts = [3, 10, 50, 100, 1_000].into_iter();
            let counts = counts.filter(|count| engine == Engine::Events || *count <= MOST_HOSTS_ON_TURMOIL);
            let of_length = |count, length| cost(engine, hosts(count, others, length), |case| case);
            let of = |count| {
                let whole = of_length(count, secs(20));
                // Building a run's hosts costs once; what is left is the cost of its time.
                let longer = of_length(count, secs(220));
                let more = secs(200).as_secs_f64() / (longer - whole);
                (format!("{count} hosts (then {more:.0}x)"), whole, secs(20))
            };
            line(what, engine, counts.map(of));
        }
    }
    for engine in [Engine::Turmoil, Engine::Events] {
        let lengths = [secs(60), secs(3_600), secs(86_400)];
        let day = |length| pair("length", secs(60), length);
        line(
            "a question each minute, for",
            engine,
            lengths.map(|length| (format!("{} s", length.as_secs()), cost(engine, day(length), |case| case), length)),
        );
    }
    for engine in [Engine::Turmoil, Engine::Events] {
        let latencies = [millis(10), millis(1), Duration::from_micros(200)];
        let latencies = latencies.into_iter().filter(|least| engine == Engine::Events || *least >= millis(1));
        let near = |least: Duration| pair("latency", millis(100), secs(60)).latency(least..least * 2);
        line(
            "latency",
            engine,
            latencies.map(|least| (format!("{least:?}"), cost(engine, near(least), |c| c), secs(60))),
        );
    }
    faults();
}

/// Connections that one host opens and closes, one after the other.
fn connections() {
    for engine in [Engine::Turmoil, Engine::Events] {
        let counts = [1_000, 4_000, 16_000, 64_000];
        let many = |count: usize| {
            Scenario::new("connections")
                .host("server", serve)
                .host("client", move |cx| come_and_go(cx, count))
                .latency(millis(1)..millis(1))
                .run_for(secs(count as u64 / 100))
                .settle_for(Duration::ZERO)
        };
        let of = |count| {
            let cost = cost(engine, many(count), |case| case);
            (format!("{count} (peak of memory {} KiB)", peak_kib()), cost, secs(count as u64 / 100))
        };
        line("connections, one by one", engine, counts.map(of));
    }
}

/// Three hosts for 160 s, without faults and with many.
fn faults() {
    for engine in [Engine::Turmoil, Engine::Events] {
        let scenario = || pair("faults", millis(100), secs(160)).host("other", |cx| ask(cx, millis(100)));
        let clocks = |mut case: Case| {
            for _ in 0..1_000 {
                case = case.fault(fault::clock_skew(1, "server").at(secs(1)).lasting(secs(150)));
            }
            case
        };
        let isolated = |case: Case| {
            let case = case.fault(fault::partition("other", "server").at_start().lasting(secs(160)));
            (0..150)
                .fold(case, |case, n| case.fault(fault::loss(0.01, "client", "server").at(secs(n)).lasting(secs(1))))
        };
        let points = [
            ("none", cost(engine, scenario(), |case| case)),
            ("1,000 of the clock", cost(engine, scenario(), clocks)),
            ("a partition throughout, and loss", cost(engine, scenario(), isolated)),
        ];
        line("faults", engine, points.map(|(what, cost)| (what, cost, secs(160))));
    }
}
