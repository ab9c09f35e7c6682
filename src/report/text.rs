//! The table of an exploration, and what is printed of a failure.

use std::fmt::Write as _;
use std::time::Duration;

use super::timeline::{TimelineOptions, timeline_lines};
use crate::check::Verdict;
use crate::explore::{Exploration, Failure, Repeat, Standing, Subject};
use crate::fault::duration_text;
use crate::run::Outcome;

/// Lines of the timeline in a failure.
const TIMELINE_LINES: usize = 30;
/// Lines of a failing run's output that are shown.
const OUTPUT_LINES: usize = 40;

/// Scenario, seeds, verdict, faults, and how fast time went, one line for each exploration.
pub fn table(explorations: &[Exploration]) -> String {
    let header = ["scenario", "seeds", "verdict", "faults bitten", "simulated", "wall", "ratio"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(explorations.iter().map(row));
    let widths: Vec<usize> =
        (0..header.len()).map(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let space = " ".repeat(width - self::width(cell));
            // Numbers stand at the right of their column.
            if column >= 3 { format!("{space}{cell}") } else { format!("{cell}{space}") }
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
    let (planned, bitten) =
        exploration.bites.iter().fold((0, 0), |sum, bites| (sum.0 + bites.planned, sum.1 + bites.bitten));
    let wall = exploration.wall.as_secs_f64().max(0.001);
    let seeds = match exploration.runs == exploration.seeds.count() {
        true => exploration.seeds.to_string(),
        false => format!("{} from {}", exploration.runs, exploration.seeds.first()),
    };
    [
        exploration.scenario.clone(),
        seeds,
        exploration.standing().word().to_owned(),
        if planned == 0 { "-".to_owned() } else { format!("{bitten} of {planned}") },
        long_time(exploration.simulated),
        format!("{wall:.1}s"),
        format!("{:.0}x", exploration.simulated.as_secs_f64() / wall),
    ]
}

fn long_time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

/// What else is to be said of an exploration: sources that do not bite, runs that are unknown, notes. Empty if nothing.
pub fn remarks(exploration: &Exploration) -> String {
    let mut text = String::new();
    let name = &exploration.scenario;
    for line in exploration.idle_sources() {
        let _ = writeln!(text, "{name}: FAIL: {line}; a fault that changes nothing tests nothing");
    }
    if let Some(outcome) = &exploration.first_unknown {
        let count = exploration.unknown;
        let _ = writeln!(text, "{name}: {count} runs are unknown, first seed {}: {}", outcome.seed, reasons(outcome));
    }
    for note in &exploration.notes {
        let _ = writeln!(text, "{name}: note: {note}");
    }
    text
}

fn reasons(outcome: &Outcome) -> String {
    let reasons: Vec<String> = outcome
        .findings
        .iter()
        .map(|finding| match &finding.verdict {
            Verdict::Pass => finding.check.clone(),
            Verdict::Unknown(why) | Verdict::Fail(why) => format!("{}: {why}", finding.check),
        })
        .collect();
    reasons.join("; ")
}

/// A failure in one line, for all but the first of many.
pub fn failure_line(failure: &Failure) -> String {
    let reason = match failure.standing() {
        Standing::NotDeterministic => "not deterministic".to_owned(),
        _ => reasons(&failure.outcome).replace('\n', " "),
    };
    format!("  seed {}: {reason} ({})", failure.outcome.seed, saved_at(failure))
}

/// All that is to be known of a failure, on one screen; `replay` is the line that runs it once more.
pub fn failure(failure: &Failure, replay: &str) -> String {
    let mut text = String::new();
    let outcome = &failure.outcome;
    let without_faults = match &failure.subject {
        Subject::Control(_) => " (the control: without any fault)",
        _ => "",
    };
    let word = match failure.standing() {
        Standing::Fail => "FAILED",
        Standing::NotDeterministic => "NOT DETERMINISTIC",
        Standing::Unknown => "UNKNOWN",
        Standing::Pass => "PASSES",
    };
    let _ = writeln!(text, "{word}: {}, seed {}{without_faults}\n", outcome.scenario, outcome.seed);
    findings(&mut text, outcome);
    plan(&mut text, failure);
    moments(&mut text, failure);
    output(&mut text, &failure.output);
    determinism(&mut text, failure);
    if !matches!(failure.saved, Ok(None)) {
        let _ = writeln!(text, "case: {}", saved_at(failure));
    }
    let _ = writeln!(text, "replay: {replay}");
    text
}

fn saved_at(failure: &Failure) -> String {
    match &failure.saved {
        Ok(Some(path)) => path.display().to_string(),
        Ok(None) => "not saved".to_owned(),
        Err(error) => format!("could not be saved: {error}"),
    }
}

fn findings(text: &mut String, outcome: &Outcome) {
    for finding in &outcome.findings {
        let why = match &finding.verdict {
            Verdict::Pass => continue,
            Verdict::Unknown(why) => format!("unknown: {why}"),
            Verdict::Fail(why) => why.clone(),
        };
        let mut lines = why.lines();
        let _ = writeln!(text, "  {}: {}", finding.check, lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    if !outcome.findings.is_empty() {
        text.push('\n');
    }
}

fn plan(text: &mut String, failure: &Failure) {
    let faults = &failure.case.plan.faults;
    if faults.is_empty() {
        return;
    }
    let _ = writeln!(text, "plan:");
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let widest = lines.iter().map(|line| width(line)).max().unwrap_or(0);
    for (index, line) in lines.iter().enumerate() {
        let bites = match failure.outcome.fault_bites.get(index) {
            None => "bites not known",
            Some(0) => "did not bite",
            Some(1) => "1 bite",
            Some(bites) => &format!("{bites} bites"),
        };
        let _ = writeln!(text, "  f{:<3} {line}{}  {bites}", index + 1, " ".repeat(widest - width(line)));
    }
    text.push('\n');
}

/// The timeline up to the decisive moment and a little beyond.
fn moments(text: &mut String, failure: &Failure) {
    let Some(recording) = &failure.recording else {
        let _ = writeln!(text, "timeline: none, as the run did not live to tell\n");
        return;
    };
    let decisive = decisive_moment(&failure.outcome);
    let options = TimelineOptions { around: Some(decisive), max_lines: TIMELINE_LINES, ..TimelineOptions::default() };
    let lines = timeline_lines(recording, &options);
    let _ = writeln!(text, "timeline around {} (`--trace` shows all):", duration_text(decisive));
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
}

/// A panic, or the latest time that the broken promise names, or the end of the run.
fn decisive_moment(outcome: &Outcome) -> Duration {
    let of_panic = outcome.panics.first().map(|panic| panic.at);
    let named = || {
        let fail = outcome.findings.iter().find(|finding| finding.verdict.is_fail())?;
        let Verdict::Fail(why) = &fail.verdict else { return None };
        why.split_whitespace().filter_map(time_in).filter(|at| *at <= outcome.simulated).max()
    };
    of_panic.or_else(named).unwrap_or(outcome.simulated)
}

/// Reads a time such as `12.31s` or `300ms` in running text.
fn time_in(word: &str) -> Option<Duration> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let (number, unit) = word.split_at(word.find(|c: char| c.is_alphabetic())?);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "s" => number,
        "ms" => number / 1e3,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn output(text: &mut String, output: &[u8]) {
    if output.is_empty() {
        return;
    }
    let output = String::from_utf8_lossy(output);
    let lines: Vec<&str> = output.lines().collect();
    let left_out = lines.len().saturating_sub(OUTPUT_LINES);
    let _ = writeln!(text, "output of the run:");
    if left_out > 0 {
        let _ = writeln!(text, "  | ({left_out} lines before)");
    }
    for line in &lines[left_out..] {
        let _ = writeln!(text, "  | {line}");
    }
    text.push('\n');
}

fn determinism(text: &mut String, failure: &Failure) {
    let _ = match &failure.repeat {
        Repeat::Same if failure.recording.is_some() => {
            writeln!(text, "deterministic: yes, a second run had the same fingerprint {}", failure.outcome.fingerprint)
        }
        Repeat::Same => writeln!(text, "deterministic: a second run ended in the same way"),
        Repeat::Different(diagnosis) => writeln!(text, "deterministic: NO, {diagnosis}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};

    #[test]
    fn times_are_found_in_running_text() {
        let check = |word: &str, expected| assert_eq!(time_in(word), expected, "{word}");
        check("12.5s", Some(millis(12_500)));
        check("300ms,", Some(millis(300)));
        check("(3s)", Some(secs(3)));
        check("seconds", None);
        check("12", None);
        check("v1.2s3", None);
    }

    #[test]
    fn long_times_are_short() {
        assert_eq!(long_time(secs(59)), "59s");
        assert_eq!(long_time(secs(61)), "1m 01s");
        assert_eq!(long_time(secs(7_260)), "2h 01m");
    }
}
