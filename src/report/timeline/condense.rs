//! Fits a timeline into a number of lines: the least important lines are left out first, and each gap says what it
//! held.

use std::time::Duration;

use super::moment::{Category, Line, Weight};

/// The number of routine lines that are kept before the moment that a timeline shows.
const ROUTINE_BEFORE: usize = 8;
/// The number of routine lines that are kept after it.
const ROUTINE_AFTER: usize = 3;
/// The numbers of lines to keep besides the important ones, from the most to the least: lines at the beginning of a
/// run, which show how the system works, and notable lines in each gap.
const ROOMS: [(usize, usize); 8] = [(24, 6), (20, 4), (16, 3), (16, 2), (12, 1), (12, 0), (6, 0), (0, 0)];

/// At most `limit` lines: all of them, or the most important ones, or those nearest to `around`.
pub(super) fn fit(lines: &[Line], limit: usize, around: Option<Duration>) -> Vec<String> {
    if lines.len() <= limit {
        return lines.iter().map(draw).collect();
    }
    if let Some(around) = around {
        return nearest(lines, limit, around);
    }
    for weight in [Weight::Notable, Weight::Decisive] {
        for (beginning, share) in ROOMS {
            let text = keep(lines, choose(weight, beginning, share));
            if text.len() <= limit {
                return text.into_iter().map(|kept| kept.text).collect();
            }
        }
    }
    let mut text = keep(lines, choose(Weight::Decisive, 0, 0));
    let left_out = drop_short_gaps(&mut text, limit.saturating_sub(1));
    let cut = text.len().saturating_sub(limit.saturating_sub(1));
    text.truncate(text.len() - cut);
    let mut text: Vec<String> = text.into_iter().map(|kept| kept.text).collect();
    text.push(match cut {
        0 => format!("{:>10}  … and {left_out} lines in gaps that are not shown", ""),
        _ => format!("{:>10}  … {cut} more lines", ""),
    });
    text
}

/// Leaves out the shortest gaps until the rest fits. Returns the number of lines that they held.
fn drop_short_gaps(text: &mut Vec<Kept>, limit: usize) -> usize {
    let mut gaps: Vec<usize> = text.iter().map(|kept| kept.holds).filter(|holds| *holds > 0).collect();
    gaps.sort_unstable();
    let excess = text.len().saturating_sub(limit).min(gaps.len());
    let Some(longest) = excess.checked_sub(1).map(|last| gaps[last]) else { return 0 };
    let mut left_out = 0;
    text.retain(|kept| {
        let is_short = (1..=longest).contains(&kept.holds);
        left_out += if is_short { kept.holds } else { 0 };
        !is_short
    });
    left_out
}

/// A choice of lines: those of at least this weight, the first ones of the run, and some notable ones in each gap.
fn choose(weight: Weight, mut beginning: usize, share: usize) -> impl FnMut(&Line) -> bool {
    let mut in_this_gap = 0;
    move |line| {
        if line.weight >= weight {
            in_this_gap = 0;
            return true;
        }
        if beginning > 0 {
            beginning -= 1;
            return true;
        }
        let is_kept = line.weight == Weight::Notable && in_this_gap < share;
        in_this_gap += usize::from(is_kept);
        is_kept
    }
}

/// The lines that lead to a moment and those that directly follow it, without routine lines that are farther away.
fn nearest(lines: &[Line], limit: usize, around: Duration) -> Vec<String> {
    let after = lines.partition_point(|line| line.at <= around);
    let is_routine = |line: &&Line| line.weight == Weight::Routine;
    let routine_after = lines[after..].iter().filter(is_routine).count();
    let routine_before = lines[..after].iter().filter(is_routine).count();
    let first_kept = routine_before.saturating_sub(ROUTINE_BEFORE);
    let last_kept = routine_before + routine_after.min(ROUTINE_AFTER);
    let mut routine = 0;
    let text = keep(lines, |line| {
        if line.weight > Weight::Routine {
            return true;
        }
        routine += 1;
        (first_kept + 1..=last_kept).contains(&routine)
    });
    let end_of_before = text.partition_point(|kept| kept.at <= around);
    // Three quarters of the lines lead to the moment.
    let start = end_of_before.saturating_sub(limit * 3 / 4).min(text.len().saturating_sub(limit));
    text.into_iter().skip(start).take(limit).map(|kept| kept.text).collect()
}

/// A line that is shown.
struct Kept {
    at: Duration,
    text: String,
    /// The number of lines that it stands for, if it is a gap; else 0.
    holds: usize,
}

/// The lines that are kept, with a line for each gap between them.
fn keep(lines: &[Line], mut is_kept: impl FnMut(&Line) -> bool) -> Vec<Kept> {
    let mut text = Vec::new();
    let mut gap: Vec<&Line> = Vec::new();
    for line in lines {
        if is_kept(line) {
            close(&mut text, &mut gap);
            text.push(Kept { at: line.at, text: draw(line), holds: 0 });
        } else {
            gap.push(line);
        }
    }
    close(&mut text, &mut gap);
    text
}

fn close(text: &mut Vec<Kept>, gap: &mut Vec<&Line>) {
    let Some(last) = gap.last() else { return };
    let drawn = match gap.as_slice() {
        // A gap of one line saves nothing.
        [only] => draw(only),
        lines => format!("{:>10}  {} … {}", "", last.lanes_alone, contents(lines)),
    };
    text.push(Kept { at: last.at, text: drawn, holds: gap.len() });
    gap.clear();
}

/// The content of a gap in words.
fn contents(lines: &[&Line]) -> String {
    let count = |category| lines.iter().filter(|line| line.category == category).count();
    let answers = count(Category::Answer);
    let unanswered = count(Category::Request).saturating_sub(answers);
    let counts = [
        (answers, "request answered", "requests answered"),
        (unanswered, "request sent", "requests sent"),
        (count(Category::Operation), "operation ended", "operations ended"),
        (count(Category::Effect), "effect applied", "effects applied"),
        (count(Category::Attempt), "line about attempts", "lines about attempts"),
        (count(Category::Log), "log line", "log lines"),
        (count(Category::Other), "other line", "other lines"),
    ];
    let words = counts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| {
        let word = if *count == 1 { one } else { many };
        format!("{count} {word}")
    });
    words.collect::<Vec<_>>().join(", ")
}

fn draw(line: &Line) -> String {
    format!("{:>9.3}s  {} {}", line.at.as_secs_f64(), line.lanes, line.text).trim_end().to_owned()
}
