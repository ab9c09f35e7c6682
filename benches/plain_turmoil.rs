//! Benchmark of Squall's overhead: the shop under Squall against the same shop on plain turmoil.
//!
//! `cargo bench --bench plain_turmoil --profile dev` measures with the profile that `cargo sims` uses. Both sides run
//! the same cases, without faults, with steps of 10 ms and latencies of 10 to 30 ms, alternating in pairs. Squall's
//! side includes all that it does in a run: sandbox, wire, simulated disk, digest, history, checks; the rows "a process
//! per run" add a fresh process for each run. On plain turmoil the store uses redb's memory backend, and nothing
//! observes the run. The row "nothing observed" is Squall's side without its promises: without the log of what passes over
//! the wire, the exchanges that are read off it, and the checks.

#[path = "plain_turmoil/plain.rs"]
mod plain;
#[path = "../sims/shop/mod.rs"]
mod shop;
mod support;

use std::sync::Arc;
use std::time::Duration;

use squall::check::Check;
use squall::internal::run::{Detail, run};
use squall::internal::sandbox::{End, EntryPoint, ProcessLimits, Worker, serve_if_zygote};
use squall::prelude::*;
use squall::trace::{Event, SegmentKind};

use shop::simulated::{Setup, shop_with_promises};
use support::{median, thread_cpu};

/// The number of measured pairs of samples.
const ROUNDS: u64 = 15;
/// The runs in one sample: enough to make a sample much longer than the lag of the scheduler's clock.
const RUNS: u64 = 4;

fn scenario() -> Scenario {
    shop_with_promises("shop", Setup::default())
}

/// The same shop, of which nothing is asked.
fn unobserved() -> Scenario {
    shop::simulated::shop("shop", Setup::default()).check(Check::new("nothing", |_, _| Verdict::Pass))
}

/// What is measured in a round: Squall, plain turmoil, Squall with a process per run, and Squall without observing.
type Round = (Sample, Sample, Sample, Sample);

/// The totals of one side's sample.
#[derive(Clone, Copy, Default)]
struct Sample {
    cpu: Duration,
    messages: u64,
    operations: u64,
}

fn sample(seeds: std::ops::Range<u64>, mut one: impl FnMut(u64) -> (u64, u64)) -> Sample {
    let before = thread_cpu();
    let mut sample = Sample::default();
    for seed in seeds {
        let (messages, operations) = one(seed);
        sample.messages += messages;
        sample.operations += operations;
    }
    sample.cpu = thread_cpu() - before;
    sample
}

fn by_squall(scenario: &Scenario, seed: u64) -> (u64, u64) {
    let run = run(scenario, &scenario.control(Seed(seed)), Detail::Lean);
    assert!(run.outcome.verdict.is_pass(), "seed {seed}: {:?}", run.outcome.findings);
    let operations = run.history.operations.iter().filter(|operation| operation.is_ok() && operation.name != "audit");
    (run.outcome.counters.segments, operations.count() as u64)
}

fn on_plain_turmoil(scenario: &Scenario, seed: u64) -> (u64, u64) {
    let done = plain::run(&scenario.control(Seed(seed)), scenario.duration());
    (done.messages(), done.operations)
}

