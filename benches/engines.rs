//! The two engines beside each other and beside plain turmoil: simulated seconds for each CPU second.
//!
//! `cargo bench --bench engines --profile dev` measures with the profile that `cargo sims` uses.

#[path = "../tests/support/echo.rs"]
mod echo;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
mod support;

use std::time::Duration;

use squall::internal::run::{Detail, run};
use squall::prelude::*;
use squall::scenario::Engine;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

use echo::send_back;
use scenarios::*;
use support::{median, thread_cpu};

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

/// The pairs of hosts that talk, and for how long.
const PAIRS: usize = 5;
const LENGTH: Duration = secs(60);

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    loop {
        stream.write_all(b"ping").await?;
        stream.read_exact(&mut [0; 4]).await?;
        sleep(millis(100)).await;
    }
}

fn pairs(engine: Engine, latency: Duration) -> Scenario {
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

/// The CPU seconds of this, as the median of several.
fn cpu(mut work: impl FnMut()) -> f64 {
    const TIMES: usize = 5;
    let mut once = || {
        let began = thread_cpu();
        let mut runs = 0;
        while runs == 0 || thread_cpu() - began < millis(100) {
            work();
            runs += 1;
        }
        (thread_cpu() - began).as_secs_f64() / f64::from(runs)
    };
    median((0..TIMES).map(|_| once()).collect())
}

fn main() {
    // For counting instructions: `valgrind --tool=callgrind EXECUTABLE --bench only-events`, or `only-turmoil`, with the name
    // of a scenario or without.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for (only, engine) in [("only-turmoil", Engine::Turmoil), ("only-events", Engine::Events)] {
        if !arguments.iter().any(|argument| argument == only) {
            continue;
        }
        let is_named = |name: &str| arguments.iter().any(|argument| argument == name);
        let names_any = SHOP.iter().any(|(name, _)| is_named(name));
        for (_, scenario) in SHOP.iter().filter(|(name, _)| !names_any || is_named(name)) {
            let scenario = scenario().engine(engine);
            (0..3).for_each(|seed| drop(run(&scenario, &scenario.case(Seed(seed)), Detail::Lean)));
        }
        return;
    }
    println!("simulated seconds for each CPU second\n");
    println!("{:<42} {:>9} {:>9} {:>7}", format!("the shop, {SEEDS} seeds"), "turmoil", "events", "ratio");
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
    println!(
        "\n{:<42} {:>9} {:>9} {:>9}",
        format!("{PAIRS} pairs that talk each 100 ms"),
        "plain",
        "turmoil",
        "events"
    );
    for latency in [millis(10), millis(1), Duration::from_micros(200)] {
        let speed = |seconds: f64| LENGTH.as_secs_f64() / seconds;
        let on = |engine: Engine| {
            let scenario = pairs(engine, latency);
            let case = scenario.control(Seed(1));
            speed(cpu(|| assert!(run(&scenario, &case, Detail::Lean).outcome.findings.is_empty())))
        };
        let plain = speed(cpu(|| plain_turmoil(latency)));
        // Turmoil's engine has no latency below its step.
        let turmoil = if latency >= millis(1) { format!("{:.0}", on(Engine::Turmoil)) } else { "-".to_owned() };
        println!("{:<42} {plain:>9.0} {turmoil:>9} {:>9.0}", format!("latency {latency:?}"), on(Engine::Events));
    }
}
