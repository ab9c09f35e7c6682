//! The failure screen: what was broken, what it was shrunk from, why and when it happened, and how to replay it.

use std::fmt::Write as _;
use std::time::Duration;

use console::style;

use super::text::{count, determinism, duration_of, reasons};
use super::timeline::{TimelineOptions, timeline_lines};
use super::why::why_lines;
use crate::check::{Breach, Finding};
use crate::explore::{CaseRef, Exploration, Failure, SeedRange, Size, Status};
use crate::fault::duration_text;
use crate::run::Outcome;

/// The width of the screen, in columns.
const WIDTH: usize = 100;
/// The number of lines of the timeline.
const TIMELINE_LINES: usize = 14;
/// The number of lines of a failing run's output that are shown.
const OUTPUT_LINES: usize = 12;
/// The number of lines of a broken promise's text.
const PROMISE_LINES: usize = 6;
/// The number of operations that are listed; the others are only counted.
const OPERATIONS: usize = 4;
/// The number of faults that are listed, effective ones first; the others are only counted.
const FAULTS: usize = 12;

/// How a screen is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenStyle {
    /// Whether colours are used.
    pub colours: bool,
}

/// The screen of a failure. `replay` is the command that runs it again, and `exploration` is the one that found it.
pub fn screen(failure: &Failure, replay: &str, exploration: Option<&Exploration>, style: ScreenStyle) -> String {
    let mut screen = Screen { text: String::new(), style };
    screen.headline(failure, exploration.map(|exploration| exploration.seeds));
    screen.promises(&failure.outcome);
    screen.size(failure);
    screen.faults(failure);
    screen.operations(failure);
    screen.why(failure);
    screen.timeline(failure);
    screen.output(&failure.output);
    screen.plain(&determinism(failure));
    screen.coverage(exploration);
    screen.files(failure, replay);
    screen.text
}

struct Screen {
    text: String,
    style: ScreenStyle,
}

impl Screen {
    fn title(&self, text: &str) -> String {
        style(text).bold().force_styling(self.style.colours).to_string()
    }

    fn dim(&self, text: &str) -> String {
        style(text).dim().force_styling(self.style.colours).to_string()
    }

    fn line(&mut self, text: &str) {
        let text = console::truncate_str(text.trim_end(), WIDTH, "…");
        let _ = writeln!(self.text, "{text}");
    }

