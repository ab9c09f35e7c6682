//! The simulations: a table of scenarios.

mod durability;
mod health_checks;
mod partitions;
mod retries;
mod shop;
mod stateless_restarts;
mod timeouts;

use squall::prelude::*;
use squall::run::{Detail, run};

fn main() {
    let table: [fn() -> Scenario; 6] = [
        timeouts::scenario,
        retries::scenario,
        health_checks::scenario,
        stateless_restarts::scenario,
        partitions::scenario,
        durability::scenario,
    ];
    let from: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let n: u64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(4);
    let only = std::env::args().nth(3);
    for make in table {
        let scenario = make();
        if only.as_deref().is_some_and(|o| o != scenario.name()) {
            continue;
        }
        let started = std::time::Instant::now();
        let mut bites: Vec<squall::run::SourceBites> = Vec::new();
        let mut failed = 0;
        let mut ops = 0;
        let mut ok = 0;
        let mut segs = 0;
        for seed in from..from + n {
            let case = if n == 1 && std::env::var("CONTROL").is_ok() {
                scenario.control(Seed(seed))
            } else {
                scenario.case(Seed(seed))
            };
            let run = run(&scenario, &case, Detail::Lean);
            ops += run.history.operations.len();
            ok += run.history.operations.iter().filter(|o| o.is_ok()).count();
            segs += run.outcome.counters.segments;
            let outcome = run.outcome;
            if !outcome.verdict.is_pass() {
                failed += 1;
                if failed < 6 {
                    println!("{} {}: {:#?}", scenario.name(), seed, outcome.findings);
                }
            }
            if bites.is_empty() {
                bites = outcome.bites;
            } else {
                for (a, b) in bites.iter_mut().zip(outcome.bites) {
                    a.planned += b.planned;
                    a.bitten += b.bitten;
                }
            }
        }
        let sim = scenario.duration().as_secs_f64() * n as f64;
        println!(
            "{}: {failed}/{n} failed, ops {ops} ok {ok} segs {segs}, {:.0} sim s/s",
            scenario.name(),
            sim / started.elapsed().as_secs_f64()
        );
        for b in bites {
            println!("   {} {}/{}", b.source, b.bitten, b.planned);
        }
    }
}
