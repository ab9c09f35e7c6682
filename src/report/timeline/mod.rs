//! The semantic timeline of a run: what a person wants to see of it, in lanes by host. Ids are stable (requests are
//! numbered as they are sent), and there are no ports and no bytes, so that two versions can be compared.

mod condense;
mod lanes;
mod moment;
mod requests;
mod story;

use std::time::Duration;

use crate::run::Recording;

/// Which part of a timeline is shown, and how long it may be.
#[derive(Clone, Debug, Default)]
pub struct TimelineOptions {
    /// Nothing before this time.
    pub from: Option<Duration>,
    /// Nothing after this time.
    pub until: Option<Duration>,
    /// If lines must be left out, those farthest from this time go first.
    pub around: Option<Duration>,
    /// At most this many lines, without the two of the header; 0 for no limit.
    pub max_lines: usize,
}

/// The timeline as text, with a header that names the lanes.
///
/// If it would be longer than it may be, routine goes first (each gap says what it held), then retries and log lines;
/// faults, deaths, changes of mind and failures that a client saw are kept for as long as they fit.
pub fn timeline(recording: &Recording, options: &TimelineOptions) -> String {
    let mut text = timeline_lines(recording, options).join("\n");
    text.push('\n');
    text
}

/// The lines of [`timeline`].
pub(crate) fn timeline_lines(recording: &Recording, options: &TimelineOptions) -> Vec<String> {
    let mut lines = lanes::draw(&recording.hosts, story::tell(recording));
    lines.retain(|line| options.from.is_none_or(|from| line.at >= from));
    lines.retain(|line| options.until.is_none_or(|until| line.at <= until));
    let limit = if options.max_lines == 0 { usize::MAX } else { options.max_lines };
    let mut text = lanes::header(&recording.hosts);
    text.extend(condense::fit(&lines, limit, options.around));
    text
}

#[cfg(test)]
mod tests;