fn main() {
    let handler = |job: &[u8]| {
        let seed = u64::from_le_bytes(job.try_into().expect("a job is a seed of eight bytes"));
        let (messages, operations) = by_squall(&scenario(), seed);
        [messages.to_le_bytes(), operations.to_le_bytes()].concat()
    };
    serve_if_zygote(handler);

    let scenario = scenario();
    let bare = unobserved();
    if let Some(side) = std::env::args().find_map(|word| word.strip_prefix("only-").map(str::to_owned)) {
        return count_alone(&scenario, &side);
    }
    let mut worker = Worker::spawn(EntryPoint::Main, Arc::new(handler)).expect("the zygote starts");
    let simulated = scenario.duration().as_secs_f64() * RUNS as f64;
    kinds(&scenario);

    let mut pairs = Vec::new();
    for round in 0..=ROUNDS {
        let seeds = round * RUNS..(round + 1) * RUNS;
        let squall = sample(seeds.clone(), |seed| by_squall(&scenario, seed));
        let plain = sample(seeds.clone(), |seed| on_plain_turmoil(&scenario, seed));
        let unobserved = sample(seeds.clone(), |seed| by_squall(&bare, seed));
        let mut forked = Sample::default();
        for seed in seeds {
            let finished = worker.run(&seed.to_le_bytes(), &ProcessLimits::default()).expect("the zygote is alive");
            forked.cpu += finished.cpu;
            match finished.end {
                End::Returned(counts) => {
                    let count = |at: usize| u64::from_le_bytes(counts[at..at + 8].try_into().expect("eight bytes"));
                    forked.messages += count(0);
                    forked.operations += count(8);
                }
                other => panic!("the run failed: {other:?}"),
            }
        }
        // The first round warms up the caches.
        if round > 0 {
            pairs.push((squall, plain, forked, unobserved));
        }
    }

    println!("\n{:<26} {:>14} {:>14} {:>14}", "per simulated second", "CPU in us", "messages", "operations");
    let row = |name: &str, pick: fn(&Round) -> Sample| {
        let of = |number: fn(Sample) -> f64| median(pairs.iter().map(|pair| number(pick(pair)) / simulated).collect());
        let (cpu, messages) = (of(|s| s.cpu.as_secs_f64() * 1e6), of(|s| s.messages as f64));
        println!("{name:<26} {cpu:>14.1} {messages:>14.2} {:>14.3}", of(|s| s.operations as f64));
    };
    row("plain turmoil", |pair| pair.1);
    row("squall", |pair| pair.0);
    row("squall, a process per run", |pair| pair.2);
    row("squall, nothing observed", |pair| pair.3);

    println!(
        "\n{:<26} {:>8} {:>10} {:>14} {:>12}",
        "median of pair ratios", "CPU", "messages", "CPU/operation", "CPU/message"
    );
    let ratios = |name: &str, pick: fn(&Round) -> Sample| {
        let cpu = |pair: &Round| pick(pair).cpu.as_secs_f64() / pair.1.cpu.as_secs_f64();
        let messages = |pair: &Round| pick(pair).messages as f64 / pair.1.messages as f64;
        let of = |ratio: &dyn Fn(&Round) -> f64| median(pairs.iter().map(ratio).collect());
        // Operations are equal work. Messages are not: turmoil grants connections without a message, so the ratio per
        // message favours Squall, which counts more of them.
        let operations = |pair: &Round| pick(pair).operations as f64 / pair.1.operations as f64;
        let each = of(&|pair| cpu(pair) / operations(pair));
        let of_message = of(&|pair| cpu(pair) / messages(pair));
        println!("{name:<26} {:>8.3} {:>10.3} {each:>14.3} {of_message:>12.3}", of(&cpu), of(&messages));
    };
    ratios("squall / plain turmoil", |pair| pair.0);
    ratios("squall, a process per run", |pair| pair.2);
    ratios("squall, nothing observed", |pair| pair.3);
    let observing = pairs.iter().map(|pair| pair.0.cpu.as_secs_f64() / pair.3.cpu.as_secs_f64());
    println!("observing and judging cost {:.1} % of the CPU time without", (median(observing.collect()) - 1.0) * 100.0);
    let cpu: Vec<f64> = pairs.iter().map(|pair| pair.0.cpu.as_secs_f64() / pair.1.cpu.as_secs_f64()).collect();
    let (low, high) = cpu.iter().fold((f64::MAX, 0.0_f64), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    println!("{ROUNDS} pairs of {RUNS} runs; CPU ratios without processes from {low:.3} to {high:.3}");
    println!(
        "a process per run: user and system time of the child; the fork itself, which is the zygote's time, is excluded"
    );
}

/// Makes the runs of one side alone, for a tool that counts instructions: `valgrind --tool=callgrind EXECUTABLE only-squall`
/// `only-unobserved` and `only-plain`. What is there before the first run is small beside these.
fn count_alone(scenario: &Scenario, side: &str) {
    for seed in 0..RUNS {
        let (messages, operations) = match side {
            "squall" => by_squall(scenario, seed),
            "unobserved" => by_squall(&unobserved(), seed),
            "plain" => on_plain_turmoil(scenario, seed),
            other => panic!("only-{other}: expected only-squall, only-unobserved or only-plain"),
        };
        println!("{side}, seed {seed}: {messages} messages, {operations} operations");
    }
}

/// Prints the messages of one run by kind, for both sides.
fn kinds(scenario: &Scenario) {
    let case = scenario.control(Seed(0));
    let squall = run(scenario, &case, Detail::Rich);
    let count = |counted: SegmentKind| {
        let is_counted = |event: &Event| matches!(event, Event::Sent { kind, .. } if *kind == counted);
        squall.trace.records.iter().filter(|record| is_counted(&record.event)).count()
    };
    let plain = plain::run(&case, scenario.duration());
    println!("{:<26} {:>9} {:>9} {:>9} {:>9} {:>9}", "one run, seed 0", "connect", "grant", "data", "end", "window");
    println!(
        "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "plain turmoil", plain.connects, "free", plain.writes, plain.ends, "free"
    );
    println!(
        "{:<26} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "squall",
        count(SegmentKind::Syn),
        count(SegmentKind::SynAck) + count(SegmentKind::Ack),
        count(SegmentKind::Data),
        count(SegmentKind::Fin) + count(SegmentKind::Rst),
        count(SegmentKind::Window)
    );
}
