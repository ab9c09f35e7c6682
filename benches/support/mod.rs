//! Measurements for the benchmarks: CPU time, memory and medians.

// Each benchmark uses a different part of it.
#![allow(dead_code)]

use std::fs;
use std::time::Duration;

/// The CPU time that this thread has used, as the scheduler counts it (it may lag by a few milliseconds).
pub fn thread_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .expect("this needs Linux with scheduler statistics (CONFIG_SCHED_INFO)");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok()).expect("the first number is nanoseconds");
    Duration::from_nanos(nanos)
}

/// The resident memory of a process, in KiB; `None` if the process is gone.
pub fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// The most memory that this process has had, in KiB.
pub fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this needs Linux, which has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// The child processes of this process that are still running.
pub fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("this needs Linux, which has /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The process name before it may contain anything, but it ends with the last parenthesis.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(own.as_str())
    };
    ids.filter(is_child).collect()
}

/// The median; of an even count, the upper of the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The CPU seconds of this, as the median of several.
pub fn cpu(mut work: impl FnMut()) -> f64 {
    const TIMES: usize = 5;
    let mut once = || {
        let began = thread_cpu();
        let mut runs = 0;
        while runs == 0 || thread_cpu() - began < Duration::from_millis(100) {
            work();
            runs += 1;
        }
        (thread_cpu() - began).as_secs_f64() / f64::from(runs)
    };
    median((0..TIMES).map(|_| once()).collect())
}
