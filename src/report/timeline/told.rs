//! The lines of a timeline without lanes: when, where, what.

use std::fmt;
use std::time::Duration;

use super::moment::Place;
use super::story::moments;
use crate::run::Recording;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldLine {
    /// When.
    pub at: Duration,
    /// Where: a host, or two with an arrow between them; empty for the world.
    pub place: String,
    /// What.
    pub text: String,
}

impl fmt::Display for ToldLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some lines name their host themselves.
        match self.text.starts_with(&self.place) {
            true => f.write_str(&self.text),
            false => write!(f, "{}: {}", self.place, self.text),
        }
    }
}

/// All that happened in a run, in order of time.
pub fn told(recording: &Recording) -> Vec<ToldLine> {
    let name = |host: crate::trace::HostId| recording.hosts.get(host.index()).map_or("?", String::as_str);
    let mut told: Vec<ToldLine> = moments(recording, None)
        .into_iter()
        .filter(|moment| !moment.text.is_empty())
        .map(|moment| {
            let place = match moment.place {
                Place::World => String::new(),
                Place::On(host) => name(host).to_owned(),
                Place::Between { from, to } => format!("{} → {}", name(from), name(to)),
            };
            ToldLine { at: moment.at, place, text: moment.text.replace('\n', " ") }
        })
        .collect();
    told.sort_by_key(|line| line.at);
    told
}

/// The lines of a recorded trace, each of which begins with its time in seconds and its host, in order of time.
pub fn told_of_lines<S: AsRef<str>>(lines: &[S]) -> Vec<ToldLine> {
    let line = |line: &S| {
        let (at, rest) = line.as_ref().trim_start().split_once("s ")?;
        let (place, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let at = Duration::try_from_secs_f64(at.parse().ok()?).ok()?;
        let place = if place == "-" { "" } else { place };
        Some(ToldLine { at, place: place.to_owned(), text: text.to_owned() })
    };
    let mut told: Vec<ToldLine> = lines.iter().filter_map(line).collect();
    told.sort_by_key(|line| line.at);
    told
}
