//! Two runs side by side, from where they part.

use std::fmt::Write as _;
use std::time::Duration;

use super::text::count;
use super::timeline::ToldLine;
use crate::fault::{Plan, duration_text};

/// The lines in both runs that are shown before the first that differs, and at each end of a stretch that is folded.
const CONTEXT: usize = 3;
/// The most rows that are shown unless all are asked for.
const MOST_ROWS: usize = 60;
/// The columns of the time and of the sign between the two runs.
const TIME: usize = 11;
const SIGN: usize = 3;

/// One of the two runs.
pub struct Side {
    /// What it is: its scenario, its seed and its verdict.
    pub title: String,
    /// The faults of its plan; `None` if they are not known.
    pub plan: Option<Plan>,
    /// What happened in it, in order of time.
    pub lines: Vec<ToldLine>,
}

/// A row: what happened in the first run, in the second, or in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffRow {
    /// The same in both.
    Both(ToldLine),
    /// Only in the first run.
    Left(ToldLine),
    /// Only in the second run.
    Right(ToldLine),
    /// Something else in each, at the same time.
    Differs(ToldLine, ToldLine),
}

impl DiffRow {
    /// When it happened.
    pub fn at(&self) -> Duration {
        match self {
            DiffRow::Both(line) | DiffRow::Left(line) | DiffRow::Right(line) | DiffRow::Differs(line, _) => line.at,
        }
    }

    /// Whether both runs have it.
    pub fn is_common(&self) -> bool {
        matches!(self, DiffRow::Both(_))
    }

    /// The first run's line, a sign, and the second run's line.
    pub(super) fn cells(&self) -> (String, &'static str, String) {
        match self {
            DiffRow::Both(line) => (line.to_string(), "=", line.to_string()),
            DiffRow::Left(line) => (line.to_string(), "<", String::new()),
            DiffRow::Right(line) => (String::new(), ">", line.to_string()),
            DiffRow::Differs(left, right) => (left.to_string(), "|", right.to_string()),
        }
    }
}

/// The rows of two runs, whose lines are in order of time.
pub fn diff_rows(left: &[ToldLine], right: &[ToldLine]) -> Vec<DiffRow> {
    let (mut rows, mut i, mut j) = (Vec::new(), 0, 0);
    // Whether a line comes later at the same time.
    let comes =
        |line: &ToldLine, others: &[ToldLine]| others.iter().take_while(|it| it.at == line.at).any(|it| it == line);
    while i < left.len() || j < right.len() {
        let row = match (left.get(i), right.get(j)) {
            (Some(a), Some(b)) if a == b => DiffRow::Both(a.clone()),
            (Some(a), Some(b)) if a.at == b.at && comes(a, &right[j..]) => DiffRow::Right(b.clone()),
            (Some(a), Some(b)) if a.at == b.at && comes(b, &left[i..]) => DiffRow::Left(a.clone()),
            (Some(a), Some(b)) if a.at == b.at => DiffRow::Differs(a.clone(), b.clone()),
            (Some(a), Some(b)) if a.at < b.at => DiffRow::Left(a.clone()),
            (_, Some(b)) => DiffRow::Right(b.clone()),
            (Some(a), None) => DiffRow::Left(a.clone()),
            (None, None) => break,
        };
        i += usize::from(!matches!(row, DiffRow::Right(_)));
        j += usize::from(!matches!(row, DiffRow::Left(_)));
        rows.push(row);
    }
    rows
}

/// What the two runs are, and the faults that only one of them has.
pub(super) fn heads(left: &Side, right: &Side) -> Vec<String> {
    let mut lines = vec![format!("A  {}", left.title), format!("B  {}", right.title)];
    if let (Some(a), Some(b)) = (&left.plan, &right.plan) {
        let only = |name: &str, own: &Plan, other: &Plan| {
            let faults = own.faults.iter().filter(|fault| !other.faults.contains(fault)).map(ToString::to_string);
            let faults: Vec<String> = faults.collect();
            (!faults.is_empty()).then(|| format!("faults only in {name}: {}", faults.join("; ")))
        };
        lines.extend(only("A", a, b).into_iter().chain(only("B", b, a)));
    }
    lines
}

/// Where the runs part, in words.
pub(super) fn parting(rows: &[DiffRow]) -> String {
    match rows.iter().position(|row| !row.is_common()) {
        None => format!("the runs are the same ({} in both)", count(rows.len(), "line")),
        Some(0) => "the runs differ from their first line on".to_owned(),
        Some(common) => {
            let at = duration_text(rows[common].at());
            format!("the runs are the same until {at} ({} in both)", count(common, "line"))
        }
    }
}

