//! The doctor names each planted leak: what leaked, on which host, when, and in which function.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;

use crate::leaks::AGING_FILE;
use crate::{REFUSE, command, directory, parts, trial};

/// Each entry is a scenario, the report's name for its leak, and the function that leaks.
const LEAKS: &[(&str, &str, &str)] = &[
    ("races", "thread (a thread was started) on server at 2s", "race"),
    ("real_socket", "real socket (a socket of family 2 (IPv4), type 1) on server at 2s", "listen_for_real"),
    ("child_process", "process (/bin/sh) on server at 2s", "start_process"),
    ("modification_time", "doctor/aging on server at 2s", "ask_for_age"),
    ("raw_clock", "raw system call clock_adjtime on server at 2s", "ask_kernel_for_time"),
    ("twice", "raw system call clock_adjtime on server at 2s (first of 3)", "ask_thrice"),
];

/// The leaks that only the doctor's system call filter detects.
const SEEN_BY_FILTER: &[(&str, &str, &str)] =
    &[("disciplined_clock", "system call clock_adjtime on server at 2s", "ask_library_for_time")];

/// The leaks that are detected on x86-64 only.
#[cfg(target_arch = "x86_64")]
const SEEN_HERE: &[(&str, &str, &str)] =
    &[("raw_thread", "raw system call clone (a thread or a process) on server at 2s", "start_thread_for_real")];
#[cfg(not(target_arch = "x86_64"))]
const SEEN_HERE: &[(&str, &str, &str)] = &[];

pub fn trials() -> Vec<Trial> {
    let each = [LEAKS, SEEN_BY_FILTER, SEEN_HERE].into_iter().flatten();
    let mut trials: Vec<Trial> = each
        .map(|(scenario, what, function)| trial(format!("named::{scenario}"), || is_named(scenario, what, function)))
        .collect();
    trials.push(trial("named::later_escapes_are_only_counted", later));
    trials.push(trial("named::the_report_says_if_filters_are_refused", refused));
    trials
}

/// Keeps advancing the modification time of the file by a millisecond. It sets the time explicitly, because the
/// system's own file timestamps stay the same for some milliseconds.
fn keep_aging(is_over: &AtomicBool) {
    let file = std::fs::File::create(AGING_FILE).unwrap();
    let mut time = std::time::SystemTime::UNIX_EPOCH;
    while !is_over.load(Ordering::Relaxed) {
        time += Duration::from_millis(1);
        file.set_modified(time).unwrap();
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// The part of a report that says whether the run is deterministic.
fn diagnosis(mut command: Command) -> String {
    // A leak can have the same value in two runs, for example on a busy machine, so there are several attempts.
    let differs = |report: &str| report.contains("deterministic: NO, the runs diverge at event");
    let mut attempts = (0..5).map(|_| parts(command.output().unwrap()));
    let last = attempts.find(|(code, report, _)| *code == Some(3) && differs(report));
    let (_, report, errors) = last.expect("in five attempts, no two runs differ");
    println!("{report}{errors}");
    let start = report.find("deterministic: NO, the runs diverge at event").expect("the runs diverge");
    let end = report[start..].find("\ncase: ").expect("a case was saved");
    let text = report[start..start + end].to_owned();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?} columns:\n{text}");
    text
}

/// The stack frames below the line that contains `what`.
fn frames<'a>(text: &'a str, what: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| !line.contains(what)).skip(1);
    lines.take_while(|line| line.starts_with("        at ")).collect()
}

fn is_named(scenario: &str, what: &str, function: &str) {
    directory(scenario);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if scenario == "modification_time" {
            scope.spawn(|| keep_aging(&is_over));
            while !std::path::Path::new(AGING_FILE).exists() {
                std::thread::yield_now();
            }
        }
        let found = std::panic::catch_unwind(|| {
            // The runs are sequential, because runs at the same time may see the same values.
            let arguments = ["explore", scenario, "--seeds", "0..2", "--verify", "--jobs", "1"];
            let text = diagnosis(command(scenario, &arguments));
            assert!(text.contains("first   ") && text.contains("second  "), "{text}");
            assert!(text.contains("this left the sandbox before that point:") && text.contains(what), "{text}");
            let frames = frames(&text, what);
            assert!((1..=6).contains(&frames.len()), "{text}");
            let is_ours = |frame: &&&str| frame.contains(function) && frame.contains("(tests/doctor/leaks.rs:");
            assert!(frames.iter().find(is_ours).is_some(), "`{function}` is missing:\n{text}");
            assert!(!text.contains("more thing"), "something else left the sandbox:\n{text}");
        });
        is_over.store(true, Ordering::Relaxed);
        if let Err(payload) = found {
            std::panic::resume_unwind(payload);
        }
    });
}

fn later() {
    let text = diagnosis(command("late", &["explore", "late", "--seeds", "0..2", "--verify"]));
    assert!(text.contains("raw system call clock_adjtime on server at 1s") && !text.contains("real socket"), "{text}");
    assert!(text.ends_with("  and 2 more things did later"), "a socket and its address:\n{text}");
}

fn refused() {
    let explore = |scenario| {
        let mut command = command("refused", &["explore", scenario, "--seeds", "0..2", "--verify"]);
        command.env(REFUSE, "1");
        diagnosis(command)
    };
    let why = "  system calls were not watched: the system refuses a seccomp filter: ";
    let hooked = explore("child_process");
    assert!(hooked.contains("process (/bin/sh) on server at 2s") && hooked.contains(why), "{hooked}");
    let raw = explore("rustix_entropy");
    assert!(raw.contains("nothing was seen to leave the sandbox before that point") && raw.contains(why), "{raw}");
    assert!(raw.contains("    a system call that is made without the C library"), "{raw}");
}

/// Makes the kernel refuse system call filters to this process and its children from now on.
#[cfg(target_os = "linux")]
pub fn refuse_filters() {
    crate::refuse::refuse(libc::SYS_seccomp);
}

/// Does nothing, as there are no system call filters here.
#[cfg(not(target_os = "linux"))]
pub fn refuse_filters() {}
