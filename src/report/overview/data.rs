//! What an overview is made of, as plain data: the JSON that its script reads.

use serde::Serialize;

use super::contents::{ExploredScenario, Overview};
use super::latencies::{LatencyRow, rows};
use crate::explore::{CheckCoverage, Hunt, Reached, RunLine, Status};
use crate::report::mistakes::{complaint, mistake_cells};
use crate::run::GeneratorCounts;

/// Everything that the page shows.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    version: &'static str,
    status: &'a str,
    scenarios: Vec<Scenario<'a>>,
    mistakes: Vec<Mistake<'a>>,
    kept: &'a str,
    problems: &'a [String],
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    seeds: String,
    status: &'static str,
    runs: u64,
    failed: u64,
    unknown: u64,
    simulated_seconds: f64,
    wall_seconds: f64,
    rows: Vec<Row<'a>>,
    generators: &'a [GeneratorCounts],
    sometimes: &'a [Reached],
    checks: &'a [CheckCoverage],
    /// `None` if they were not measured.
    latencies: Option<Vec<LatencyRow<'a>>>,
    replay: &'a str,
    text: &'a str,
    notes: &'a [String],
}

/// A run: its verdict as a number from 0, a pass, to 3, a failure; simulated milliseconds, microseconds of CPU time.
#[derive(Serialize)]
struct Row<'a> {
    seed: String,
    verdict: u8,
    planned: u64,
    effective: u64,
    simulated: u64,
    cpu: u64,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct Mistake<'a> {
    mistake: &'a str,
    scenario: &'a str,
    is_caught: bool,
    caught_by: String,
    runs: String,
    median_runs: Option<f64>,
    cpu_seconds: String,
    faults_left: String,
    complaint: String,
}

pub(super) fn data<'a>(overview: &'a Overview<'a>) -> Data<'a> {
    Data {
        version: env!("CARGO_PKG_VERSION"),
        status: overview.status,
        scenarios: overview.scenarios.iter().map(scenario).collect(),
        mistakes: overview.hunts.iter().map(mistake).collect(),
        kept: overview.kept,
        problems: overview.problems,
    }
}

fn scenario<'a>(explored: &'a ExploredScenario<'a>) -> Scenario<'a> {
    let exploration = explored.exploration;
    Scenario {
        name: &exploration.scenario,
        seeds: exploration.seeds.to_string(),
        status: exploration.status().word(),
        runs: exploration.runs,
        failed: exploration.failed,
        unknown: exploration.unknown,
        simulated_seconds: exploration.simulated.as_secs_f64(),
        wall_seconds: exploration.wall.as_secs_f64(),
        rows: exploration.lines.iter().map(row).collect(),
        generators: &exploration.generators,
        sometimes: &exploration.coverage.reached,
        checks: &exploration.coverage.checks,
        latencies: exploration.latencies.as_ref().map(rows),
        replay: &explored.replay,
        text: &explored.text,
        notes: &exploration.notes,
    }
}

fn row(line: &RunLine) -> Row<'_> {
    Row {
        seed: line.seed.to_string(),
        verdict: match line.status {
            Status::Pass => 0,
            Status::Unknown => 1,
            Status::NotDeterministic => 2,
            Status::Fail => 3,
        },
        planned: line.planned,
        effective: line.effective,
        simulated: line.simulated_ms,
        cpu: line.cpu_us,
        why: line.why.as_deref(),
    }
}

fn mistake(hunt: &Hunt) -> Mistake<'_> {
    let [caught_by, runs, cpu_seconds, faults_left] = mistake_cells(hunt);
    Mistake {
        mistake: &hunt.mistake,
        scenario: &hunt.scenario,
        is_caught: hunt.is_caught(),
        caught_by,
        runs,
        median_runs: hunt.median_runs(),
        cpu_seconds,
        faults_left,
        complaint: complaint(hunt),
    }
}
