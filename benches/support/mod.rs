//! What the benchmarks read from the system: CPU time, memory, medians.

// Each benchmark uses another part of it.
#![allow(dead_code)]

use std::fs;
use std::time::Duration;

/// The CPU time that this thread has used, as the scheduler counts it (it may lag by a tick of a few milliseconds).
pub fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).expect("the first number is nanoseconds");
    Duration::from_nanos(nanos)
}

/// The resident memory of a process, in KiB; none if it is gone.
pub fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// The processes that this one started and that still run.
pub fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name before it may hold anything, but it ends with the last parenthesis.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(own.as_str())
    };
    ids.filter(is_child).collect()
}

/// The middle of some numbers.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
