//! The evidence that a history is not linearizable: how far an order gets, and which operations cannot come next.

use std::fmt::Debug;

use super::core::Core;
use super::history::{HistoryEntry, TypedHistory};
use super::model::Model;
use super::prepared::Prepared;
use super::search::Furthest;

/// How many operations at the end of an order are shown.
const SHOWN: usize = 8;

/// An operation that cannot come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its position in the history.
    pub operation: usize,
    /// Why it cannot come next.
    pub why: String,
}

/// A history, or a part of one, that no order explains. Operations are positions in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The key of the part; empty if there is only one.
    pub part: String,
    /// All operations of the part.
    pub members: Vec<usize>,
    /// The longest order that was found. No operation that returned can extend it.
    pub order: Vec<usize>,
    /// The state of the object after it.
    pub state: String,
    /// The operation that returned first of those that are not in `order`. It must come before all others, except those
    /// in `stuck` and `unknown`.
    pub must_come: usize,
    /// All operations that returned and that real time allows next, and why they cannot come next. `must_come` is
    /// first.
    pub stuck: Vec<Stuck>,
    /// Operations with unknown outcomes that may take effect here.
    pub unknown: Vec<usize>,
    /// Whether all orders were tried, with and without the unknown operations, so that none gets farther. Otherwise the
    /// search only proved that no order is complete, and another may get farther than this one.
    pub is_exhaustive: bool,
}

impl Violation {
    pub(super) fn new<M: Model>(
        prepared: &Prepared<'_, M>,
        part: String,
        members: Vec<usize>,
        furthest: Furthest,
    ) -> Violation {
        let stuck = furthest.pending.iter().map(|number| {
            let completed = &prepared.completed[*number];
            let (output, state) = (shortened(&completed.output), shortened_text(&furthest.state));
            let why = format!("it cannot return {output} when the state is {state}");
            Stuck { operation: completed.index, why }
        });
        Violation {
            part,
            members,
            stuck: stuck.collect(),
            must_come: prepared.completed[furthest.frontier].index,
            order: furthest.order,
            state: furthest.state,
            unknown: furthest.unknown,
            is_exhaustive: false,
        }
    }

    /// Describes the violation in one line.
    pub fn summary<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>) -> String {
        let (part, ordered, state) = (self.part_text(), self.order.len(), shortened_text(&self.state));
        let next = history.entries().get(self.must_come).map(describe).unwrap_or_default();
        let why = match self.stuck.len() {
            0 | 1 => format!("{next} must come next, but cannot"),
            stuck => format!("one of {stuck} operations must come next, but none can, among them {next}"),
        };
        format!("not linearizable{part}: after {ordered} operations the state is {state}; {why}")
    }

    /// Describes the violation in several lines: the end of the longest order, what cannot come next and why, and the
    /// operations that suffice to show the violation.
    pub fn text<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>, core: Option<&Core>) -> String {
        let entries = history.entries();
        let line = |index: &usize| entries.get(*index).map(describe).unwrap_or_default();
        let mut lines = vec![self.summary(history), String::new()];
        let hidden = self.order.len().saturating_sub(SHOWN);
        lines.push(format!("the longest order, {} operations:", self.order.len()));
        if hidden > 0 {
            lines.push(format!("  … {hidden} earlier operations"));
        }
        lines.extend(self.order[hidden..].iter().map(|index| format!("  {}", line(index))));
        lines.push(format!("  then the state is {}", self.state));
        lines.push(String::new());
        lines.push("operations called before the next return, none of which can come next:".to_owned());
        lines.extend(self.stuck.iter().map(|stuck| format!("  {}: {}", line(&stuck.operation), stuck.why)));
        if !self.is_exhaustive {
            lines.push("  (no order is complete; whether another one gets farther than this was not tried)".to_owned());
        } else if !self.unknown.is_empty() {
            lines.push(format!(
                "  operations with unknown outcomes that were tried here as well: {}",
                self.unknown.len()
            ));
        }
        if let Some(core) = core {
            lines.push(String::new());
            lines.extend(core.lines(line));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn part_text(&self) -> String {
        if self.part.is_empty() { String::new() } else { format!(" (key {})", self.part) }
    }
}

/// Describes an operation: what was called, what it returned, by which process, and when.
pub(in crate::check) fn describe<Op: Debug, Output: Debug>(entry: &HistoryEntry<Op, Output>) -> String {
    let (process, op, call) = (entry.process, shortened(&entry.op), entry.call);
    match &entry.ret {
        Some((ret, output)) => format!("{op} = {} by process {process} (events {call} to {ret})", shortened(output)),
        None => format!("{op} by process {process} (from event {call} on, outcome unknown)"),
    }
}

pub(in crate::check) fn shortened(value: &impl Debug) -> String {
    shortened_text(&format!("{value:?}"))
}

pub(in crate::check) fn shortened_text(text: &str) -> String {
    match text.char_indices().nth(100) {
        None => text.to_owned(),
        // The end says more: it shows what was appended last.
        Some(_) => {
            let chars: Vec<char> = text.chars().collect();
            let end: String = chars[chars.len() - 60..].iter().collect();
            format!("{}…{end}", chars[..39].iter().collect::<String>())
        }
    }
}