    /// Lines as they are, each truncated at the width of the screen.
    fn plain(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Text that is wrapped between words.
    fn paragraph(&mut self, text: &str, indent: &str, most: usize) {
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(indent)
            .subsequent_indent(indent)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let lines = textwrap::wrap(text, options);
        let count = lines.len();
        for line in lines.into_iter().take(most) {
            self.line(&line);
        }
        if count > most {
            self.line(&format!("{indent}…"));
        }
    }

    fn headline(&mut self, failure: &Failure, seeds: Option<SeedRange>) {
        let word = match failure.status() {
            Status::Fail => "FAILED",
            Status::NotDeterministic => "NOT DETERMINISTIC",
            Status::Unknown => "UNKNOWN",
            Status::Pass => "PASSES",
        };
        let word = style(word).bold().red().force_styling(self.style.colours).to_string();
        let Outcome { scenario, seed, .. } = &failure.outcome;
        let place = match (&failure.case_ref, seeds) {
            (CaseRef::Control(_), _) => " (the control: without any fault)".to_owned(),
            (CaseRef::Seed(_), Some(seeds)) if seeds.count() > 1 => {
                let number = seed.0.saturating_sub(seeds.first().0).saturating_add(1);
                // An endless range has no total.
                match seeds.count() {
                    u64::MAX => format!(" (case {number})"),
                    count => format!(" (case {number} of {count})"),
                }
            }
            _ => String::new(),
        };
        self.line(&format!("{word}: {scenario}, seed {seed}{place}"));
        self.gap();
    }

    fn promises(&mut self, outcome: &Outcome) {
        let mut broken = outcome.findings.iter().filter(|finding| !finding.verdict.is_pass());
        let Some(first) = broken.next() else { return };
        self.line(&format!("  {}", self.title(&first.check)));
        let Some(why) = first.verdict.why() else { return };
        // A check's own name at the start of its text adds nothing.
        let short = first.check.split_once(' ').and_then(|(name, _)| why.strip_prefix(&format!("{name}: ")));
        for line in short.unwrap_or(why).lines().take(PROMISE_LINES) {
            self.paragraph(line, "    ", PROMISE_LINES);
        }
        let is_alike = |finding: &&Finding| finding.verdict.is_fail() == first.verdict.is_fail();
        let others: Vec<&str> = broken.filter(is_alike).map(|finding| finding.check.as_str()).collect();
        if !others.is_empty() {
            self.line(&format!("  also: {}", others.join(", ")));
        }
        self.gap();
    }

    fn size(&mut self, failure: &Failure) {
        if let Some(remark) = failure.remark {
            self.line(&format!("note: {remark}"));
        }
        let Some(found) = &failure.as_found else { return };
        let shrunk = &found.shrunk;
        let (from, to) = (size_text(shrunk.from), size_text(shrunk.to));
        let end = match (shrunk.is_minimal(), shrunk.to.faults) {
            (true, 0) => "no fault is needed",
            (true, _) => "no fault can be left out",
            (false, _) => "stopped at the limit of time or runs",
        };
        let took = duration_of(shrunk.took);
        self.line(&format!("{} from {from}", self.title("shrunk")));
        self.line(&format!("       to {to}: {end} ({}, {took})", count(shrunk.runs, "run")));
    }

    fn faults(&mut self, failure: &Failure) {
        let faults = &failure.case.plan.faults;
        if faults.is_empty() {
            return;
        }
        self.line(&self.title("faults"));
        let effects = |index: usize| failure.outcome.fault_effects.get(index).copied();
        let mut shown: Vec<usize> = (0..faults.len()).collect();
        shown.sort_by_key(|index| effects(*index) == Some(0));
        shown.truncate(FAULTS);
        shown.sort_unstable();
        let lines: Vec<String> = shown.iter().map(|index| faults[*index].to_string()).collect();
        let widest = lines.iter().map(|line| console::measure_text_width(line)).max().unwrap_or(0).min(WIDTH - 22);
        for (index, line) in shown.iter().zip(&lines) {
            let effects = match effects(*index) {
                None => "effects unknown",
                Some(0) => "no effect",
                Some(1) => "1 effect",
                Some(effects) => &format!("{effects} effects"),
            };
            let space = " ".repeat(widest.saturating_sub(console::measure_text_width(line)));
            self.line(&format!("  f{:<3} {line}{space}  {effects}", index + 1));
        }
        if faults.len() > shown.len() {
            self.line(&format!("  … and {} more", faults.len() - shown.len()));
        }
    }

    fn operations(&mut self, failure: &Failure) {
        if failure.as_found.is_none() {
            return;
        }
        let mut lines = Vec::new();
        for (group, clients) in &failure.case.input {
            for (client, input) in clients.iter().enumerate() {
                let operations = input.as_array().map(Vec::as_slice).unwrap_or_default();
                lines.extend(operations.iter().map(|operation| format!("  {group} {client}: {operation}")));
            }
        }
        if lines.is_empty() {
            return;
        }
        self.line(&self.title("operations"));
        for line in lines.iter().take(OPERATIONS) {
            self.line(line);
        }
        if lines.len() > OPERATIONS {
            self.line(&format!("  … and {} more", lines.len() - OPERATIONS));
        }
    }

    fn why(&mut self, failure: &Failure) {
        let Some(why) = &failure.why else { return };
        self.line(&self.title("why"));
        for sentence in why_lines(why, &failure.case) {
            self.paragraph(&sentence, "  ", 3);
        }
        self.gap();
    }

    /// The timeline around the decisive moment.
    fn timeline(&mut self, failure: &Failure) {
        if failure.why.is_none() && !failure.case.plan.faults.is_empty() {
            self.gap();
        }
        let Some(recording) = &failure.recording else {
            self.line("timeline: none, as only the end of the run is known");
            self.gap();
            return;
        };
        let breach = first_breach(&failure.outcome);
        let stated = moment(&failure.outcome);
        let around = stated.unwrap_or(failure.outcome.simulated);
        let options = TimelineOptions {
            around: Some(around),
            operation: breach.and_then(Breach::operation).cloned(),
            max_lines: TIMELINE_LINES,
            ..TimelineOptions::default()
        };
        let lines = timeline_lines(recording, &options);
        let (title, end) = match stated {
            Some(moment) => (format!("timeline around {}", duration_text(moment)), ""),
            None => (
                format!("timeline up to the end at {}", duration_text(around)),
                "; `Verdict::at` would state the moment",
            ),
        };
        self.line(&format!("{} (`--trace` shows all{end})", self.title(&title)));
        for (index, line) in lines.iter().enumerate() {
            // The two lines of the header are dimmed.
            if index < 2 { self.line(&self.dim(line)) } else { self.line(line) }
        }
        self.gap();
    }

    fn output(&mut self, output: &[u8]) {
        if output.is_empty() {
            return;
        }
        let output = String::from_utf8_lossy(output);
        let lines: Vec<&str> = output.lines().collect();
        let left_out = lines.len().saturating_sub(OUTPUT_LINES);
        self.line(&self.title("output of the run"));
        if left_out > 0 {
            self.line(&format!("  | ({left_out} earlier lines)"));
        }
        for line in &lines[left_out..] {
            self.line(&format!("  | {line}"));
        }
        self.gap();
    }

    /// The situations that the runs of the exploration reached up to the failure.
    fn coverage(&mut self, exploration: Option<&Exploration>) {
        let Some(exploration) = exploration.filter(|exploration| !exploration.coverage.reached.is_empty()) else {
            return;
        };
        let situations = &exploration.coverage.reached;
        let reached = situations.iter().filter(|situation| situation.runs > 0).count();
        let runs = match exploration.runs {
            1 => "1 run".to_owned(),
            runs => format!("{runs} runs"),
        };
        let not_yet: Vec<String> = exploration.coverage.unreached().map(|name| format!("\"{name}\"")).collect();
        let not_yet = if not_yet.is_empty() { String::new() } else { format!("; not yet {}", not_yet.join(", ")) };
        let text = format!("sometimes: {reached} of {} situations reached in {runs}{not_yet}", situations.len());
        self.paragraph(&text, "", 2);
    }

    fn files(&mut self, failure: &Failure, replay: &str) {
        let place = |failure: &Failure| match &failure.saved {
            Ok(Some(path)) => Some(path.display().to_string()),
            Ok(None) => None,
            Err(error) => Some(format!("could not be saved: {error}")),
        };
        // Paths and commands are never truncated, as they are there to be copied.
        if let Some(path) = failure.as_found.as_ref().and_then(|found| place(&found.failure)) {
            let _ = writeln!(self.text, "as found: {path}");
        }
        if let Some(path) = place(failure) {
            let _ = writeln!(self.text, "case: {path}");
        }
        let _ = writeln!(self.text, "replay: {}", self.title(replay));
    }
}

fn size_text(size: Size) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    format!("{} and {}", count(size.faults, "fault"), count(size.operations, "operation"))
}

