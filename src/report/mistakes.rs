//! The table of planted mistakes: by which promise each was caught, and how soon.

use std::fmt::Write as _;

use super::text::{aligned, count};
use crate::explore::{Hunt, HuntVerdict};

/// The table of mistakes, in one line for each, and a line for each that was not caught as it should be.
pub fn mistakes_table(hunts: &[Hunt]) -> String {
    let header = ["mistake", "caught by", "runs until caught", "CPU seconds", "faults left"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(hunts.iter().map(row));
    let mut text = aligned(&rows, 2);
    let caught = hunts.iter().filter(|hunt| hunt.is_caught()).count();
    let starts = hunts.iter().map(|hunt| hunt.catches.len()).max().unwrap_or_default();
    let _ =
        writeln!(text, "{caught} of {} caught, each from {}", count(hunts.len(), "mistake"), count(starts, "start"));
    for hunt in hunts.iter().filter(|hunt| !hunt.is_caught()) {
        let _ = writeln!(text, "{}", complaint(hunt));
    }
    text
}

fn row(hunt: &Hunt) -> Vec<String> {
    std::iter::once(hunt.mistake.clone()).chain(mistake_cells(hunt)).collect()
}

/// What caught a mistake, the runs until it was caught, their CPU seconds, and the faults that are left.
pub(super) fn mistake_cells(hunt: &Hunt) -> [String; 4] {
    let caught_by = match &hunt.verdict {
        HuntVerdict::Caught => caught_by(hunt),
        HuntVerdict::Missed => "MISSED".to_owned(),
        HuntVerdict::CaughtByAnother { .. } => "ANOTHER PROMISE".to_owned(),
        HuntVerdict::NotExercised => "NOT EXERCISED".to_owned(),
        HuntVerdict::FalseAlarm { .. } => "FALSE ALARM".to_owned(),
    };
    let runs = hunt.catches.iter().map(|caught| caught.runs);
    let runs = match (hunt.median_runs(), runs.clone().min(), runs.max()) {
        (Some(median), Some(least), Some(most)) if least < most => format!("{median} ({least} to {most})"),
        (Some(median), ..) => median.to_string(),
        _ => "-".to_owned(),
    };
    let cpu = hunt.median_cpu_seconds().map_or("-".to_owned(), |seconds| format!("{seconds:.2}"));
    let faults = hunt.faults_left.map_or("-".to_owned(), |faults| faults.to_string());
    [caught_by, runs, cpu, faults]
}

/// The promises that caught it, the most frequent first.
fn caught_by(hunt: &Hunt) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for caught in &hunt.catches {
        let known = hunt.breaks.iter().find(|promise| caught.check.split(' ').next() == Some(promise.as_str()));
        let promise = known.map_or(caught.check.as_str(), String::as_str);
        match counts.iter_mut().find(|(name, _)| *name == promise) {
            Some((_, count)) => *count += 1,
            None => counts.push((promise, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(promise, _)| *promise).collect::<Vec<_>>().join(", ")
}

/// What is wrong with a mistake that was not caught as it should be, and what to do next.
pub fn complaint(hunt: &Hunt) -> String {
    let Hunt { mistake, breaks, most_runs, scenario, part, .. } = hunt;
    let breaks = breaks.join(" or ");
    let replay = |seed| format!("`cargo sims replay mistakes::{mistake} --seed {seed}` shows the run");
    match &hunt.verdict {
        HuntVerdict::Caught => format!("{mistake}: caught"),
        HuntVerdict::Missed => format!(
            "{mistake}: no run of {most_runs} broke {breaks}: widen the faults or the workload of {scenario}, or mend the check"
        ),
        HuntVerdict::CaughtByAnother { check, seed } => {
            format!("{mistake}: no run of {most_runs} broke {breaks}, but one broke \"{check}\"; {}", replay(seed))
        }
        HuntVerdict::NotExercised => {
            let part = part.as_deref().unwrap_or("the part that makes the mistake");
            format!(
                "{mistake}: {most_runs} runs were all the same as without the mistake: {part} was never reached in {scenario}"
            )
        }
        HuntVerdict::FalseAlarm { check, seed } => format!(
            "{mistake}: the right system breaks \"{check}\", too; `cargo sims replay mistakes::{mistake}::right --seed {seed}` \
             shows the run"
        ),
    }
}
