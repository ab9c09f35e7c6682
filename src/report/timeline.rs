//! The semantic timeline of a run: what a person wants to see of it, in lanes by host. Ids are stable (requests are
//! numbered as they are sent), and there are no ports and no bytes, so that two versions can be compared.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use crate::fault::duration_text;
use crate::history::{Completion, Operation};
use crate::run::Recording;
use crate::trace::{AttemptOutcome, Event, FlowKey, HostId, Mark, Record};

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

/// How much a line matters when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A request or answer as it should be.
    Routine,
    /// A retry, a refusal, a line of a log.
    Notable,
    /// A fault, a death, a change of mind, a failure that a client saw.
    Decisive,
}

struct Line {
    at: Duration,
    weight: Weight,
    lanes: String,
    text: String,
}

/// The timeline as text, with a header that names the lanes.
pub fn timeline(recording: &Recording, options: &TimelineOptions) -> String {
    let mut text = timeline_lines(recording, options).join("\n");
    text.push('\n');
    text
}

/// The lines of [`timeline`].
pub(crate) fn timeline_lines(recording: &Recording, options: &TimelineOptions) -> Vec<String> {
    let mut lines = Drawing::of(recording).lines;
    lines.retain(|line| options.from.is_none_or(|from| line.at >= from));
    lines.retain(|line| options.until.is_none_or(|until| line.at <= until));
    let mut text = header(&recording.hosts);
    let limit = if options.max_lines == 0 { usize::MAX } else { options.max_lines };
    text.extend(fit(lines, limit, options.around));
    text
}

fn header(hosts: &[String]) -> Vec<String> {
    let letters = (0..hosts.len()).map(|lane| format!("{} ", letter(lane))).collect::<String>();
    let names: Vec<String> = hosts.iter().enumerate().map(|(lane, name)| format!("{} {name}", letter(lane))).collect();
    vec![format!("lanes: {}", names.join(", ")), format!("{:>10}  {letters}", "time").trim_end().to_owned()]
}

fn letter(lane: usize) -> char {
    char::from_digit(10 + (lane % 26) as u32, 36).unwrap_or('?')
}

/// Draws events into lanes.
struct Drawing<'a> {
    recording: &'a Recording,
    alive: Vec<bool>,
    /// Requests on each connection that have no answer yet: number, words, and whether it is a health probe.
    open: BTreeMap<FlowKey, VecDeque<(u64, String, bool)>>,
    requests: u64,
    lines: Vec<Line>,
}

