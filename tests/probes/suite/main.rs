//! A table of what real backends take from their process and their machine: each probe uses one source of nondeterminism,
//! and the command says whether Squall tames it, names it in the run's own report, or states it as a limit.
//!
//! - `cargo run` runs every probe with a few seeds in all ways of running, and fails if `docs/probes.md` says otherwise;
//! - `cargo run -- quick` does it with two seeds in every second way;
//! - `cargo run -- full` does it with 40 seeds, and `cargo run -- write` also writes that file;
//! - `cargo run -- show 'clocks::*'` shows what these probes see, and in which ways it differs;
//! - `cargo run -- cli ...` is Squall's command line over the probes.
#![cfg(target_os = "linux")]

mod kinds;
mod planted;
mod probe;
mod table;
mod verdicts;
mod ways;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use squall::prelude::*;
use table::Extent;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if squall::internal::sandbox::is_zygote() || arguments.first() == Some(&"cli") {
        return squall::main(scenarios());
    }
    match arguments.as_slice() {
        [ways::OUTSIDE] => ways::print_facts(),
        [] => table::check(Extent { seeds: 3, every: 1 }, false),
        ["quick"] => table::check(Extent { seeds: 2, every: 2 }, false),
        ["full"] => table::check(Extent { seeds: 40, every: 1 }, false),
        ["write"] => table::check(Extent { seeds: 40, every: 1 }, true),
        ["show", pattern] => table::show(pattern),
        _ => {
            eprintln!("expected nothing, `quick`, `full`, `write`, `show PATTERN` or `cli ...`");
            ExitCode::from(2)
        }
    }
}

/// One function for each scenario. The table calls them once, in order, so one function that knows how often it was called
/// stands for all of them.
fn scenarios() -> Vec<fn() -> Scenario> {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    fn next() -> Scenario {
        let number = BUILT.fetch_add(1, Ordering::Relaxed);
        let probes = kinds::all();
        match probes.get(number) {
            Some(probe) => probe.scenario(),
            None => planted::all().nth(number - probes.len()).expect("it is called once for each").0,
        }
    }
    vec![next; kinds::all().len() + planted::all().count()]
}
