//! Benchmarks of the linearizability checker: histories with known verdicts, and generated registers and queues.
//!
//! `cargo bench --bench linear`. Each number is the median wall-clock time of several rounds on one thread.

#[path = "../tests/linear/generate.rs"]
mod generate;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use squall::check::linear::models::{KeyValue, Queue, Register};
use squall::check::linear::read::{self, Datum, FailedCas};
use squall::check::linear::{Judgement, Model, SearchOptions, TypedHistory, judge, linearizable, queue};
use squall::prelude::Seed;

use generate::Mistake;
use support::median;

/// The median time of a round, in milliseconds.
fn milliseconds(rounds: usize, mut round: impl FnMut()) -> f64 {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed()
    });
    median(times.map(|time: Duration| time.as_secs_f64() * 1e3).collect())
}

fn is_linearizable<M: Model>(model: &M, history: &TypedHistory<M::Op, M::Output>) -> bool {
    match judge(model, history, &SearchOptions::default()) {
        Judgement::Linearizable(_) => true,
        Judgement::Violated(_) => false,
        Judgement::GaveUp(configurations) => {
            println!("gave up after {configurations} configurations");
            std::process::exit(1);
        }
    }
}

fn main() {
    let histories = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    etcd(&histories);
    key_value(&histories);
    registers();
    queues();
}

fn etcd(histories: &Path) {
    let mut paths: Vec<_> = std::fs::read_dir(histories.join("etcd"))
        .expect("the checkout has tests/histories/etcd")
        .map(|entry| entry.expect("the directory is readable").path())
        .collect();
    paths.sort();
    let texts: Vec<_> =
        paths.iter().map(|path| std::fs::read_to_string(path).expect("the history is readable text")).collect();
    let read = || {
        texts
            .iter()
            .map(|text| read::register(text, FailedCas::FoundAnotherValue).expect("the file is a valid history"))
            .collect::<Vec<_>>()
    };
    let all = read();
    let model = Register::new(Datum::Nil);
    let mut linearizable = 0;
    let judging = milliseconds(101, || linearizable = all.iter().filter(|h| is_linearizable(&model, h)).count());
    let reading = milliseconds(101, || assert_eq!(read().len(), texts.len()));
    println!("etcd, {} files: {judging:.2} ms to judge, {reading:.2} ms to read", texts.len());
    println!("    {linearizable} are linearizable");
    let worst = all.iter().map(|history| {
        milliseconds(11, || {
            is_linearizable(&model, history);
        })
    });
    println!("    the slowest takes {:.3} ms", worst.fold(0.0, f64::max));
}

fn key_value(histories: &Path) {
    for name in ["c01-ok", "c01-bad", "c10-ok", "c10-bad", "c50-ok"] {
        let text = std::fs::read_to_string(histories.join("kv").join(name).with_extension("txt"));
        let text = text.expect("the history is readable text");
        let history = read::key_value(&text).expect("the file is a valid history");
        let mut found = false;
        let judging = milliseconds(21, || found = is_linearizable(&KeyValue, &history));
        let reading = milliseconds(21, || assert!(read::key_value(&text).is_ok()));
        println!("{name}: {judging:.2} ms to judge (linearizable: {found}), {reading:.2} ms to read");
    }
}

fn registers() {
    for (clients, operations, unknown) in [(8, 10_000, 0), (8, 100_000, 0), (8, 100_000, 1), (32, 100_000, 0)] {
        let history = generate::register(Seed(1), clients, operations, unknown);
        let model = Register::new(0);
        let time = milliseconds(5, || assert!(is_linearizable(&model, &history)));
        println!("register, {clients} clients, {operations} operations, {unknown} of 1000 unknown: {time:.1} ms");
    }
    for (clients, operations) in [(8, 100_000), (32, 100_000)] {
        for mistake in [Mistake::FromNowhere, Mistake::StaleRead, Mistake::LostUpdate] {
            let mut history = generate::register(Seed(1), clients, operations, 0);
            generate::spoil(Seed(1), &mut history, mistake);
            let mut word = "";
            let time = milliseconds(3, || word = linearizable(&Register::new(0), &history).word());
            println!("register, {clients} clients, {operations} operations, {mistake:?}: {word} after {time:.1} ms");
        }
    }
}

fn queues() {
    for (clients, operations, unknown) in
        [(8, 1_000, 0), (8, 10_000, 0), (8, 100_000, 0), (8, 100_000, 1), (8, 1_000_000, 0)]
    {
        let history = generate::queue(Seed(1), clients, operations, unknown);
        let patterns = milliseconds(5, || assert_eq!(queue::wrong(&history), Ok(None)));
        let options = SearchOptions { budget: 100_000, ..SearchOptions::default() };
        let mut word = "";
        // The search copies the whole queue into each state, so larger histories are too slow for it.
        let searching = if operations > 1_000 {
            None
        } else {
            Some(milliseconds(1, || {
                word = match judge(&Queue::default(), &history, &options) {
                    Judgement::Linearizable(_) => "linearizable",
                    Judgement::Violated(_) => "violated",
                    Judgement::GaveUp(_) => "gave up",
                }
            }))
        };
        let searching = searching.map(|time| format!("; by the search {time:.1} ms, {word}")).unwrap_or_default();
        println!(
            "queue, {clients} clients, {operations} operations, {unknown} of 1000 unknown: {patterns:.1} ms{searching}"
        );
    }
}