impl Drawing<'_> {
    fn of(recording: &Recording) -> Drawing<'_> {
        let alive = vec![false; recording.hosts.len()];
        let mut drawing = Drawing { recording, alive, open: BTreeMap::new(), requests: 0, lines: Vec::new() };
        // Fates are recorded at the end of a step, with the time at which they were decided upon.
        let mut records: Vec<&Record> = recording.records.iter().collect();
        records.sort_by_key(|record| record.at);
        let mut ends: VecDeque<(Duration, &Operation)> = recording
            .history
            .operations
            .iter()
            .filter_map(|operation| Some((operation.completed.as_ref()?.0, operation)))
            .collect();
        ends.make_contiguous().sort_by_key(|(at, _)| *at);
        for record in records {
            while ends.front().is_some_and(|(at, _)| *at < record.at) {
                let (at, operation) = ends.pop_front().expect("there is a first");
                drawing.operation_ended(at, operation);
            }
            drawing.record(record);
        }
        for (at, operation) in ends {
            drawing.operation_ended(at, operation);
        }
        drawing
    }

    fn add(&mut self, at: Duration, weight: Weight, host: Option<HostId>, text: String) {
        let lanes = self.lanes(host, None);
        self.lines.push(Line { at, weight, lanes, text });
    }

    fn lanes(&self, host: Option<HostId>, to: Option<HostId>) -> String {
        let mut cells: Vec<[char; 2]> = self.alive.iter().map(|alive| [if *alive { '│' } else { '·' }, ' ']).collect();
        let lane = |id: Option<HostId>| id.map(HostId::index).filter(|lane| *lane < cells.len());
        let (from, to) = (lane(host), lane(to));
        if let (Some(from), Some(to)) = (from, to) {
            for cell in &mut cells[from.min(to)..from.max(to)] {
                *cell = ['─', '─'];
            }
            cells[to][0] = if to > from { '▶' } else { '◀' };
        }
        if let Some(from) = from {
            cells[from][0] = '●';
        }
        cells.into_iter().flatten().collect()
    }

    fn name(&self, host: HostId) -> &str {
        self.recording.hosts.get(host.index()).map_or("?", String::as_str)
    }

    fn record(&mut self, record: &Record) {
        let Record { at, host, event, text } = record;
        let who = host.map(|host| self.name(host).to_owned()).unwrap_or_default();
        let words = text.clone().unwrap_or_default();
        match event {
            Event::Started => {
                self.set_alive(*host, true);
                // Everybody starts at the beginning; later starts are news.
                if !at.is_zero() {
                    self.add(*at, Weight::Decisive, *host, format!("{who} starts"));
                }
            }
            Event::Returned => self.ends(*at, *host, format!("{who} returns")),
            Event::Failed => self.ends(*at, *host, format!("{who} fails: {words}")),
            Event::Killed => self.ends(*at, *host, format!("{who} is killed")),
            Event::PoweredOff => self.ends(*at, *host, format!("{who} loses power")),
            Event::Stopping => self.add(*at, Weight::Decisive, *host, format!("{who} is asked to stop")),
            Event::FaultBegan { fault } => {
                self.add(*at, Weight::Decisive, None, format!("f{} begins: {words}", fault + 1));
            }
            Event::FaultEnded { fault } => self.add(*at, Weight::Decisive, None, format!("f{} ends", fault + 1)),
            Event::FaultsOver => self.add(*at, Weight::Decisive, None, "the faults are over".to_owned()),
            Event::Sent { flow, forward: true, .. } if text.is_some() => self.request(*at, *flow, words),
            Event::Sent { flow, forward: false, .. } if text.is_some() => self.answer(*at, *flow, &words),
            Event::Mark(mark) => self.mark(*at, *host, mark),
            Event::Log { .. } => self.add(*at, Weight::Notable, *host, format!("{who} logs {words}")),
            Event::Sent { .. } | Event::Arrived { .. } | Event::Bitten { .. } => {}
        }
    }

    fn set_alive(&mut self, host: Option<HostId>, is_alive: bool) {
        if let Some(alive) = host.and_then(|host| self.alive.get_mut(host.index())) {
            *alive = is_alive;
        }
    }

    fn ends(&mut self, at: Duration, host: Option<HostId>, text: String) {
        self.add(at, Weight::Decisive, host, text);
        self.set_alive(host, false);
    }

    fn request(&mut self, at: Duration, flow: FlowKey, words: String) {
        self.requests += 1;
        let is_probe = words == "GET /health";
        if !is_probe {
            let lanes = self.lanes(Some(flow.from), Some(flow.to));
            let text = format!("r{} {words}", self.requests);
            self.lines.push(Line { at, weight: Weight::Routine, lanes, text });
        }
        self.open.entry(flow).or_default().push_back((self.requests, words, is_probe));
    }

    fn answer(&mut self, at: Duration, flow: FlowKey, words: &str) {
        let Some((number, request, is_probe)) = self.open.get_mut(&flow).and_then(VecDeque::pop_front) else { return };
        let is_good = words.starts_with('2');
        if is_probe && is_good {
            return;
        }
        let lanes = self.lanes(Some(flow.to), Some(flow.from));
        let weight = if is_good { Weight::Routine } else { Weight::Notable };
        let text = if is_good { format!("r{number} {words}") } else { format!("r{number} {words} (to {request})") };
        self.lines.push(Line { at, weight, lanes, text });
    }

    fn mark(&mut self, at: Duration, host: Option<HostId>, mark: &Mark) {
        let who = host.map(|host| self.name(host).to_owned()).unwrap_or_default();
        let (weight, text) = match mark {
            Mark::HealthChanged { to, healthy } => {
                let belief = if *healthy { "healthy" } else { "dead" };
                (Weight::Decisive, format!("{who} believes {} {belief}", self.name(*to)))
            }
            Mark::BreakerChanged { open } => {
                (Weight::Decisive, format!("{who} {} its breaker", if *open { "opens" } else { "closes" }))
            }
            Mark::AttemptEnded { outcome: AttemptOutcome::Status(..500), .. } => return,
            Mark::AttemptEnded { attempt, outcome, .. } => {
                let how = match outcome {
                    AttemptOutcome::Status(status) => format!("is answered with {status}"),
                    AttemptOutcome::TimedOut => "times out".to_owned(),
                    AttemptOutcome::Refused => "is refused".to_owned(),
                    AttemptOutcome::Failed => "breaks".to_owned(),
                };
                (Weight::Notable, format!("attempt {attempt} of {who} {how}"))
            }
            Mark::Ready(false) => (Weight::Notable, format!("{who} is not ready any more")),
            Mark::Note { name, detail } => (Weight::Notable, format!("{who}: {name} {detail}")),
            _ => return,
        };
        self.add(at, weight, host, text.trim_end().to_owned());
    }

    fn operation_ended(&mut self, at: Duration, operation: &Operation) {
        let (word, why) = match &operation.completed {
            Some((_, Completion::Fail(why))) => ("fails", why),
            Some((_, Completion::Unknown(why))) => ("ends unknown", why),
            _ => return,
        };
        let took = duration_text(at - operation.invoked_at);
        let text = format!("{} of client {} {word} after {took}: {why}", operation.name, operation.client);
        self.add(at, Weight::Decisive, Some(operation.host), text);
    }
}

