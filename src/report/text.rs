//! The table of explorations, and remarks on an exploration.

use std::fmt::Write as _;
use std::time::Duration;

use crate::explore::{CheckCoverage, Exploration, Failure, Repeat};
use crate::run::Outcome;
use crate::trace::Fingerprint;

/// The table of explorations: scenario, seeds, verdict, faults and speed, in one line for each.
pub fn table(explorations: &[Exploration]) -> String {
    let header = ["scenario", "seeds", "verdict", "effective faults", "simulated", "wall", "ratio"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(explorations.iter().map(|exploration| row(exploration).to_vec()));
    aligned(&rows, 3)
}

/// Rows of equally many cells as lines of columns; the cells from column `numbers` on are aligned to the right.
pub(super) fn aligned(rows: &[Vec<String>], numbers: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let space = " ".repeat(width - self::width(cell));
            if column >= numbers { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn row(exploration: &Exploration) -> [String; 7] {
    let (planned, effective) =
        exploration.generators.iter().fold((0, 0), |sum, effects| (sum.0 + effects.planned, sum.1 + effects.effective));
    let wall = exploration.wall.as_secs_f64().max(0.001);
    let seeds = match exploration.runs == exploration.seeds.count() {
        true => exploration.seeds.to_string(),
        false => format!("{} from {}", exploration.runs, exploration.seeds.first()),
    };
    [
        exploration.scenario.clone(),
        seeds,
        exploration.status().word().to_owned(),
        if planned == 0 { "-".to_owned() } else { format!("{effective} of {planned}") },
        long_time(exploration.simulated),
        format!("{wall:.1}s"),
        format!("{:.0}x", exploration.simulated.as_secs_f64() / wall),
    ]
}

/// An exploration that is over, in one line: for a log that is read while others go on.
pub fn finished(exploration: &Exploration) -> String {
    let Exploration { scenario, runs, wall, .. } = exploration;
    let (verdict, wall) = (exploration.status().word(), duration_of(*wall));
    format!("{scenario}: {verdict}, {} in {wall}\n", count(*runs, "run"))
}

/// A number of things, for example `1 event` or `3 events`.
pub(crate) fn count<N: PartialEq + From<u8> + std::fmt::Display>(number: N, thing: &str) -> String {
    format!("{number} {thing}{}", if number == N::from(1) { "" } else { "s" })
}

/// A wall-clock time, to a tenth of a second.
pub(super) fn duration_of(wall: Duration) -> String {
    format!("{:.1}s", wall.as_secs_f64())
}

fn long_time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

/// How many things each check judged, and how many runs reached each situation, in one line each. Empty if there is
/// nothing to count.
pub fn coverage(exploration: &Exploration) -> String {
    let mut text = String::new();
    let (checks, situations) = (&exploration.coverage.checks, &exploration.coverage.reached);
    if checks.is_empty() && situations.is_empty() {
        return text;
    }
    let _ = writeln!(text, "{}:", exploration.scenario);
    let widest = |number: fn(&CheckCoverage) -> u64| {
        checks.iter().map(|check| number(check).to_string().len()).max().unwrap_or_default()
    };
    let (judged, runs) = (widest(|check| check.judged), widest(|check| check.runs));
    for check in checks {
        let CheckCoverage { check, judged: count, runs: in_runs, of_runs, .. } = check;
        let _ = writeln!(
            text,
            "  judged {count:>judged$} in {in_runs:>runs$} of {}: {check}",
            self::count(*of_runs, "run")
        );
    }
    let (runs, widest) = (self::count(exploration.runs, "run"), exploration.runs.to_string().len());
    for reached in situations {
        let _ = writeln!(text, "  reached in {:>widest$} of {runs}: {}", reached.runs, reached.situation);
    }
    text
}

/// Remarks on an exploration: generators whose faults have no effect, situations that were not reached, runs with an
/// unknown verdict, and notes. Empty if there are none.
pub fn remarks(exploration: &Exploration) -> String {
    let mut text = if exploration.is_part { String::new() } else { missing(exploration) };
    let name = &exploration.scenario;
    if let Some(outcome) = &exploration.first_unknown {
        let _ = writeln!(
            text,
            "{name}: the verdict of {} is unknown, first of seed {}: {}",
            count(exploration.unknown, "run"),
            outcome.seed,
            reasons(outcome)
        );
    }
    for note in &exploration.notes {
        let _ = writeln!(text, "{name}: note: {note}");
    }
    text
}

/// What no run has done: generators whose faults have no effect, situations that were not reached, and checks that had
/// nothing to judge.
fn missing(exploration: &Exploration) -> String {
    let mut text = String::new();
    let name = &exploration.scenario;
    for line in exploration.idle_generators() {
        let _ = writeln!(text, "{name}: FAIL: {line}; a fault without effect tests nothing");
    }
    let missed = exploration.coverage.missed(exploration.runs);
    // Without any run, no situation could be reached.
    for situation in exploration.coverage.unreached().filter(|_| exploration.runs > 0) {
        let runs = exploration.runs;
        let _ = if missed.contains(&situation) {
            writeln!(text, "{name}: FAIL: never reached: \"{situation}\" in {}", count(runs, "run"))
        } else {
            let min_runs = exploration.coverage.min_runs;
            writeln!(
                text,
                "{name}: not judged: \"{situation}\" was not reached in {} (judged from {min_runs} runs on)",
                count(runs, "run")
            )
        };
    }
    let idle = exploration.coverage.idle_checks(exploration.runs);
    for check in exploration.coverage.unexercised().filter(|_| exploration.runs > 0) {
        let (runs, min_runs) = (exploration.runs, exploration.coverage.min_runs);
        let _ = if idle.contains(&check) {
            writeln!(
                text,
                "{name}: FAIL: `{check}` judged nothing in {}; what is not exercised is not caught",
                count(runs, "run")
            )
        } else {
            writeln!(
                text,
                "{name}: not judged: `{check}` had nothing to judge in {} (fails from {min_runs} runs on)",
                count(runs, "run")
            )
        };
    }
    text
}

pub(super) fn reasons(outcome: &Outcome) -> String {
    let reasons: Vec<String> = outcome
        .findings
        .iter()
        .map(|finding| match finding.verdict.why() {
            None => finding.check.clone(),
            Some(why) => format!("{}: {why}", finding.check),
        })
        .collect();
    reasons.join("; ")
}

/// Whether a failing run is deterministic and, if not, the diagnosis.
pub(super) fn determinism(failure: &Failure) -> String {
    let mut text = String::new();
    let _ = match &failure.repeat {
        Repeat::Same if failure.outcome.fingerprint != Fingerprint::default() => {
            writeln!(text, "deterministic: yes, a second run had the same fingerprint {}", failure.outcome.fingerprint)
        }
        Repeat::Same => writeln!(text, "deterministic: a second run ended in the same way"),
        Repeat::NotKnown => {
            writeln!(text, "deterministic: unknown, as recording a second run exceeded the limits of a run")
        }
        Repeat::Different(diagnosis) => writeln!(text, "deterministic: NO, {diagnosis}"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::secs;

    #[test]
    fn long_times_are_written_shortly() {
        assert_eq!(long_time(secs(59)), "59s");
        assert_eq!(long_time(secs(61)), "1m 01s");
        assert_eq!(long_time(secs(7_260)), "2h 01m");
    }
}