/// The two runs side by side in so many columns. Stretches in which they are the same are folded; without `is_whole`, only the
/// first rows from where they part are shown.
pub fn diff_text(left: &Side, right: &Side, columns: usize, is_whole: bool) -> String {
    let rows = diff_rows(&left.lines, &right.lines);
    let mut text = heads(left, right).join("\n");
    let _ = write!(text, "\n{}\n", parting(&rows));
    let Some(first) = rows.iter().position(|row| !row.is_common()) else { return text };
    let width = columns.saturating_sub(TIME + 2 + SIGN).max(40) / 2;
    let _ = write!(text, "\n{:>TIME$}  {:<width$} {:^SIGN$} B\n", "time", "A", "");
    let shown = &rows[first.saturating_sub(CONTEXT)..];
    let limit = if is_whole { usize::MAX } else { MOST_ROWS };
    let (mut place, mut drawn) = (0, 0);
    while place < shown.len() && drawn < limit {
        let same = shown[place..].iter().take_while(|row| row.is_common()).count();
        if same > 2 * CONTEXT + 1 {
            shown[place..place + CONTEXT].iter().for_each(|row| draw(&mut text, row, width));
            let _ = writeln!(text, "{:>TIME$}  {} in both", "…", count(same - 2 * CONTEXT, "line"));
            place += same - CONTEXT;
            drawn += CONTEXT + 1;
            continue;
        }
        draw(&mut text, &shown[place], width);
        place += 1;
        drawn += 1;
    }
    if place < shown.len() {
        let _ = writeln!(text, "{:>TIME$}  {} (`--all` shows them)", "…", count(shown.len() - place, "more row"));
    }
    text
}

fn draw(text: &mut String, row: &DiffRow, width: usize) {
    let (left, sign, right) = row.cells();
    let (left, right) = (clipped(&left, width), clipped(&right, width));
    let at = format!("{:.3}s", row.at().as_secs_f64());
    let line = format!("{at:>TIME$}  {left:<width$} {sign:^SIGN$} {right}");
    let _ = writeln!(text, "{}", line.trim_end());
}

fn clipped(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(told: &str) -> Vec<ToldLine> {
        let line = |word: &str| {
            let (at, text) = word.split_once(':').unwrap();
            let at = Duration::from_secs(at.parse().unwrap());
            ToldLine { at, place: "a".to_owned(), text: text.to_owned() }
        };
        told.split_whitespace().map(line).collect()
    }

    fn signs(left: &str, right: &str) -> String {
        diff_rows(&lines(left), &lines(right)).iter().map(|row| row.cells().1).collect()
    }

    #[test]
    fn lines_stand_beside_each_other_by_time() {
        assert_eq!(signs("1:x 2:y", "1:x 2:y"), "==");
        assert_eq!(signs("1:x 2:y 4:z", "1:x 3:y 4:z"), "=<>=");
        assert_eq!(signs("1:x", "1:y"), "|");
        assert_eq!(signs("1:x 1:y", "1:y"), "<=");
        assert_eq!(signs("1:y", "1:x 1:y"), ">=");
        assert_eq!(signs("", "1:x 2:y"), ">>");
        assert_eq!(signs("1:x 2:y", ""), "<<");
        assert_eq!(signs("1:x 1:y 2:z", "1:y 1:x 2:z"), ">=<=");
    }

    #[test]
    fn what_is_the_same_is_folded_and_the_rest_is_cut() {
        let side = |told: &str| Side { title: "run".to_owned(), plan: None, lines: lines(told) };
        let common: String = (2..40).map(|at| format!("{at}:same ")).collect();
        let (left, right) = (side(&format!("1:x {common} 50:y")), side(&format!("1:z {common}")));
        let text = diff_text(&left, &right, 80, false);
        assert!(text.contains("the runs differ from their first line on"), "{text}");
        assert!(text.contains("…  32 lines in both\n"), "{text}");
        assert!(text.contains("50.000s  a: y") && !text.contains("more row"), "{text}");
        let many: String = (1..200).map(|at| format!("{at}:x ")).collect();
        let text = diff_text(&side(&many), &side(""), 80, false);
        assert!(text.ends_with("…  139 more rows (`--all` shows them)\n"), "{text}");
        assert!(!diff_text(&side(&many), &side(""), 80, true).contains("more row"));
        assert!(diff_text(&left, &left, 80, false).ends_with("the runs are the same (40 lines in both)\n"));
    }
}
