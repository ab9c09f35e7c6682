//! What people see: failures on a screen, lines of output, and progress while it lasts.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::environment::{is_on_github, is_plain};
use crate::explore::{Exploration, Failure};
use crate::report::{ScreenStyle, annotation, annotations, failure_line, screen, text};

/// Prints to standard output; that nobody reads it any more is no failure.
pub(super) fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A progress bar, which is hidden where nobody watches.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if is_plain() || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// Colours where somebody watches a terminal, unless `NO_COLOR` is set.
fn screen_style() -> ScreenStyle {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_plain();
    ScreenStyle { colours: is_wanted && std::io::stdout().is_terminal() }
}

/// The first failure in full, the others in a line each, and all remarks.
pub(super) fn describe(exploration: &Exploration, replay_line: &dyn Fn(&Failure) -> String) -> String {
    let mut report = String::new();
    for (index, failure) in exploration.failures.iter().enumerate() {
        if index == 0 {
            report.push_str(&screen(failure, &replay_line(failure), Some(exploration), screen_style()));
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

/// All that is to be known of a failure, on one screen.
pub(super) fn failure_screen(failure: &Failure, replay_line: &str) -> String {
    let mut text = screen(failure, replay_line, None, screen_style());
    if is_on_github() {
        text.push_str(&annotation(failure));
    }
    text
}

/// The line that replays a failure in a fresh process; `flags` say what its draw was told.
pub(super) fn replay_line(failure: &Failure, flags: &str) -> String {
    match &failure.saved {
        Ok(Some(path)) => format!("cargo sims replay {}", path.display()),
        Ok(None) | Err(_) => {
            format!("cargo sims replay {} --seed {}{flags}", failure.outcome.scenario, failure.outcome.seed)
        }
    }
}
