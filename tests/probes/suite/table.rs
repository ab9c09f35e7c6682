//! The table of all probes: printed, compared with `docs/probes.md`, or written there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::probe::Probe;
use crate::verdicts::{LIMITS, Verdict, judge};
use crate::ways::{self, Sightings, WAYS};
use crate::{kinds, planted};

const HEAD: &str = "\
# What programs take from their process and their machine

Each row is a probe: a small program that uses one source of nondeterminism. *Tamed* means that it sees the same in every
run of a seed, however it is run: again, in reverse order, with two jobs, in another directory with another environment and
name, under other limits, with another host name and one processor, a minute after the machine's start, and as a copied
executable. What should be chance differs from seed to seed, and facts of the machine are not those of the real one. *Named*
means that the run's own report says what left the simulation. A *limit* stays as it is. In `tests/probes`, `cargo run` runs
three seeds in each way and `cargo run -- full` 40 (Linux; root for two of the ways); both fail if a probe does not do as this
file says. `cargo run -- write` writes it.

";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/probes.md")
}

/// What a row says of a probe, and whether that is a failure. In a short run, a limit may look better by luck.
fn said(probe: &Probe, verdict: &Verdict, is_long: bool) -> (String, bool) {
    let limit = LIMITS.iter().find(|(name, _)| *name == probe.name);
    match (limit, verdict) {
        (Some((_, why)), Verdict::Wrong(_)) => (format!("limit: {why}"), false),
        (Some((_, why)), _) if !is_long => (format!("limit: {why}"), false),
        (Some(_), better) => (format!("{better}, but it is stated as a limit"), true),
        (None, wrong @ Verdict::Wrong(_)) => (wrong.to_string(), true),
        (None, good) => (good.to_string(), false),
    }
}

/// So many seeds show what a limit really is.
const LONG: u64 = 40;

/// How much is run.
#[derive(Clone, Copy)]
pub struct Extent {
    pub seeds: u64,
    /// Every way of so many is used, from the first on.
    pub every: usize,
}

/// What the probes see in each way. Three ways are run at once, as most of the time of each is that of one process.
fn sightings(probes: &[Probe], Extent { seeds, every }: Extent) -> Vec<(&'static str, Sightings)> {
    const AT_ONCE: usize = 3;
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let ways = || WAYS.iter().enumerate().step_by(every).nth(next.fetch_add(1, Ordering::Relaxed));
                while let Some((place, way)) = ways() {
                    let start = std::time::Instant::now();
                    match way.run(probes, seeds) {
                        Some(seen) => {
                            eprintln!("{}: {:.1}s", way.name, start.elapsed().as_secs_f64());
                            all.lock().expect("no thread panics").push((place, way.name, seen));
                        }
                        None => eprintln!("SKIPPED: {}: this machine does not allow it", way.name),
                    }
                }
            });
        }
    });
    let mut all = all.into_inner().expect("no thread panics");
    all.sort_by_key(|(place, ..)| *place);
    all.into_iter().map(|(_, name, seen)| (name, seen)).collect()
}

/// Runs all probes and the planted mistakes, prints the table, and compares it with the document or writes that.
pub fn check(extent: Extent, writes: bool) -> ExitCode {
    let probes = kinds::all();
    let (seen, facts) = (sightings(&probes, extent), ways::facts());
    let (mut rows, mut failures, mut counts) = (String::new(), Vec::new(), [0; 3]);
    for probe in &probes {
        let verdict = judge(probe, &seen, &facts);
        let (said, is_failure) = said(probe, &verdict, extent.seeds >= LONG);
        let kind = usize::from(said.starts_with("named")) + 2 * usize::from(said.starts_with("limit"));
        counts[kind] += usize::from(!is_failure);
        let _ = writeln!(rows, "| `{}` | {} | {said} |", probe.name, probe.what);
        if is_failure {
            failures.push(format!("{}: {said}", probe.name));
        }
    }
    let [tamed, named, limits] = counts;
    let total = format!("{} probes: {tamed} tamed, {named} named, {limits} limits", probes.len());
    let unknown = LIMITS.iter().filter(|(name, _)| probes.iter().all(|probe| probe.name != *name));
    failures.extend(unknown.map(|(name, _)| format!("{name}: there is no such probe, but a limit is stated")));
    failures.extend(planted::all().filter_map(|(scenario, failure)| missed(scenario.name(), failure)));
    let text = format!("{HEAD}{total}.\n\n| probe | what it does | |\n| --- | --- | --- |\n{rows}");
    println!("{text}");
    let recorded = fs::read_to_string(document()).unwrap_or_default();
    if writes && failures.is_empty() {
        fs::write(document(), &text).expect("the document is written");
    } else if recorded != text {
        let other = text.lines().filter(|line| !recorded.lines().any(|recorded| recorded == *line));
        failures.extend(other.map(|line| format!("docs/probes.md has another line than: {line}")));
    }
    println!("{total}, {} failures", failures.len());
    failures.iter().for_each(|failure| println!("FAILED: {failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wrong with the search for a planted mistake: it must be found, and its case must replay.
fn missed(name: &str, failure: &str) -> Option<String> {
    let own = std::env::current_exe().expect("the executable has a path");
    let directory = std::env::temp_dir().join("squall-probes");
    let cli = |arguments: &[&str]| {
        let output = Command::new(&own).env("CARGO_TARGET_DIR", &directory).arg("cli").args(arguments).output();
        String::from_utf8_lossy(&output.expect("the table starts").stdout).into_owned()
    };
    let seeds = format!("0..{}", planted::SEEDS);
    let report = cli(&["explore", name, "--seeds", &seeds, "--explain-for", "0"]);
    // Screens are as wide as terminals.
    let says = |screen: &str| screen.split_whitespace().collect::<Vec<_>>().join(" ").contains(failure);
    if !says(&report) {
        return Some(format!("{name}: not found within {} seeds: {report}", planted::SEEDS));
    }
    let case = report.lines().find_map(|line| line.strip_prefix("case: ")).unwrap_or_default();
    let replayed = cli(&["replay", case]);
    let is_same = replayed.starts_with("the same run") && says(&replayed);
    (!is_same).then(|| format!("{name}: `{case}` does not replay: {replayed}"))
}

/// Shows what the probes see whose names match a pattern.
pub fn show(pattern: &str) -> ExitCode {
    let probes: Vec<Probe> = kinds::all().into_iter().filter(|probe| matches(pattern, probe.name)).collect();
    let (seen, facts) = (sightings(&probes, Extent { seeds: 3, every: 1 }), ways::facts());
    for probe in &probes {
        let verdict = judge(probe, &seen, &facts);
        println!("{}: {}", probe.name, said(probe, &verdict, true).0);
        if let Some(seen) = seen.first().and_then(|(_, seen)| seen.get(probe.name)) {
            seen.iter().for_each(|(seed, seen)| println!("    {seed}: {:?} {:?}", seen.text, seen.escapes));
        }
    }
    ExitCode::SUCCESS
}

/// Whether a name is the pattern, in which `*` at the end stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}