/// A failure in one line, for all but the first failure of an exploration.
pub fn failure_line(failure: &Failure) -> String {
    let reason = match failure.status() {
        Status::NotDeterministic => "not deterministic".to_owned(),
        _ => reasons(&failure.outcome).replace('\n', " "),
    };
    let place = match &failure.saved {
        Ok(Some(path)) => path.display().to_string(),
        Ok(None) => "not saved".to_owned(),
        Err(error) => format!("could not be saved: {error}"),
    };
    format!("  seed {}: {reason} ({place})", failure.outcome.seed)
}

/// How the first promise was broken that a run broke.
fn first_breach(outcome: &Outcome) -> Option<&Breach> {
    outcome.findings.iter().find_map(|finding| finding.verdict.breach())
}

/// The moment at which the run broke its first promise, as its check says, or else that of its first panic.
fn moment(outcome: &Outcome) -> Option<Duration> {
    let stated = first_breach(outcome).and_then(Breach::moment);
    stated.or_else(|| outcome.panics.first().map(|panic| panic.at)).map(|moment| moment.min(outcome.simulated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Check, Verdict};
    use crate::fault::{millis, secs};
    use crate::run::{Detail, run};
    use crate::scenario::Scenario;
    use crate::seed::Seed;

    /// The moment that is shown for a run of two seconds that fails with this verdict.
    fn moment_of(verdict: Verdict) -> Option<Duration> {
        let check = Check::new("a promise", move |_, _| verdict.clone());
        let scenario = Scenario::new("s").host("a", |_| async {}).check(check).run_for(secs(2)).settle_for(secs(0));
        moment(&run(&scenario, &scenario.case(Seed(1)), Detail::Lean).outcome)
    }

    /// "p99 was 300ms" once moved the timeline to 300 ms.
    #[test]
    fn the_moment_is_what_the_check_states_and_no_time_of_its_text() {
        assert_eq!(moment_of(Verdict::fail("p99 was 300ms")), None);
        assert_eq!(moment_of(Verdict::fail("p99 was 300ms").at(millis(1_200))), Some(millis(1_200)));
        let end = moment_of(Verdict::fail("late").at(secs(9))).expect("it is stated");
        assert!((secs(2)..secs(3)).contains(&end), "no later than the end of the run: {end:?}");
    }
}
