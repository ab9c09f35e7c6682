//! Where a run parts from the same run without its faults.

use std::time::Duration;

use super::moment::{Moment, Place};
use super::story::moments;
use crate::fault::duration_text;
use crate::run::Recording;

/// The longest text of a moment that is shown, in characters.
const LONGEST: usize = 100;

/// The first thing that went differently than in the run without faults, besides the faults and the lives that they end, as a
/// sentence; `None` if nothing did.
pub(crate) fn first_difference(recording: &Recording, without_faults: &Recording) -> Option<String> {
    let (here, there) = (told(recording), told(without_faults));
    let parts_at = here.iter().zip(&there).take_while(|(here, there)| is_same(here, there)).count();
    let (here, there) = (here.get(parts_at), there.get(parts_at));
    match (here.map(text), there.map(text)) {
        (None, None) => None,
        (Some(here), None) => Some(format!("{here}; without the faults, nothing more happens.")),
        (None, Some(there)) => Some(format!("nothing more happens; without the faults, {there}.")),
        (Some(here), Some(there)) => Some(format!("{here}; without the faults, {there}.")),
    }
}

/// What has a line of its own, without the faults themselves and the beginnings and ends of lives.
fn told(recording: &Recording) -> Vec<Moment> {
    let mut told = moments(recording, None);
    told.retain(|moment| moment.place != Place::World && moment.life.is_none() && !moment.text.is_empty());
    told.sort_by_key(|moment| moment.at);
    told
}

fn is_same(a: &Moment, b: &Moment) -> bool {
    (a.at, a.place, &a.text) == (b.at, b.place, &b.text)
}

fn text(moment: &Moment) -> String {
    let mut line = moment.text.split('\n').next().unwrap_or_default().to_owned();
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    format!("`{line}` at {}", time(moment.at))
}

/// A time as the timeline shows it.
fn time(at: Duration) -> String {
    duration_text(Duration::from_millis(at.as_millis() as u64))
}
