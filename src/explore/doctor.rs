//! Diagnoses a run that cannot be repeated: names what left the sandbox before the two runs diverge.

use std::fmt;
use std::fmt::Write as _;

use super::divergence::Divergence;
use super::examination::Examination;
use super::job::CaseRef;
use super::pool::Pool;
use crate::fault::duration_text;
use crate::sandbox::{Escape, EscapeKind};
use crate::trace::Fingerprint;

/// The number of frames of a backtrace that are shown.
const FRAMES: usize = 6;
/// The width of a line, in columns.
const COLUMNS: usize = 100;

/// Why a case gives different runs, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Where two recorded runs diverge; `None` if they do not, or if one of them ended without an outcome.
    pub divergence: Option<Divergence>,
    /// What left the sandbox in a watched run before the runs diverge, in the order of first occurrence; everything
    /// that left it if the point of divergence is unknown.
    pub suspects: Vec<Escape>,
    /// The number of different escapes that happened only after that point.
    pub later: usize,
    /// What could not be watched, and why, in one line; `None` if nothing was missed that can be watched.
    pub gap: Option<String>,
    /// Whether each process of this executable sees the same addresses.
    pub addresses_are_fixed: bool,
    /// The fingerprint of the watched run, if it returned an outcome. It equals that of the other runs if nothing left
    /// the sandbox.
    pub fingerprint: Option<Fingerprint>,
}

/// Runs a case once more with its system calls watched, and collects what leaves the sandbox before the divergence.
pub fn diagnose(pool: &Pool, scenario: usize, case_ref: &CaseRef, divergence: Option<Divergence>) -> Diagnosis {
    // Whatever differs between runs may end one of them early; the next one may return.
    const ATTEMPTS: usize = 3;
    let mut examined = pool.examine(scenario, case_ref);
    for _ in 1..ATTEMPTS {
        if examined.is_err() {
            examined = pool.examine(scenario, case_ref);
        }
    }
    let Examination { escapes, unwatched, addresses_are_fixed, fingerprint } = match examined {
        Ok(examination) => examination,
        Err(error) => {
            let gap = Some(format!("the watched run failed, so nothing is known: {error}"));
            let (suspects, fingerprint) = (Vec::new(), None);
            return Diagnosis { divergence, suspects, later: 0, gap, addresses_are_fixed: true, fingerprint };
        }
    };
    let is_before = |escape: &Escape| divergence.as_ref().is_none_or(|divergence| escape.at <= divergence.at);
    let (suspects, later): (Vec<_>, Vec<_>) = escapes.into_iter().partition(is_before);
    let gap = unwatched.map(|why| format!("system calls were not watched: {why}"));
    let (later, fingerprint) = (later.len(), Some(fingerprint));
    Diagnosis { divergence, suspects, later, gap, addresses_are_fixed, fingerprint }
}

impl Diagnosis {
    /// Describes what left the sandbox in runs that are all the same. The text does not end with a newline.
    pub fn of_equal_runs(&self) -> String {
        let mut text = String::new();
        match self.suspects.as_slice() {
            [] => text.push_str("nothing left the sandbox"),
            escapes => {
                text.push_str("the runs are equal, but this left the sandbox:");
                escapes.iter().for_each(|escape| describe(&mut text, escape));
            }
        }
        if let Some(gap) = &self.gap {
            push_line(&mut text, "  ", gap);
        }
        text
    }

    fn likely_causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if self.gap.is_some() {
            causes.push("a system call that is made without the C library".to_owned());
        }
        if !self.addresses_are_fixed {
            causes.push("code that hashes or orders addresses, which are randomised here".to_owned());
        }
        if cfg!(not(target_arch = "x86_64")) {
            causes.push("a clock that is read through the vDSO or from the processor's counter".to_owned());
        }
        causes.push("an instruction that depends on the processor (rdrand, cpuid)".to_owned());
        causes
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = match &self.divergence {
            Some(divergence) => divergence.to_string(),
            None => "a second run was different (two recorded runs do not show where):".to_owned(),
        };
        let before = if self.divergence.is_some() { " before that point" } else { "" };
        if self.suspects.is_empty() {
            let _ = write!(
                text,
                "\n  nothing was seen to leave the sandbox{before}. Each run starts from the same memory, so"
            );
            text.push_str("\n  no static or cache of an earlier run is to blame. Possible causes:");
            for cause in self.likely_causes() {
                push_line(&mut text, "    ", &cause);
            }
        } else {
            let _ = write!(text, "\n  this left the sandbox{before}:");
            self.suspects.iter().for_each(|escape| describe(&mut text, escape));
        }
        if let Some(gap) = &self.gap {
            push_line(&mut text, "  ", gap);
        }
        match self.later {
            0 => {}
            1 => text.push_str("\n  and one more thing did later"),
            later => {
                let _ = write!(text, "\n  and {later} more things did later");
            }
        }
        f.write_str(&text)
    }
}

