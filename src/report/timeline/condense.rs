//! Fits a timeline into a number of lines: the least important lines are left out first, and each gap says what it
//! held.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::moment::{Category, Line, Weight};

/// The number of routine lines that are kept before the moment that a timeline shows.
const ROUTINE_BEFORE: usize = 8;
/// The number of routine lines that are kept after it.
const ROUTINE_AFTER: usize = 3;
/// Lines that differ in numbers only are folded if there are more of them than this.
const REPEATED: usize = 2;
/// The numbers of lines to keep besides the important ones, from the most to the least: lines at the beginning of a
/// run, which show how the system works, and notable lines in each gap.
const ROOMS: [(usize, usize); 8] = [(24, 6), (20, 4), (16, 3), (16, 2), (12, 1), (12, 0), (6, 0), (0, 0)];

/// At most `limit` lines: all of them, or the most important ones, or those nearest to the first time of `around`, with what
/// happened at the second.
pub(super) fn fit(lines: &[Line], limit: usize, around: Option<(Duration, Option<Duration>)>) -> Vec<String> {
    if lines.len() <= limit {
        return lines.iter().map(draw).collect();
    }
    if let Some((around, since)) = around {
        return nearest(lines, limit, around, since);
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

/// The lines that lead to a moment and those that directly follow it. What changed the state of the system, and its first
/// symptom, stand wherever they are; of lines that repeat each other, the first and the last; and no routine lines that
/// are farther away.
fn nearest(lines: &[Line], limit: usize, around: Duration, since: Option<Duration>) -> Vec<String> {
    let after = lines.partition_point(|line| line.at <= around);
    // The distance from the moment in lines: three quarters of them lead to it.
    let distance = |index: usize| if index < after { after - 1 - index } else { (index - after + 1) * 3 };
    let mut ranks = ranks(lines, after);
    let is_beginning = |line: &Line| Some(line.at) == since;
    for (rank, line) in ranks.iter_mut().zip(lines) {
        if is_beginning(line) {
            *rank = Rank::Standing;
        }
    }
    let of_rank = |rank: Rank| {
        let mut places: Vec<usize> = (0..lines.len()).filter(|index| ranks[*index] == rank).collect();
        places.sort_by_key(|index| distance(*index));
        places
    };
    // Half of the lines are for what led to the moment itself.
    let mut standing = of_rank(Rank::Standing);
    standing.sort_by_key(|index| lines[*index].category != Category::Breach && !is_beginning(&lines[*index]));
    standing.truncate(limit / 2);
    let order: Vec<usize> = standing.iter().copied().chain(of_rank(Rank::Near)).collect();
    // Each kept line may also cost a gap before it, so the number of lines that fit is found by trying.
    for kept in (0..=order.len().min(limit)).rev() {
        let kept: BTreeSet<usize> = order[..kept].iter().copied().collect();
        let mut index = 0;
        let text = keep(lines, |_| {
            index += 1;
            kept.contains(&(index - 1))
        });
        // A gap at either end says nothing that leads to the moment.
        let is_gap = |kept: Option<&Kept>| kept.is_some_and(|kept| kept.holds > 0);
        let (start, end) = (usize::from(is_gap(text.first())), text.len() - usize::from(is_gap(text.last())));
        if start < end && end - start <= limit {
            return text.into_iter().take(end).skip(start).map(|kept| kept.text).collect();
        }
    }
    Vec::new()
}

/// How much a line is worth around a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// A change of the system's state before the moment, or its first symptom.
    Standing,
    /// Any other line that is worth showing if it is near enough.
    Near,
    /// Never shown: a repetition, or routine that is far away.
    Hidden,
}

/// The rank of each line; those from `after` on follow the moment.
fn ranks(lines: &[Line], after: usize) -> Vec<Rank> {
    let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.weight > Weight::Routine) {
        shapes.entry(shape(&line.text)).or_default().push(index);
    }
    let mut repeats = vec![false; lines.len()];
    for places in shapes.values().filter(|places| places.len() > REPEATED) {
        // The last one before the moment, or the last one of all, shows that it goes on.
        let last = places.iter().rfind(|place| **place < after).or(places.last()).copied();
        for place in &places[1..] {
            repeats[*place] = Some(*place) != last;
        }
    }
    let is_change = |line: &Line| line.weight == Weight::Decisive && line.category == Category::Other;
    let symptom = lines.iter().position(|line| match line.category {
        Category::Operation | Category::Breach => line.weight == Weight::Decisive,
        Category::Attempt => line.weight >= Weight::Notable,
        _ => false,
    });
    let routine: Vec<usize> = (0..lines.len()).filter(|index| lines[*index].weight == Weight::Routine).collect();
    let middle = routine.partition_point(|index| *index < after);
    let near = middle.saturating_sub(ROUTINE_BEFORE)..(middle + ROUTINE_AFTER).min(routine.len());
    let near: BTreeSet<usize> = routine[near].iter().copied().collect();
    let rank = |(index, line): (usize, &Line)| match line.weight {
        _ if Some(index) == symptom || line.category == Category::Breach => Rank::Standing,
        _ if repeats[index] => Rank::Hidden,
        _ if index < after && is_change(line) => Rank::Standing,
        Weight::Routine if !near.contains(&index) => Rank::Hidden,
        Weight::Routine | Weight::Notable | Weight::Decisive => Rank::Near,
    };
    lines.iter().enumerate().map(rank).collect()
}

/// The text of a line without its numbers: lines of one shape repeat each other.
fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for c in text.chars() {
        match (c.is_ascii_digit(), shape.ends_with('#')) {
            (true, true) => {}
            (true, false) => shape.push('#'),
            (false, _) => shape.push(c),
        }
    }
    shape
}

/// A line that is shown.
struct Kept {
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
            text.push(Kept { text: draw(line), holds: 0 });
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
    text.push(Kept { text: drawn, holds: gap.len() });
    gap.clear();
}

/// The content of a gap in words.
fn contents(lines: &[&Line]) -> String {
    let first = shape(&lines[0].text);
    if lines[0].weight > Weight::Routine && lines.iter().all(|line| shape(&line.text) == first) {
        return format!("{} more like it", lines.len());
    }
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
