//! Output to the terminal: failures, lines of text and progress bars.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::environment::{is_on_github, is_unattended};
use super::pages::report_line;
use crate::explore::{Exploration, Failure};
use crate::report::{ScreenStyle, annotation, annotations, failure_line, screen, text};
use crate::scenario::Scenario;

/// Prints to standard output. A closed pipe is not an error.
pub(super) fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A progress bar, which is hidden unless standard error is a terminal that a person watches.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if is_watched() {
        // A run that takes long must not freeze the view.
        bar.enable_steady_tick(Duration::from_millis(250));
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Whether standard error is a terminal that a person watches.
pub(super) fn is_watched() -> bool {
    !is_unattended() && std::io::stderr().is_terminal()
}

/// Uses colours on a terminal, unless `NO_COLOR` is set.
fn screen_style() -> ScreenStyle {
    let is_allowed = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_unattended();
    let colours = is_allowed && std::io::stdout().is_terminal();
    match console::Term::stdout().size_checked().filter(|_| std::io::stdout().is_terminal()) {
        Some((_, columns)) => ScreenStyle { colours, columns: usize::from(columns) },
        None => ScreenStyle { colours, ..ScreenStyle::default() },
    }
}

/// The columns of the terminal, or 160 where there is none.
pub(super) fn columns() -> usize {
    let size = console::Term::stdout().size_checked().filter(|_| std::io::stdout().is_terminal());
    size.map_or(160, |(_, columns)| usize::from(columns))
}

/// Describes the first failure in full and the others in one line each, followed by all remarks.
pub(super) fn describe(
    exploration: &Exploration,
    scenario: &Scenario,
    replay_line: &dyn Fn(&Failure) -> String,
) -> String {
    let mut report = String::new();
    for (index, failure) in exploration.failures.iter().enumerate() {
        if index == 0 {
            let replay = replay_line(failure);
            report.push_str(&screen(failure, &replay, Some(exploration), screen_style()));
            report.push_str(&report_line(failure, scenario, &replay));
        } else {
            report.push_str(&failure_line(failure));
            report.push('\n');
        }
    }
    report.push_str(&text::remarks(exploration));
    if is_on_github() {
        report.push_str(&annotations(exploration));
    }
    report
}

/// Everything that is known about a failure, on one screen.
pub(super) fn failure_screen(failure: &Failure, replay_line: &str) -> String {
    let mut text = screen(failure, replay_line, None, screen_style());
    if is_on_github() {
        text.push_str(&annotation(failure));
    }
    text
}

/// The command that replays a failure in a fresh process; `flags` restrict the draw as in the run that failed.
pub(super) fn replay_line(failure: &Failure, flags: &str) -> String {
    match &failure.saved {
        Ok(Some(path)) => format!("cargo sims replay {}", path.display()),
        Ok(None) | Err(_) => {
            format!("cargo sims replay {} --seed {}{flags}", failure.outcome.scenario, failure.outcome.seed)
        }
    }
}
