//! The report of a sweep: one line for each kind of fault, and the trials that the scenario did not survive.

use std::fmt::Write as _;

use super::text::count;
use crate::explore::{Row, Sweep};
use crate::fault::duration_text;

/// The number of failing trials of each kind that are shown one by one.
const MOST_SHOWN: usize = 10;

/// The report of a sweep.
pub fn sweep_text(sweep: &Sweep) -> String {
    let Sweep { scenario, seed, messages, events, operations, hosts, rows, runs, resumed, left, wall } = sweep;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{scenario}, seed {seed}: {}, {} ({}, {})",
        count(*operations, "operation"),
        count(messages + events, "point"),
        count(*messages, "message"),
        count(*events, "event")
    );
    let _ = writeln!(text, "  hosts that go down: {}", hosts.join(", "));
    for row in rows {
        let Row { name, tried, effective, failing } = row;
        let all = if name == "pairs" { "pairs" } else { "points" };
        let idle = match tried - effective {
            0 => String::new(),
            idle => format!(" ({idle} had no effect)"),
        };
        let _ = match failing.len() {
            0 => writeln!(text, "  {name:<10} survived at all {tried} {all}{idle}"),
            failed => writeln!(text, "  {name:<10} survived at {} of {tried} {all}{idle}", tried - failed),
        };
        for failing in failing.iter().take(MOST_SHOWN) {
            let finding = failing.finding.lines().next().unwrap_or_default();
            let _ = writeln!(text, "    {}\n      {finding}", failing.faults.join("\n    and "));
            if let Some(saved) = &failing.saved {
                let _ = writeln!(text, "      cargo sims replay {}", saved.display());
            }
        }
        if failing.len() > MOST_SHOWN {
            let _ = writeln!(text, "    and {} more, saved beside these", failing.len() - MOST_SHOWN);
        }
    }
    if *left > 0 {
        let _ = writeln!(text, "interrupted: {} left; the same command goes on from here", count(*left, "trial"));
    }
    if sweep.is_passed() {
        let kinds: Vec<&str> = rows.iter().map(|row| row.name.as_str()).filter(|name| *name != "pairs").collect();
        let _ = writeln!(text, "{scenario} survives every single {} at these points", kinds.join(", "));
    }
    let known = if *resumed == 0 { String::new() } else { format!(", {resumed} known from an earlier sweep") };
    let wall = duration_text(crate::fault::millis(wall.as_millis() as u64));
    let _ = writeln!(text, "{} in {wall}{known}", count(*runs, "run"));
    text
}
