//! How much sooner the planted mistakes are caught than with faults as people inject them with plain turmoil.
//!
//! `cargo bench --bench random_faults --profile dev -- [NAME...] [--starts N] [--runs N]` looks for each mistake of the shop twice:
//! with the faults of its scenario, as `cargo sims mistakes` does, and with what turmoil itself offers, at random times: a rate at
//! which messages are lost (`fail_rate`), crashes of random servers and partitions between random hosts. It prints the runs
//! and the CPU seconds until a promise was found to be broken that the mistake breaks, as medians over the starts, and how many
//! times as much the random faults need. From each start both go on for at most N runs; where one has not caught it by then, its
//! numbers are lower bounds.
//!
//! The column "random faults" is a stand-in for plain turmoil, and favours it: these runs have Squall's network, which sends lost
//! bytes again, where a connection on plain turmoil stands still; its disks, its workload, which reaches every part, and its
//! checks, all of which somebody who uses plain turmoil would have to write. Only the faults differ: none knows the system,
//! and none waits for a message or an event. What a run costs is that of Squall, too; `cargo bench --bench plain_turmoil` compares.

#[path = "../sims/mistakes/mod.rs"]
mod mistakes;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
mod support;

use std::sync::Arc;
use std::time::Duration;

use rand_0_9::rngs::StdRng;
use rand_0_9::seq::IndexedRandom;
use rand_0_9::{Rng, SeedableRng};
use squall::fault::{Fault, Plan};
use squall::internal::explore::{MakePlan, is_caught_by};
use squall::internal::sandbox::{End, EntryPoint, ProcessLimits, Worker, serve_if_zygote};
use squall::prelude::*;

use support::median;

/// The distance between the first seeds of two starts, as in `cargo sims mistakes`.
const STRIDE: u64 = 0x1_0000;

/// The two ways to look for a mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Faults {
    OfTheScenario,
    AtRandom,
}

/// What a search from one start came to.
#[derive(Clone, Copy)]
struct Search {
    runs: u64,
    cpu: Duration,
    is_caught: bool,
}

/// Hosts that stand for users: nobody crashes those.
const USERS: [&str; 2] = ["buyer", "auditor"];

/// Faults that know nothing of the system, drawn as a test on plain turmoil would: half of the runs lose messages at one rate all the
/// time, and in each there are one to five crashes and one to five partitions, at any time and between any hosts.
fn at_random(seed: u64, hosts: &[&str], run_for: Duration) -> Plan {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut faults: Vec<Fault> = Vec::new();
    if rng.random_bool(0.5) {
        let rate = rng.random_range(0.01..0.1);
        faults.push(fault::loss(rate, "*", "*").at(Duration::ZERO).lasting(run_for));
    }
    let servers: Vec<&str> = hosts.iter().copied().filter(|host| !USERS.contains(host)).collect();
    let time = |rng: &mut StdRng| {
        let at = Duration::from_millis(rng.random_range(0..run_for.as_millis() as u64));
        (at, Duration::from_millis(rng.random_range(100..5_000)))
    };
    for _ in 0..rng.random_range(1..=5) {
        let (Some(server), (at, lasting)) = (servers.choose(&mut rng).copied(), time(&mut rng)) else { break };
        faults.push(fault::kill([server]).at(at).lasting(lasting));
    }
    for _ in 0..rng.random_range(1..=5) {
        let pair: Vec<&str> = hosts.choose_multiple(&mut rng, 2).copied().collect();
        let ([a, b], (at, lasting)) = (pair.as_slice(), time(&mut rng)) else { break };
        faults.push(fault::partition([*a], [*b]).at(at).lasting(lasting));
    }
    Plan::new(faults)
}

/// A run in a process of its own: of the mistake in this place of the table, with these faults and this seed.
fn job(place: usize, faults: Faults, seed: u64) -> Vec<u8> {
    [&(place as u64).to_le_bytes()[..], &[u8::from(faults == Faults::AtRandom)], &seed.to_le_bytes()].concat()
}

