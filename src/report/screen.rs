//! The failure screen: what was broken, what it was shrunk from, why and when it happened, and how to replay it.

mod layout;

use std::fmt::Write as _;
use std::time::Duration;

use console::style;

use super::text::{count, determinism, duration_of, reasons};
use super::timeline::{TimelineOptions, first_difference, timeline_lines};
use super::why::why_lines;
use crate::check::{Breach, Finding};
use crate::explore::{CaseRef, Exploration, Failure, Limit, SeedRange, Size, Status};
use crate::fault::duration_text;
use crate::run::Outcome;
use crate::scenario::{Case, SeededOrder};

pub use layout::ScreenStyle;

use layout::{Screen, TIME_COLUMNS, wrapped};

/// The columns that the number and the effects of a fault take.
const FAULT_COLUMNS: usize = 22;
/// The number of lines of the timeline.
const TIMELINE_LINES: usize = 14;
/// The number of lines of a failing run's output that are shown.
const OUTPUT_LINES: usize = 12;
/// The number of lines of a broken promise's text.
const PROMISE_LINES: usize = 6;
/// The number of further broken promises whose reason is told, and the most lines of each.
const ALSO_TOLD: usize = 3;
const ALSO_LINES: usize = 2;
/// The findings that are no checks of a scenario, and are shown whole.
const ENDINGS: [&str; 4] = ["no_panics", "program", "process", "recorder"];
/// The number of operations that are listed; the others are only counted.
const OPERATIONS: usize = 4;
/// The number of faults that are listed, effective ones first; the others are only counted.
const FAULTS: usize = 12;

/// The screen of a failure. `replay` is the command that runs it again, and `exploration` is the one that found it.
pub fn screen(failure: &Failure, replay: &str, exploration: Option<&Exploration>, style: ScreenStyle) -> String {
    let mut screen = Screen::new(style);
    screen.headline(failure, exploration.map(|exploration| exploration.seeds));
    screen.promises(&failure.outcome);
    screen.size(failure);
    screen.faults(failure);
    screen.operations(failure);
    screen.why(failure);
    screen.timeline(failure);
    screen.output(&failure.output);
    screen.paragraphs(&determinism(failure));
    screen.coverage(exploration);
    screen.files(failure, replay);
    screen.text
}

impl Screen {
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
        // What ends a program says where, and often what to do.
        let most = if ENDINGS.contains(&first.check.as_str()) { usize::MAX } else { PROMISE_LINES };
        for line in short.unwrap_or(why).lines().take(most) {
            self.paragraph(line, "    ", most);
        }
        let is_alike = |finding: &&Finding| finding.verdict.is_fail() == first.verdict.is_fail();
        let others: Vec<&Finding> = broken.filter(is_alike).collect();
        let (told, named) = others.split_at(others.len().min(ALSO_TOLD));
        for finding in told {
            self.hanging(&format!("also {}", also(finding)), "  ", "    ", ALSO_LINES);
        }
        let named: Vec<&str> = named.iter().map(|finding| finding.check.as_str()).collect();
        if !named.is_empty() {
            self.hanging(&format!("also {}", named.join(", ")), "  ", "    ", ALSO_LINES);
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
            (false, _) => "whether all are needed was not tried",
        };
        let took = duration_of(shrunk.took);
        self.line(&format!("{} from {from}", self.title("shrunk")));
        self.line(&format!("       to {to}: {end} ({}, {took})", count(shrunk.runs, "run")));
        if let Some(order) = order_text(&failure.case) {
            self.line(&format!("       {order}"));
        }
        let (met, option) = match shrunk.limit {
            None => return,
            Some(Limit::Time) => ("time", "--for"),
            Some(Limit::Runs) => ("runs", "--runs"),
        };
        self.line(&format!("       stopped at the limit of {met}: `cargo sims shrink` goes on from here (`{option}`)"));
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
        let widest = lines
            .iter()
            .map(|line| console::measure_text_width(line))
            .max()
            .unwrap_or(0)
            .min(self.width - FAULT_COLUMNS);
        for (index, line) in shown.iter().zip(&lines) {
            let effects = match effects(*index) {
                None => "effects unknown",
                Some(0) => "no effect",
                Some(1) => "1 effect",
                Some(effects) => &format!("{effects} effects"),
            };
            let space = " ".repeat(widest.saturating_sub(console::measure_text_width(line)));
            self.hanging(&format!("f{:<3} {line}{space}  {effects}", index + 1), "  ", "       ", usize::MAX);
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
        if let (Some(recording), Some(without)) = (&failure.recording, &failure.without_faults)
            && let Some(difference) = first_difference(recording, without)
        {
            self.hanging(&format!("First difference: {difference}"), "  ", "    ", 4);
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
        // What ends the whole process ends the run.
        let ends_it = failure.outcome.findings.first().is_some_and(|finding| finding.check == "process");
        let end = ends_it.then_some(failure.outcome.simulated);
        let stated = moment(&failure.outcome).or(end);
        let around = stated.unwrap_or(failure.outcome.simulated);
        let options = TimelineOptions {
            around: Some(around),
            since: breach.and_then(Breach::beginning),
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
        let lanes = lines.get(1).map_or(0, |header| (header.chars().count() - TIME_COLUMNS).div_ceil(2));
        for (index, line) in lines.iter().enumerate() {
            for line in wrapped(line, self.width, lanes) {
                // The two lines of the header are dimmed.
                let line = if index < 2 { self.dim(&line) } else { line };
                let _ = writeln!(self.text, "{}", line.trim_end());
            }
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
            match line.trim().is_empty() {
                true => self.line("  |"),
                false => self.hanging(line, "  | ", "  |   ", OUTPUT_LINES),
            }
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
        let runs = count(exploration.runs, "run");
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

/// A further promise that was broken, and why.
fn also(finding: &Finding) -> String {
    let why = finding.verdict.why().and_then(|why| why.lines().next()).unwrap_or_default();
    let why = finding.check.split_once(' ').and_then(|(name, _)| why.strip_prefix(&format!("{name}: "))).unwrap_or(why);
    format!("{}: {why}", finding.check)
}

/// Whether the order of hosts that are due at the same time matters, if shrinking has found out.
fn order_text(case: &Case) -> Option<String> {
    let SeededOrder { from, until } = case.seeded_order;
    if case.seeded_order.is_always() {
        return None;
    }
    Some(match until.saturating_sub(from).as_nanos() {
        0 => "hosts that are due at once go in the order of the scenario: the seed's is not needed".to_owned(),
        1 => format!("the order of the hosts that are due at {} is needed: the seed's", duration_text(from)),
        _ => {
            let (from, until) = (duration_text(from), duration_text(until));
            format!("the seed's order of hosts that are due at once is needed from {from} to {until}")
        }
    })
}

fn size_text(size: Size) -> String {
    // A `usize` is made of no `u8` for sure, but a `u64` is.
    format!("{} and {}", count(size.faults as u64, "fault"), count(size.operations as u64, "operation"))
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

    #[test]
    fn a_shrunk_case_says_whether_the_order_of_hosts_matters() {
        let text = |from, until| {
            let order = Duration::from_nanos(from)..Duration::from_nanos(until);
            order_text(&Case::new("s", Seed(0)).seeded_order(order)).unwrap_or_default()
        };
        assert_eq!(text(0, u64::MAX), "");
        assert!(text(0, 0).ends_with("in the order of the scenario: the seed's is not needed"));
        assert_eq!(text(7_000, 7_001), "the order of the hosts that are due at 7us is needed: the seed's");
        assert!(text(0, 9_000_000).ends_with("is needed from 0s to 9ms"));
    }

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
