//! Draws the lanes of a timeline: one narrow lane for each host, with arrows from lane to lane.

use super::moment::{Life, Line, Moment, Place};
use crate::trace::HostId;

/// The longest text beside the lanes, in characters, as timelines are read side by side.
const LONGEST_TEXT: usize = 140;

/// The two lines that name the lanes.
pub(super) fn header(hosts: &[String]) -> Vec<String> {
    let letters = (0..hosts.len()).map(|lane| format!("{} ", letter(lane))).collect::<String>();
    let names: Vec<String> = hosts.iter().enumerate().map(|(lane, name)| format!("{} {name}", letter(lane))).collect();
    vec![format!("lanes: {}", names.join(", ")), format!("{:>10}  {letters}", "time").trim_end().to_owned()]
}

fn letter(lane: usize) -> char {
    char::from_digit(10 + (lane % 26) as u32, 36).unwrap_or('?')
}

/// Draws moments, which must be in order. A lane is a line while its host's program runs, and dotted while it does not.
pub(super) fn draw(hosts: &[String], moments: Vec<Moment>) -> Vec<Line> {
    let mut alive = vec![false; hosts.len()];
    let mut lines = Vec::with_capacity(moments.len());
    for moment in moments {
        if let (Some(life), Place::On(host)) = (moment.life, moment.place)
            && let Some(alive) = alive.get_mut(host.index())
        {
            *alive = life == Life::Begins;
        }
        if moment.text.is_empty() {
            continue;
        }
        let Moment { at, weight, category, place, life, text } = moment;
        let text = one_line(&text);
        let (lanes, lanes_alone) = (lanes(&alive, place, life), self::lanes(&alive, Place::World, None));
        lines.push(Line { at, weight, category, lanes, lanes_alone, text });
    }
    lines
}

fn one_line(text: &str) -> String {
    let mut text = text.replace(['\n', '\r'], " ").trim_end().to_owned();
    if let Some((cut, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

fn lanes(alive: &[bool], place: Place, life: Option<Life>) -> String {
    let mut cells: Vec<[char; 2]> = alive.iter().map(|alive| [if *alive { '│' } else { '·' }, ' ']).collect();
    let lane = |host: HostId| (host.index() < alive.len()).then(|| host.index());
    match place {
        Place::World => {}
        Place::On(host) => {
            let glyph = match life {
                None => '●',
                Some(Life::Begins) => '▲',
                Some(Life::Ends) => '✕',
            };
            if let Some(lane) = lane(host) {
                cells[lane][0] = glyph;
            }
        }
        Place::Between { from, to } => {
            if let (Some(from), Some(to)) = (lane(from), lane(to)) {
                for (cell, is_alive) in cells.iter_mut().zip(alive).take(from.max(to)).skip(from.min(to)) {
                    *cell = [if *is_alive { '┼' } else { '─' }, '─'];
                }
                cells[to][0] = if to > from { '▶' } else { '◀' };
                cells[from][0] = '●';
            }
        }
    }
    cells.into_iter().flatten().collect()
}
