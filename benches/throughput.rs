//! Benchmarks of Squall's throughput: simulated seconds per second of each scenario, runs per second with one worker
//! and with two, and the growth of memory over many runs.
//!
//! `cargo bench --bench throughput --profile dev` measures with the profile that `cargo sims` uses.

#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use squall::internal::run::{Detail, run};
use squall::internal::sandbox::{End, EntryPoint, ProcessLimits, Worker, serve_if_zygote};
use squall::prelude::*;

use scenarios::*;
use support::{children, median, resident_kib, thread_cpu};

const SHOP: [fn() -> Scenario; 7] = [
    timeouts::scenario,
    retries::scenario,
    health_checks::scenario,
    stateless_restarts::scenario,
    partitions::scenario,
    durability::scenario,
    bad_disks::scenario,
];

/// Two hosts that do almost nothing, so that the cost of the run itself remains.
fn tiny() -> Scenario {
    Scenario::new("tiny")
        .host("server", |cx| async move {
            let listener = cx.listener(80);
            let _ = listener.accept().await;
        })
        .host("client", |cx| async move {
            let _ = cx.connector().connect("server", 80).await;
        })
        .run_for(millis(100))
        .settle_for(millis(100))
}

/// A job: the index of the scenario, and the seed.
fn job(scenario: usize, seed: u64) -> Vec<u8> {
    [scenario as u64, seed].map(u64::to_le_bytes).concat()
}

fn handle(job: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(job[at..at + 8].try_into().expect("eight bytes"));
    let scenario = SHOP.get(number(0) as usize).map_or_else(tiny, |make| make());
    let run = run(&scenario, &scenario.case(Seed(number(8))), Detail::Lean);
    serde_json::to_vec(&run.outcome).expect("an outcome serializes to JSON")
}

fn worker() -> Worker {
    Worker::spawn(EntryPoint::Main, Arc::new(handle)).expect("the zygote starts")
}

/// Runs a job to its end and returns its CPU time.
fn run_job(worker: &mut Worker, job: &[u8]) -> Duration {
    let finished = worker.run(job, &ProcessLimits::default()).expect("the zygote is alive");
    assert!(matches!(finished.end, End::Returned(_)), "the run failed: {:?}", finished.end);
    finished.cpu
}

fn main() {
    serve_if_zygote(handle);
    in_this_thread();
    by_workers("shop: timeouts", 0, 30);
    by_workers("tiny", SHOP.len(), 1_000);
    memory("10,000 runs of tiny", SHOP.len(), 10_000);
    memory("300 runs of the shop", 0, 300);
}

fn in_this_thread() {
    println!("{:<22} {:>12} {:>12} {:>12}", "in this thread", "sim s/wall s", "sim s/CPU s", "runs/s");
    let mut rates = Vec::new();
    for make in SHOP {
        const RUNS: u64 = 8;
        let scenario = make();
        let simulated = scenario.duration().as_secs_f64() * RUNS as f64;
        let _ = run(&scenario, &scenario.case(Seed(0)), Detail::Lean);
        let (wall, cpu) = (Instant::now(), thread_cpu());
        for seed in 0..RUNS {
            let _ = run(&scenario, &scenario.case(Seed(seed)), Detail::Lean);
        }
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), (thread_cpu() - cpu).as_secs_f64());
        let (by_wall, by_cpu) = (simulated / wall, simulated / cpu);
        println!("{:<22} {by_wall:>12.0} {by_cpu:>12.0} {:>12.2}", scenario.name(), RUNS as f64 / wall);
        rates.push(by_wall);
    }
    println!("{:<22} {:>12.0}\n", "median", median(rates));
}

/// The runs per second with these workers.
fn rate(workers: &mut [Worker], scenario: usize, runs: u64) -> f64 {
    let next = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for worker in workers {
            let next = &next;
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= runs {
                        break;
                    }
                    run_job(worker, &job(scenario, seed));
                }
            });
        }
    });
    runs as f64 / started.elapsed().as_secs_f64()
}

fn by_workers(name: &str, scenario: usize, runs: u64) {
    let mut workers = [worker(), worker()];
    rate(&mut workers, scenario, 4);
    let mut pairs = Vec::new();
    for _ in 0..5 {
        pairs.push((rate(&mut workers[..1], scenario, runs), rate(&mut workers, scenario, runs)));
    }
    let one = median(pairs.iter().map(|pair| pair.0).collect());
    let two = median(pairs.iter().map(|pair| pair.1).collect());
    let ratio = median(pairs.iter().map(|pair| pair.1 / pair.0).collect());
    println!("{name}: {one:.1} runs/s with one worker, {two:.1} with two, median of ratios {ratio:.2}");
}

fn memory(name: &str, scenario: usize, runs: u64) {
    let others = children();
    let mut worker = worker();
    let zygote = children().into_iter().find(|process| !others.contains(process));
    let resident = || {
        let of_zygote = zygote.and_then(resident_kib).unwrap_or_default();
        (resident_kib(std::process::id()).unwrap_or_default(), of_zygote)
    };
    for seed in 0..20 {
        run_job(&mut worker, &job(scenario, seed));
    }
    let before = resident();
    let started = Instant::now();
    let cpu: Duration = (0..runs).map(|seed| run_job(&mut worker, &job(scenario, seed))).sum();
    let wall = started.elapsed();
    let after = resident();
    println!("\n{name}: {:.1} runs/s, {:.3} ms of CPU per run", runs as f64 / wall.as_secs_f64(), {
        cpu.as_secs_f64() * 1e3 / runs as f64
    });
    for (process, before, after) in [("supervisor", before.0, after.0), ("zygote", before.1, after.1)] {
        let growth = after as i64 - before as i64;
        println!("  {process:<10} resident {before:>7} KiB at the start, {after:>7} KiB at the end, {growth:+} KiB");
    }
}
