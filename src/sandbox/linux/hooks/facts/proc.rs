//! The files of `/proc` and `/sys` that programs read about themselves and their machine, as every simulated machine has
//! them.

use std::fmt::Write as _;

use super::super::machine::{CPUS, PROCESS};
use super::system::{self, FREE_BYTES, MEMORY_BYTES};
use super::{PARENT, RELEASE, VERSION};
use crate::sandbox::clock::ORIGIN;
use crate::sandbox::simulated::Simulation;

/// What a path of `/proc` or `/sys` stands for.
pub(in super::super) enum Entry {
    /// A file with this text.
    Text(String),
    /// There is no such file.
    Absent,
    /// A file or directory of the real machine.
    Real,
}

/// How long a simulated machine has been up, in nanoseconds.
fn uptime(simulation: &Simulation) -> u64 {
    simulation.monotonic()
}

/// Whether a path is one of these trees.
pub(in super::super) fn is_below(path: &str) -> bool {
    path.starts_with("/proc/") || path.starts_with("/sys/")
}

/// Looks up a path of `/proc` or `/sys`.
pub(in super::super) fn entry(simulation: &Simulation, path: &str) -> Entry {
    let of_process =
        ["/proc/self/", "/proc/thread-self/", "/proc/4242/"].iter().find_map(|root| path.strip_prefix(root));
    let text = match of_process {
        Some(name) => of_this_process(simulation, name),
        None => of_machine(simulation, path),
    };
    match text {
        Some(text) => Entry::Text(text),
        // The limits of a control group depend on the machine, so a simulated process is in none.
        None if path.starts_with("/sys/fs/cgroup") || of_process == Some("cgroup") => Entry::Absent,
        None => Entry::Real,
    }
}

fn of_this_process(simulation: &Simulation, name: &str) -> Option<String> {
    const PAGE_KIB: u64 = 4;
    const SIZE_KIB: u64 = 256 * 1024;
    const RESIDENT_KIB: u64 = 64 * 1024;
    let ticks = |nanos: u64| nanos / 10_000_000;
    let spent = ticks(uptime(simulation).saturating_sub(ORIGIN));
    Some(match name {
        "stat" => {
            let (size, resident) = (SIZE_KIB * 1024, RESIDENT_KIB / PAGE_KIB);
            let start = ticks(ORIGIN);
            format!(
                "{PROCESS} (program) R {PARENT} {PROCESS} {PROCESS} 0 -1 4194304 0 0 0 0 {spent} 0 0 0 20 0 1 0 {start} \
                 {size} {resident} {infinite} 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
                infinite = u64::MAX
            )
        }
        "status" => format!(
            "Name:\tprogram\nUmask:\t0022\nState:\tR (running)\nTgid:\t{PROCESS}\nNgid:\t0\nPid:\t{PROCESS}\n\
             PPid:\t{PARENT}\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t0\n\
             VmPeak:\t{SIZE_KIB} kB\nVmSize:\t{SIZE_KIB} kB\nVmLck:\t0 kB\nVmHWM:\t{RESIDENT_KIB} kB\n\
             VmRSS:\t{RESIDENT_KIB} kB\nVmData:\t{RESIDENT_KIB} kB\nVmStk:\t132 kB\nVmSwap:\t0 kB\nThreads:\t1\n\
             Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t0-{last}\nvoluntary_ctxt_switches:\t0\n\
             nonvoluntary_ctxt_switches:\t0\n",
            mask = (1 << CPUS) - 1,
            last = CPUS - 1
        ),
        "statm" => {
            let (size, resident) = (SIZE_KIB / PAGE_KIB, RESIDENT_KIB / PAGE_KIB);
            format!("{size} {resident} {resident} 1 0 {resident} 0\n")
        }
        "io" => {
            "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n".into()
        }
        "schedstat" => format!("{} 0 1\n", spent * 10_000_000),
        "comm" => "program\n".to_owned(),
        "cmdline" => std::env::args().fold(String::new(), |text, argument| text + &argument + "\0"),
        "environ" => std::env::vars().fold(String::new(), |text, (name, value)| text + &name + "=" + &value + "\0"),
        "limits" => limits(),
        _ => return None,
    })
}

