//! Draws the lanes of a timeline: one narrow lane for each host, with arrows from lane to lane.

use std::cmp::Reverse;

use super::moment::{Life, Line, Moment, Place};
use crate::trace::HostId;

/// The longest text beside the lanes, in characters, as timelines are read side by side.
const LONGEST_TEXT: usize = 140;

/// The most lanes that a timeline has: with more of them, no line is readable.
const MOST_LANES: usize = 12;

/// The hosts of a run, and those that have lanes.
pub(super) struct Lanes<'a> {
    hosts: &'a [String],
    shown: Vec<HostId>,
}

impl<'a> Lanes<'a> {
    /// All hosts have lanes, or those to which the most important moments happen.
    pub(super) fn of(hosts: &'a [String], moments: &[Moment]) -> Lanes<'a> {
        let mut shown: Vec<HostId> = (0..hosts.len()).map(|index| HostId(index as u16)).collect();
        if hosts.len() > MOST_LANES {
            // Decisive moments first, then notable ones, then routine ones.
            let mut worth = vec![[0_u32; 3]; hosts.len()];
            for moment in moments {
                let at = match moment.place {
                    Place::World => [None, None],
                    Place::On(host) => [Some(host), None],
                    Place::Between { from, to } => [Some(from), Some(to)],
                };
                for host in at.into_iter().flatten() {
                    if let Some(worth) = worth.get_mut(host.index()) {
                        worth[2 - moment.weight as usize] += u32::from(!moment.text.is_empty());
                    }
                }
            }
            shown.sort_by_key(|host| (Reverse(worth[host.index()]), *host));
            shown.truncate(MOST_LANES);
            shown.sort_unstable();
        }
        Lanes { hosts, shown }
    }

    /// The two lines that name the lanes.
    pub(super) fn header(&self) -> Vec<String> {
        let letters = (0..self.shown.len()).map(|lane| format!("{} ", letter(lane))).collect::<String>();
        let name = |(lane, host): (usize, &HostId)| format!("{} {}", letter(lane), self.hosts[host.index()]);
        let names: Vec<String> = self.shown.iter().enumerate().map(name).collect();
        let hidden = self.hosts.len() - self.shown.len();
        let more = if hidden > 0 { format!(", and {hidden} hosts without a lane") } else { String::new() };
        vec![format!("lanes: {}{more}", names.join(", ")), format!("{:>10}  {letters}", "time").trim_end().to_owned()]
    }

    /// Draws moments, which must be in order. A lane is a line while its host's program runs, and dotted while it does
    /// not.
    pub(super) fn draw(&self, moments: Vec<Moment>) -> Vec<Line> {
        let mut alive = vec![false; self.shown.len()];
        let mut lines = Vec::with_capacity(moments.len());
        for moment in moments {
            if let (Some(life), Place::On(host)) = (moment.life, moment.place)
                && let Some(lane) = self.lane(host)
            {
                alive[lane] = life == Life::Begins;
            }
            if moment.text.is_empty() {
                continue;
            }
            let Moment { at, weight, category, place, life, text } = moment;
            let text = one_line(&self.with_names(place, text));
            let (lanes, lanes_alone) = (self.cells(&alive, place, life), self.cells(&alive, Place::World, None));
            lines.push(Line { at, weight, category, lanes, lanes_alone, text });
        }
        lines
    }

    fn lane(&self, host: HostId) -> Option<usize> {
        self.shown.binary_search(&host).ok()
    }

    /// The text, with the names of hosts that have no lane to show where it happens.
    fn with_names(&self, place: Place, text: String) -> String {
        let is_hidden = |host: HostId| host.index() < self.hosts.len() && self.lane(host).is_none();
        let name = |host: HostId| self.hosts.get(host.index()).map_or("?", String::as_str);
        match place {
            Place::On(host) if is_hidden(host) && !text.contains(name(host)) => format!("{}: {text}", name(host)),
            Place::Between { from, to } if is_hidden(from) || is_hidden(to) => {
                format!("{} to {}: {text}", name(from), name(to))
            }
            _ => text,
        }
    }

    fn cells(&self, alive: &[bool], place: Place, life: Option<Life>) -> String {
        let mut cells: Vec<[char; 2]> = alive.iter().map(|alive| [if *alive { '│' } else { '·' }, ' ']).collect();
        match place {
            Place::World => {}
            Place::On(host) => {
                let glyph = match life {
                    None => '●',
                    Some(Life::Begins) => '▲',
                    Some(Life::Ends) => '✕',
                };
                if let Some(lane) = self.lane(host) {
                    cells[lane][0] = glyph;
                }
            }
            Place::Between { from, to } => match (self.lane(from), self.lane(to)) {
                (Some(from), Some(to)) => {
                    for (cell, is_alive) in cells.iter_mut().zip(alive).take(from.max(to)).skip(from.min(to)) {
                        *cell = [if *is_alive { '┼' } else { '─' }, '─'];
                    }
                    cells[to][0] = if to > from { '▶' } else { '◀' };
                    cells[from][0] = '●';
                }
                (Some(lane), None) | (None, Some(lane)) => cells[lane][0] = '●',
                (None, None) => {}
            },
        }
        cells.into_iter().flatten().collect()
    }
}

fn letter(lane: usize) -> char {
    char::from_digit(10 + (lane % 26) as u32, 36).unwrap_or('?')
}

fn one_line(text: &str) -> String {
    let mut text = text.replace(['\n', '\r'], " ").trim_end().to_owned();
    if let Some((cut, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