/// Appends a new line, truncated to the width.
fn push_line(text: &mut String, indent: &str, line: &str) {
    text.push('\n');
    text.push_str(indent);
    let room = COLUMNS - indent.len();
    if line.chars().count() <= room {
        text.push_str(line);
    } else {
        text.extend(line.chars().take(room - 1).chain(['…']));
    }
}

/// Appends an escape: what it was, where and when it happened, and the code that did it.
fn describe(text: &mut String, escape: &Escape) {
    let name = escape.kind.name().replace('-', " ");
    let what = match escape.kind {
        EscapeKind::RealFile | EscapeKind::SystemCall | EscapeKind::RawSystemCall => {
            format!("{name} {}", escape.detail)
        }
        _ => format!("{name} ({})", escape.detail),
    };
    let host = escape.host.as_deref().map_or("outside any host".to_owned(), |host| format!("on {host}"));
    let count = if escape.count > 1 { format!(" (first of {})", escape.count) } else { String::new() };
    let place = format!("{host} at {}{count}", duration_text(escape.at));
    let room = COLUMNS.saturating_sub("     ".len() + place.chars().count());
    push_line(text, "    ", &format!("{} {place}", shortened(&what, room)));
    for frame in short_backtrace(&escape.backtrace) {
        push_line(text, "        at ", &frame);
    }
}

/// Shortens a text in the middle, as the end of a path says most.
fn shortened(text: &str, room: usize) -> String {
    const BEGINNING: usize = 30;
    let length = text.chars().count();
    if length <= room || room <= BEGINNING + 1 {
        return text.to_owned();
    }
    let end = text.chars().skip(length - (room - BEGINNING - 1));
    text.chars().take(BEGINNING).chain(['…']).chain(end).collect()
}

/// The innermost frames of the code under test, as `function (file:line)`.
fn short_backtrace(backtrace: &str) -> Vec<String> {
    let mut frames: Vec<(&str, Option<&str>)> = Vec::new();
    for line in backtrace.lines() {
        let line = line.trim();
        match (line.strip_prefix("at "), frames.last_mut()) {
            // Runs have the root directory as their own, so places are relative to it.
            (Some(place), Some(frame)) => frame.1 = Some(place.strip_prefix('.').unwrap_or(place)),
            _ => frames.push((line.split_once(": ").map_or(line, |(_, name)| name), None)),
        }
    }
    let shown = |frames: &[(&str, Option<&str>)]| {
        let mut lines: Vec<String> = frames.iter().map(|(name, place)| frame_line(name, *place)).collect();
        lines.dedup();
        lines.truncate(FRAMES);
        lines
    };
    let own: Vec<_> = frames.iter().filter(|(name, place)| !is_foreign(name, *place)).copied().collect();
    // If only library code made the call, its frames are better than none.
    shown(if own.is_empty() { &frames } else { &own })
}

/// Whether a frame belongs to a library that every run goes through rather than to the code under test.
fn is_foreign(name: &str, place: Option<&str>) -> bool {
    const PACKAGES: [&str; 7] = ["tokio", "turmoil", "futures", "hyper", "tracing", "libc", "squall"];
    let Some(place) = place else {
        // A frame without a place is judged by its name. A name without a path is not Rust.
        let name = name.trim_start_matches(['<', '&']);
        let is_of_std = ["std::", "core::", "alloc::"].iter().any(|library| name.starts_with(library));
        return is_of_std || !name.contains("::") || PACKAGES.iter().any(|package| name.starts_with(package));
    };
    let is_of_std = place.starts_with("/rustc/") || place.contains("/rustlib/src/rust/library/");
    let is_of_us = place.strip_prefix(env!("CARGO_MANIFEST_DIR")).is_some_and(|below| below.starts_with("/src/"));
    let package = place.split_once("/registry/src/").and_then(|(_, below)| below.split('/').nth(1));
    let is_of_package = package.is_some_and(|found| PACKAGES.iter().any(|package| found.starts_with(package)));
    is_of_std || is_of_us || is_of_package || !place.contains(".rs:")
}