fn limits() -> String {
    let all = [
        ("Max cpu time", libc::RLIMIT_CPU, "seconds"),
        ("Max file size", libc::RLIMIT_FSIZE, "bytes"),
        ("Max data size", libc::RLIMIT_DATA, "bytes"),
        ("Max stack size", libc::RLIMIT_STACK, "bytes"),
        ("Max core file size", libc::RLIMIT_CORE, "bytes"),
        ("Max processes", libc::RLIMIT_NPROC, "processes"),
        ("Max open files", libc::RLIMIT_NOFILE, "files"),
        ("Max locked memory", libc::RLIMIT_MEMLOCK, "bytes"),
        ("Max address space", libc::RLIMIT_AS, "bytes"),
    ];
    let number = |number: u64| if number == libc::RLIM_INFINITY { "unlimited".to_owned() } else { number.to_string() };
    let mut text = format!("{:<26}{:<21}{:<21}{:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (name, resource, unit) in all {
        let (soft, hard) = system::limit(resource as i32).unwrap_or_default();
        let _ = writeln!(text, "{name:<26}{:<21}{:<21}{unit:<10}", number(soft), number(hard));
    }
    text
}

fn of_machine(simulation: &Simulation, path: &str) -> Option<String> {
    let seconds = |nanos: u64| format!("{}.{:02}", nanos / 1_000_000_000, nanos / 10_000_000 % 100);
    Some(match path {
        "/proc/uptime" => {
            let up = uptime(simulation);
            format!("{} {}\n", seconds(up), seconds(up.saturating_mul(CPUS as u64)))
        }
        "/proc/loadavg" => format!("0.00 0.00 0.00 1/2 {PROCESS}\n"),
        "/proc/meminfo" => {
            let (total, free) = (MEMORY_BYTES >> 10, FREE_BYTES >> 10);
            format!(
                "MemTotal:       {total:>8} kB\nMemFree:        {free:>8} kB\nMemAvailable:   {free:>8} kB\n\
                 Buffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\n\
                 SwapFree:              0 kB\n"
            )
        }
        "/proc/cpuinfo" => (0..CPUS).fold(String::new(), |text, number| {
            text + &format!(
                "processor\t: {number}\nmodel name\t: squall\ncpu MHz\t\t: 1000.000\nphysical id\t: 0\nsiblings\t: {CPUS}\n\
                 core id\t\t: {number}\ncpu cores\t: {CPUS}\n\n"
            )
        }),
        "/proc/stat" => {
            let ticks = uptime(simulation) / 10_000_000;
            let boot = simulation.wall().saturating_sub(uptime(simulation)) / 1_000_000_000;
            let of_each = (0..CPUS).fold(String::new(), |text, number| {
                text + &format!("cpu{number} 0 0 0 {ticks} 0 0 0 0 0 0\n")
            });
            let all = ticks * CPUS as u64;
            format!("cpu  0 0 0 {all} 0 0 0 0 0 0\n{of_each}ctxt 0\nbtime {boot}\nprocesses 2\nprocs_running 1\n")
        }
        "/proc/version" => format!("Linux version {RELEASE} (squall) {VERSION}\n"),
        "/proc/sys/kernel/osrelease" => format!("{RELEASE}\n"),
        "/proc/sys/kernel/hostname" => format!("{}\n", simulation.host_name().unwrap_or("squall")),
        "/proc/sys/kernel/pid_max" => "4194304\n".to_owned(),
        "/proc/sys/kernel/random/uuid" => identifier(simulation, false),
        "/proc/sys/kernel/random/boot_id" => identifier(simulation, true),
        "/proc/sys/kernel/random/entropy_avail" => "256\n".to_owned(),
        "/proc/sys/net/core/somaxconn" => "4096\n".to_owned(),
        "/proc/sys/vm/overcommit_memory" => "0\n".to_owned(),
        "/proc/net/dev" => {
            "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo \
             frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
                .to_owned()
        }
        "/sys/devices/system/cpu/online" | "/sys/devices/system/cpu/possible" | "/sys/devices/system/cpu/present" => {
            format!("0-{}\n", CPUS - 1)
        }
        "/sys/kernel/mm/transparent_hugepage/enabled" => "always [madvise] never\n".to_owned(),
        "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" => "2097152\n".to_owned(),
        _ => return None,
    })
}

/// A random identifier, another one each time; that of the machine's start (`is_of_start`) is the seed's.
fn identifier(simulation: &Simulation, is_of_start: bool) -> String {
    let mut bytes = [0_u8; 16];
    if is_of_start {
        for (word, chunk) in bytes.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&simulation.seed().decide("start of a machine", &[word as u64]).to_le_bytes());
        }
    } else {
        simulation.fill(&mut bytes);
    }
    // Version 4 of RFC 9562.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (place, byte) in bytes.iter().enumerate() {
        let dash = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{byte:02x}");
    }
    text + "\n"
}
