//! The two engines beside each other and beside plain turmoil: simulated seconds for each CPU second.
//!
//! `cargo bench --bench engines --profile dev` measures with the profile that `cargo sims` uses.

#[path = "../tests/support/echo.rs"]
mod echo;
#[path = "support/pairs.rs"]
mod pairs;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
mod support;

use std::time::Duration;

use squall::internal::run::{Detail, run};
use squall::prelude::*;
use squall::scenario::Engine;

use echo::send_back;
use pairs::{LATENCIES, LENGTH, PAIRS, ask, echoes};
use scenarios::*;
use support::{cpu, median, thread_cpu};

/// A scenario of the shop by its name.
type Named = (&'static str, fn() -> Scenario);

const SHOP: [Named; 7] = [
    ("timeouts", timeouts::scenario),
    ("retries", retries::scenario),
    ("health_checks", health_checks::scenario),
    ("stateless_restarts", stateless_restarts::scenario),
    ("partitions", partitions::scenario),
    ("durability", durability::scenario),
    ("pooling", pooling::scenario),
];

/// How many seeds of each scenario.
const SEEDS: u64 = 12;

fn pairs_on_squall(engine: Engine, latency: Duration) -> Scenario {
    let mut scenario = Scenario::new("pairs").latency(latency..latency).engine(engine);
    for pair in 0..PAIRS {
        let server = format!("server-{pair}");
        scenario = scenario
            .host(&server, |cx| async move {
                let listener = cx.listener(80);
                loop {
                    let (stream, _) = listener.accept().await?;
                    tokio::spawn(send_back(stream));
                }
                #[expect(unreachable_code, reason = "it names the type of the error")]
                std::io::Result::Ok(())
            })
            .host(&format!("client-{pair}"), move |cx| {
                let server = server.clone();
                async move { ask(cx.connector().connect(&server, 80).await?).await }
            });
    }
    scenario.run_for(LENGTH).settle_for(Duration::ZERO)
}

/// The same programs on turmoil's own sockets, with a step as long as the latency but at least 1 ms.
fn plain_turmoil(latency: Duration) {
    let mut sim = turmoil::Builder::new()
        .tick_duration(latency.max(millis(1)))
        .simulation_duration(LENGTH)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .build();
    for pair in 0..PAIRS {
        let server = format!("server-{pair}");
        sim.host(server.as_str(), || async {
            let listener = turmoil::net::TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(send_back(stream));
            }
        });
        sim.client(format!("client-{pair}"), async move {
            let stream = turmoil::net::TcpStream::connect((server.as_str(), 80)).await?;
            tokio::time::timeout(LENGTH - millis(100), ask(stream)).await.unwrap_or(Ok(()))?;
            Ok(())
        });
    }
    sim.run().expect("it runs to its end");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_asked_for = |mode: &str| arguments.iter().any(|argument| argument == mode);
    // For counting instructions: `valgrind --tool=callgrind EXECUTABLE --bench only-events`, or `only-turmoil`, with the name
    // of a scenario or without, or `pairs-on-events`.
    for (only, engine) in [("only-turmoil", Engine::Turmoil), ("only-events", Engine::Events)] {
        if !is_asked_for(only) {
            continue;
        }
        let names_any = SHOP.iter().any(|(name, _)| is_asked_for(name));
        for (_, scenario) in SHOP.iter().filter(|(name, _)| !names_any || is_asked_for(name)) {
            let scenario = scenario().engine(engine);
            (0..3).for_each(|seed| drop(run(&scenario, &scenario.case(Seed(seed)), Detail::Lean)));
        }
        return;
    }
    if is_asked_for("pairs-on-events") {
        let scenario = pairs_on_squall(Engine::Events, LATENCIES[0]);
        let case = scenario.control(Seed(1));
        let echoes = echoes(LATENCIES[0], || drop(run(&scenario, &case, Detail::Lean)));
        return println!("{echoes} echoes");
    }
    println!("simulated seconds for each CPU second");
    // `-- only-pairs` has what `benches/madsim` prints for madsim.
    if !is_asked_for("only-pairs") {
        the_shop();
    }
    pairs_that_talk();
}

fn the_shop() {
    println!("\n{:<42} {:>9} {:>9} {:>7}", format!("the shop, {SEEDS} seeds"), "turmoil", "events", "ratio");
    let mut ratios = Vec::new();
    for (name, scenario) in SHOP {
        let [turmoil, events] = [Engine::Turmoil, Engine::Events].map(|engine| {
            let scenario = scenario().engine(engine);
            let began = thread_cpu();
            for seed in 0..SEEDS {
                run(&scenario, &scenario.case(Seed(seed)), Detail::Lean);
            }
            let length = (scenario.duration() * SEEDS as u32).as_secs_f64();
            length / (thread_cpu() - began).as_secs_f64()
        });
        ratios.push(events / turmoil);
        println!("{name:<42} {turmoil:>9.0} {events:>9.0} {:>7.2}", events / turmoil);
    }
    println!("{:<42} {:>27.2}", "median", median(ratios));
}

fn pairs_that_talk() {
    let [plain, turmoil, events] = ["plain", "turmoil", "events"];
    let long = format!("{PAIRS} pairs that talk each 100 ms");
    println!("\n{long:<42} {plain:>9} {turmoil:>9} {events:>9}   echoes of each");
    for latency in LATENCIES {
        let on = |engine: Engine| {
            // Turmoil's engine has no latency below its step.
            if engine == Engine::Turmoil && latency < millis(1) {
                return ["-".to_owned(), "-".to_owned()];
            }
            let scenario = pairs_on_squall(engine, latency);
            let case = scenario.control(Seed(1));
            measured(latency, || assert!(run(&scenario, &case, Detail::Lean).outcome.findings.is_empty()))
        };
        let all = [measured(latency, || plain_turmoil(latency)), on(Engine::Turmoil), on(Engine::Events)];
        let [[plain, on_plain], [turmoil, on_turmoil], [events, on_events]] = all;
        let latency = format!("latency {latency:?}");
        println!("{latency:<42} {plain:>9} {turmoil:>9} {events:>9}   {on_plain}, {on_turmoil}, {on_events}");
    }
}

/// The simulated seconds for each CPU second, and the echoes of a run.
fn measured(latency: Duration, run: impl Fn()) -> [String; 2] {
    let echoes = echoes(latency, &run);
    [format!("{:.0}", LENGTH.as_secs_f64() / cpu(run)), echoes.to_string()]
}
