//! What shows that a history is not linearizable: how far an order comes, and what cannot come next. It does not search.

use std::fmt::Debug;

use super::core::Core;
use super::history::{HistoryEntry, TypedHistory};
use super::model::Model;
use super::prepared::Prepared;
use super::search::Furthest;

/// How many operations of an order are told before those that cannot come next.
const TOLD: usize = 8;

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
    /// What the object remembers after it.
    pub state: String,
    /// The operation that must come next: it returned before anything else is called that is not listed here.
    pub must_come: usize,
    /// All operations that returned and may come next by time, and why they cannot. The first must come.
    pub stuck: Vec<Stuck>,
    /// Operations with unknown outcomes that may take effect here.
    pub unknown: Vec<usize>,
    /// Whether all orders were tried, with and without the unknown operations: then none comes farther. Otherwise the
    /// search saw that none comes to the end, and another may come farther than this one.
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

    /// The violation in one line.
    pub fn summary<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>) -> String {
        let (part, ordered, state) = (self.about(), self.order.len(), shortened_text(&self.state));
        let next = history.entries().get(self.must_come).map(words).unwrap_or_default();
        let others = match self.stuck.len() {
            0 | 1 => "it cannot come".to_owned(),
            stuck => format!("neither it nor one of {} others can come", stuck - 1),
        };
        format!("not linearizable{part}: after {ordered} operations the state is {state}; next is {next}, but {others}")
    }

    /// The violation in lines: the end of the longest order, what cannot come next and why, and the operations that
    /// suffice to be wrong.
    pub fn text<Op: Debug, Output: Debug>(&self, history: &TypedHistory<Op, Output>, core: Option<&Core>) -> String {
        let entries = history.entries();
        let line = |index: &usize| entries.get(*index).map(words).unwrap_or_default();
        let mut lines = vec![self.summary(history), String::new()];
        let hidden = self.order.len().saturating_sub(TOLD);
        lines.push(format!("the longest order, {} operations:", self.order.len()));
        if hidden > 0 {
            lines.push(format!("  … {hidden} before"));
        }
        lines.extend(self.order[hidden..].iter().map(|index| format!("  {}", line(index))));
        lines.push(format!("  then the state is {}", self.state));
        lines.push(String::new());
        lines.push("what was called before the next return, and cannot come next:".to_owned());
        lines.extend(self.stuck.iter().map(|stuck| format!("  {}: {}", line(&stuck.operation), stuck.why)));
        if !self.is_exhaustive {
            lines.push(
                "  (no order comes to the end; whether another comes farther than this was not tried)".to_owned(),
            );
        } else if !self.unknown.is_empty() {
            lines.push(format!("  {} with unknown outcomes were tried, too", self.unknown.len()));
        }
        if let Some(core) = core {
            lines.push(String::new());
            lines.extend(core.lines(line));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn about(&self) -> String {
        if self.part.is_empty() { String::new() } else { format!(" (key {})", self.part) }
    }
}

/// An operation in words: who, what, when, with what result.
pub(in crate::check) fn words<Op: Debug, Output: Debug>(entry: &HistoryEntry<Op, Output>) -> String {
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
        // The end says more: what was appended last is there.
        Some(_) => {
            let chars: Vec<char> = text.chars().collect();
            let end: String = chars[chars.len() - 60..].iter().collect();
            format!("{}…{end}", chars[..39].iter().collect::<String>())
        }
    }
}
