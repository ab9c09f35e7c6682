//! The semantic timeline of a run, with one lane for each host. Ids are stable (requests are numbered as they are sent)
//! and there are no ports and no bytes, so that two versions of a timeline can be compared.

mod condense;
mod lanes;
mod moment;
mod parting;
mod requests;
mod story;
mod streams;
mod told;

use std::time::Duration;

use crate::history::Operation;
use crate::run::Recording;

pub(crate) use parting::first_difference;
pub use told::{ToldLine, told, told_of_lines};

/// The part of a timeline that is shown, and its largest length.
#[derive(Clone, Debug, Default)]
pub struct TimelineOptions {
    /// The virtual time at which it begins.
    pub from: Option<Duration>,
    /// The virtual time at which it ends.
    pub until: Option<Duration>,
    /// The virtual time to stay close to: if lines must be left out, those farthest from it go first.
    pub around: Option<Duration>,
    /// With `around`, what happened at this time is shown, too, however far away it is.
    pub since: Option<Duration>,
    /// The operation whose end is never left out, if any.
    pub operation: Option<Operation>,
    /// The largest number of lines, without the two of the header; 0 for no limit.
    pub max_lines: usize,
}

/// The timeline as text, with a header that names the lanes.
///
/// If it is too long, routine lines are left out first (each gap says what it held), then retries and log lines.
/// Faults, deaths, changes of health or breakers, and failures that a client saw are kept as far as they fit.
pub fn timeline(recording: &Recording, options: &TimelineOptions) -> String {
    let mut text = timeline_lines(recording, options).join("\n");
    text.push('\n');
    text
}

/// The lines of [`timeline`].
pub(crate) fn timeline_lines(recording: &Recording, options: &TimelineOptions) -> Vec<String> {
    let moments = story::moments(recording, options.operation.as_ref());
    let lanes = lanes::Lanes::of(&recording.hosts, &moments);
    let mut lines = lanes.draw(moments);
    lines.retain(|line| options.from.is_none_or(|from| line.at >= from));
    lines.retain(|line| options.until.is_none_or(|until| line.at <= until));
    let limit = if options.max_lines == 0 { usize::MAX } else { options.max_lines };
    let mut text = lanes.header();
    text.extend(condense::fit(&lines, limit, options.around.map(|around| (around, options.since))));
    text
}

#[cfg(test)]
mod tests;