fn frame_line(name: &str, place: Option<&str>) -> String {
    let name = without_parameters(name).replace("::{{closure}}", "");
    match place {
        None => name,
        Some(place) => format!("{name} ({})", short_place(place)),
    }
}

/// A function's name without its type parameters.
fn without_parameters(name: &str) -> String {
    if name.starts_with('<') {
        return name.to_owned();
    }
    let (mut depth, mut before) = (0, ' ');
    let outside = |c: &char| {
        depth += i32::from(*c == '<');
        let is_outside = depth == 0;
        // The arrow before a function's result is not a closing bracket.
        depth -= i32::from(*c == '>' && before != '-' && depth > 0);
        before = *c;
        is_outside
    };
    name.chars().filter(outside).collect()
}

/// A file and its line without the directories above its package, and without the column.
fn short_place(place: &str) -> String {
    let file_and_line = match place.rsplit_once(':') {
        Some((before, _column)) if before.contains(':') => before,
        _ => place,
    };
    let parts: Vec<&str> = file_and_line.split('/').collect();
    const ROOTS: [&str; 5] = ["src", "tests", "sims", "examples", "benches"];
    let root = parts.iter().rposition(|part| ROOTS.contains(part)).unwrap_or(parts.len().saturating_sub(1));
    // A file of another package keeps the package's name.
    let from =
        if place.contains("/registry/") || place.contains("/git/checkouts/") { root.saturating_sub(1) } else { root };
    parts[from..].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::secs;

    #[test]
    fn a_backtrace_is_cut_to_the_code_under_test() {
        let check = |backtrace: &str, expected: &[&str]| assert_eq!(short_backtrace(backtrace), expected);
        let backtrace = "   3: std::fs::File::open\n             at ./rustc/59807/library/std/src/fs.rs:396:9\n   \
                         4: read<&str>\n             at ./home/me/bank/src/store/file.rs:12:5\n   \
                         5: poll<bank::store::Store>\n             at \
                         ./home/me/.cargo/registry/src/index/tokio-1.54.1/src/task.rs:9:1\n   \
                         6: <bank::Api as bank::Serve>::serve::{{closure}}\n             at ./home/me/bank/src/api.rs:7:1";
        check(backtrace, &["read (src/store/file.rs:12)", "<bank::Api as bank::Serve>::serve (src/api.rs:7)"]);
        check("1: std::fs::read\n2: bank::load<fn() -> u8>\n3: main", &["bank::load"]);
        let of_package = "1: getrandom\n at /home/me/.cargo/registry/src/index/rustix-1.1.6/src/rand.rs:2:1";
        check(of_package, &["getrandom (rustix-1.1.6/src/rand.rs:2)"]);
        // If there are no other frames, those of the library are shown.
        check("1: std::fs::read", &["std::fs::read"]);
        check("", &[]);
    }

    fn diagnosis(suspects: Vec<Escape>) -> Diagnosis {
        let (divergence, fingerprint) = (None, None);
        Diagnosis { divergence, suspects, later: 0, gap: None, addresses_are_fixed: false, fingerprint }
    }

    #[test]
    fn likely_causes_are_named_if_nothing_escaped() {
        let text = diagnosis(Vec::new()).to_string();
        assert!(text.contains("nothing was seen to leave the sandbox."), "{text}");
        assert!(text.contains("    code that hashes or orders addresses, which are randomised here"), "{text}");
        let fixed = Diagnosis { addresses_are_fixed: true, ..diagnosis(Vec::new()) }.to_string();
        assert!(!fixed.contains("addresses"), "{fixed}");
        assert_eq!(diagnosis(Vec::new()).of_equal_runs(), "nothing left the sandbox");
    }

    #[test]
    fn a_long_path_keeps_its_end_and_the_place() {
        let detail = format!("statx of /{}/the/last", "long/".repeat(30));
        let (kind, host, at) = (EscapeKind::SystemCall, Some("api".to_owned()), secs(3));
        let escape = Escape { kind, detail, host, at, count: 2, backtrace: String::new() };
        let text = diagnosis(vec![escape]).to_string();
        let line = text.lines().last().unwrap();
        assert!(line.starts_with("    system call statx of /long"), "{line}");
        assert!(line.ends_with("/the/last on api at 3s (first of 2)") && line.chars().count() == COLUMNS, "{line}");
    }
}