/// As many lines as are allowed: routine goes first, then what is notable, then what is far away.
fn fit(lines: Vec<Line>, limit: usize, around: Option<Duration>) -> Vec<String> {
    if lines.len() <= limit {
        return lines.iter().map(draw).collect();
    }
    if let Some(around) = around {
        return nearest(&lines, limit, around);
    }
    for weight in [Weight::Notable, Weight::Decisive] {
        let text = condense(&lines, weight, limit);
        if text.len() <= limit {
            return text;
        }
    }
    let decisive: Vec<Line> = lines.into_iter().filter(|line| line.weight == Weight::Decisive).collect();
    let left_out = decisive.len().saturating_sub(limit - 1);
    let mut text: Vec<String> = decisive.iter().take(limit - 1).map(draw).collect();
    if left_out > 0 {
        text.push(format!("{:>10}  … {left_out} lines more", ""));
    }
    text
}

fn nearest(lines: &[Line], limit: usize, around: Duration) -> Vec<String> {
    let after = lines.partition_point(|line| line.at <= around);
    // Two thirds of what is shown led to the moment.
    let start = after.saturating_sub(limit * 2 / 3).min(lines.len().saturating_sub(limit));
    lines[start..].iter().take(limit).map(draw).collect()
}

/// Keeps lines of at least this weight, and the first of the others as far as there is room.
fn condense(lines: &[Line], weight: Weight, limit: usize) -> Vec<String> {
    let heavy = lines.iter().filter(|line| line.weight >= weight).count();
    // A gap is one line itself, and there is at most one before each heavy line and one at the end.
    let mut room = limit.saturating_sub(2 * heavy + 1);
    let mut text = Vec::new();
    let mut skipped = 0;
    for line in lines {
        if line.weight < weight && room == 0 {
            skipped += 1;
            continue;
        }
        if line.weight < weight {
            room -= 1;
        }
        flush(&mut text, &mut skipped);
        text.push(draw(line));
    }
    flush(&mut text, &mut skipped);
    text
}

fn flush(text: &mut Vec<String>, skipped: &mut usize) {
    if *skipped > 0 {
        text.push(format!("{:>10}  … {skipped} lines of traffic", ""));
        *skipped = 0;
    }
}

fn draw(line: &Line) -> String {
    format!("{:>9.3}s  {} {}", line.at.as_secs_f64(), line.lanes, line.text).trim_end().to_owned()
}