fn carry_out(job: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(job[at..at + 8].try_into().expect("a number has eight bytes"));
    let (place, seed) = (number(0) as usize, number(9));
    let mistake = mistakes::all()[place]();
    let plan = |hosts: &[&str], run_for: Duration| at_random(seed, hosts, run_for);
    let plan = (job[8] == 1).then_some(&plan as MakePlan<'_>);
    vec![u8::from(is_caught_by(&mistake, Seed(seed), plan))]
}

fn search(worker: &mut Worker, place: usize, faults: Faults, start: u64, most_runs: u64) -> Search {
    let mut search = Search { runs: 0, cpu: Duration::ZERO, is_caught: false };
    while search.runs < most_runs && !search.is_caught {
        let job = job(place, faults, start * STRIDE + search.runs);
        let finished = worker.run(&job, &ProcessLimits::default()).expect("the zygote is alive");
        search.runs += 1;
        search.cpu += finished.cpu;
        // A run that dies proves nothing about a promise.
        search.is_caught = matches!(&finished.end, End::Returned(caught) if caught == &[1]);
    }
    search
}

/// The medians of runs and CPU seconds, and whether every start caught it.
fn medians(searches: &[Search]) -> (f64, f64, bool) {
    let runs = median(searches.iter().map(|search| search.runs as f64).collect());
    let cpu = median(searches.iter().map(|search| search.cpu.as_secs_f64()).collect());
    (runs, cpu, searches.iter().all(|search| search.is_caught))
}

fn main() {
    serve_if_zygote(carry_out);
    let (mut names, mut starts, mut most_runs) = (Vec::new(), 3, 100);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number follows");
        match word.as_str() {
            "--starts" => starts = number(),
            "--runs" => most_runs = number(),
            // Cargo adds it.
            "--bench" => {}
            name => names.push(name.to_owned()),
        }
    }
    let all: Vec<String> = mistakes::all().iter().map(|mistake| mistake().name().to_owned()).collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        panic!("no mistake is named `{unknown}`");
    }
    let mut worker = Worker::spawn(EntryPoint::Main, Arc::new(carry_out)).expect("the zygote starts");
    println!("medians over {starts} starts of at most {most_runs} runs; > where a start has not caught it by then\n");
    println!("{:<40} {:>18} {:>20} {:>10}", "", "Squall", "random faults", "CPU ratio");
    println!("{:<40} {:>6} {:>11} {:>8} {:>11}", "mistake", "runs", "CPU s", "runs", "CPU s");
    let mut ratios: Vec<f64> = Vec::new();
    let (mut missed, mut uncaught) = (0, 0);
    for (place, name) in all.iter().enumerate().filter(|(_, name)| names.is_empty() || names.contains(name)) {
        let mut from_all = |faults| -> Vec<Search> {
            (0..starts).map(|start| search(&mut worker, place, faults, start, most_runs)).collect()
        };
        let (runs, cpu, is_caught) = medians(&from_all(Faults::OfTheScenario));
        let (random_runs, random_cpu, is_caught_at_random) = medians(&from_all(Faults::AtRandom));
        let sign = |is_caught| if is_caught { "" } else { ">" };
        let (own, other) = (sign(is_caught), sign(is_caught_at_random));
        let (runs, random_runs) = (format!("{own}{runs}"), format!("{other}{random_runs}"));
        let (cpu_text, random_text) = (format!("{own}{cpu:.2}"), format!("{other}{random_cpu:.2}"));
        let ratio = random_cpu / cpu;
        println!(
            "{name:<40} {runs:>6} {cpu_text:>11} {random_runs:>8} {random_text:>11} {:>10}",
            format!("{other}{ratio:.1}")
        );
        missed += usize::from(!is_caught_at_random);
        uncaught += usize::from(!is_caught);
        ratios.push(ratio);
    }
    let less = ratios.iter().filter(|ratio| **ratio < 10.0).count();
    println!("\nmedian of the CPU ratios, with lower bounds as they are: {:.1}", median(ratios.clone()));
    println!(
        "not 10 times: {less} of {}; not caught from every start: {uncaught} by Squall, {missed} at random",
        ratios.len()
    );
}
