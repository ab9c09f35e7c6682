//! Files of the operating system: those of `/proc` and `/sys` that programs read, and real ones.

use std::ffi::CStr;
use std::fs;

use crate::probe::{Probe, WRONG, errno, text};

/// A file's text, without what makes it long.
fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|error| error.to_string(), |text| text.chars().take(400).collect())
}

/// The first line of a file that the C library's streams read.
fn stream(path: &CStr) -> String {
    let mut line = [0; 200];
    // SAFETY: the paths are C strings, and the buffer is as long as stated.
    unsafe {
        let file = libc::fopen(path.as_ptr(), c"r".as_ptr());
        if file.is_null() {
            return format!("error {}", errno());
        }
        let read = libc::fgets(line.as_mut_ptr(), line.len() as i32, file);
        libc::fclose(file);
        if read.is_null() { "empty".to_owned() } else { format!("{:?}", CStr::from_ptr(line.as_ptr())) }
    }
}

fn names(path: &str) -> String {
    let entries =
        fs::read_dir(path).map(|all| all.flatten().map(|entry| entry.file_name()).take(12).collect::<Vec<_>>());
    text(entries)
}

/// Looks at a file by an older function of C.
fn stat(path: &CStr) -> String {
    // SAFETY: all zeros is a valid value, and the struct is writable.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        let result = libc::stat(path.as_ptr(), &raw mut found);
        format!("{result} {} {} {}", found.st_ino, found.st_size, found.st_mtime)
    }
}

/// A file that is written here and read again.
fn written() -> String {
    let path = std::env::temp_dir().join(format!("squall-probe-{}", std::process::id()));
    let age = fs::write(&path, "text").and_then(|()| fs::metadata(&path)).and_then(|data| data.modified());
    let _ = fs::remove_file(&path);
    text(age)
}

/// A file with a name that only this process should use, which is left behind.
fn own_by_number() -> String {
    let directory = std::env::temp_dir();
    let path = directory.join(format!("squall-probe-{}.lock", std::process::id()));
    let made = fs::File::create_new(&path);
    let entries = fs::read_dir(&directory).map_or(0, |entries| entries.count());
    match (made, entries) {
        (Ok(_), 1) => path.display().to_string(),
        (made, entries) => format!("{WRONG}: {made:?} among {entries} files"),
    }
}

fn temporary() -> String {
    let directory = tempfile::tempdir();
    text(directory.map(|directory| directory.path().to_owned()))
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::now("proc::stat", "`/proc/self/stat`", || read("/proc/self/stat")).fact(),
    Probe::now("proc::stat_by_id", "`/proc/PID/stat`", || read(&format!("/proc/{}/stat", std::process::id()))).fact(),
    Probe::now("proc::status", "`/proc/self/status`", || read("/proc/self/status")).fact(),
    Probe::now("proc::statm", "`/proc/self/statm`", || read("/proc/self/statm")).fact(),
    Probe::now("proc::io", "`/proc/self/io`", || read("/proc/self/io")).fact(),
    Probe::now("proc::schedstat", "`/proc/self/schedstat`", || read("/proc/self/schedstat")).fact(),
    Probe::now("proc::limits", "`/proc/self/limits`", || read("/proc/self/limits")),
    Probe::now("proc::maps", "`/proc/self/maps`", || read("/proc/self/maps")).fact(),
    Probe::now("proc::cmdline", "`/proc/self/cmdline`", || read("/proc/self/cmdline")),
    Probe::now("proc::comm", "`/proc/self/comm`", || read("/proc/self/comm")),
    Probe::now("proc::environ", "`/proc/self/environ`", || read("/proc/self/environ")),
    Probe::now("proc::cgroup", "`/proc/self/cgroup`", || read("/proc/self/cgroup")),
    Probe::now("proc::mountinfo", "`/proc/self/mountinfo`", || read("/proc/self/mountinfo")),
    Probe::now("proc::descriptors", "the entries of `/proc/self/fd`", || names("/proc/self/fd")),
    Probe::now("proc::tasks", "the entries of `/proc/self/task`", || names("/proc/self/task")),
    Probe::now("proc::uptime", "`/proc/uptime`", || read("/proc/uptime")).fact(),
    Probe::now("proc::loadavg", "`/proc/loadavg`", || read("/proc/loadavg")).fact(),
    Probe::now("proc::meminfo", "`/proc/meminfo`", || read("/proc/meminfo")).fact(),
    Probe::now("proc::meminfo_stream", "`/proc/meminfo`, opened by `fopen`", || stream(c"/proc/meminfo")).fact(),
    Probe::now("proc::cpuinfo", "`/proc/cpuinfo`", || read("/proc/cpuinfo")).fact(),
    Probe::now("proc::system_stat", "`/proc/stat`", || read("/proc/stat")).fact(),
    Probe::now("proc::version", "`/proc/version`", || read("/proc/version")).fact(),
    Probe::now("proc::boot_id", "`/proc/sys/kernel/random/boot_id`", || read("/proc/sys/kernel/random/boot_id")).fact(),
    Probe::now("proc::hostname", "`/proc/sys/kernel/hostname`", || read("/proc/sys/kernel/hostname")).fact(),
    Probe::now("proc::osrelease", "`/proc/sys/kernel/osrelease`", || read("/proc/sys/kernel/osrelease")).fact(),
    Probe::now("proc::somaxconn", "`/proc/sys/net/core/somaxconn`", || read("/proc/sys/net/core/somaxconn")),
    Probe::now("proc::network", "`/proc/net/dev`", || read("/proc/net/dev")).fact(),
    Probe::now("proc::self_link", "the link `/proc/self`", || text(fs::read_link("/proc/self"))),
    Probe::now("sys::processors", "`/sys/devices/system/cpu/online`", || read("/sys/devices/system/cpu/online")).fact(),
    Probe::now("sys::memory_limit", "`/sys/fs/cgroup/memory.max`", || read("/sys/fs/cgroup/memory.max")),
    Probe::now("sys::cpu_limit", "`/sys/fs/cgroup/cpu.max`", || read("/sys/fs/cgroup/cpu.max")),
    Probe::now("sys::interfaces", "the entries of `/sys/class/net`", || names("/sys/class/net")),
    Probe::now("sys::pages", "`/sys/kernel/mm/transparent_hugepage/enabled`", || {
        read("/sys/kernel/mm/transparent_hugepage/enabled")
    }),
    Probe::now("files::read", "a file of the machine", || read("/etc/passwd")),
    Probe::now("files::machine_id", "`/etc/machine-id`", || read("/etc/machine-id")),
    Probe::now("files::resolv", "`/etc/resolv.conf`", || read("/etc/resolv.conf")),
    Probe::now("files::stream", "a file, opened by `fopen`", || stream(c"/etc/passwd")),
    Probe::now("files::metadata", "the age of a file", || {
        text(fs::metadata("/etc/hosts").and_then(|data| data.modified()))
    }),
    Probe::now("files::stat", "`stat`", || stat(c"/etc/hosts")),
    Probe::now("files::exists", "whether a file exists", || format!("{:?}", fs::exists("/etc/hosts"))),
    // SAFETY: the path is a C string.
    Probe::now("files::access", "`access`", || {
        format!("{}", unsafe { libc::access(c"/etc/hosts".as_ptr(), libc::R_OK) })
    }),
    Probe::now("files::link", "`readlink`", || text(fs::read_link("/etc/mtab"))),
    Probe::now("files::canonical", "`fs::canonicalize`", || text(fs::canonicalize("/etc/../etc/hosts"))),
    Probe::now("files::entries", "the entries of a directory", || names("/etc")),
    Probe::now("files::written", "the age of a file that the program writes", written),
    Probe::now("files::own_by_number", "a temporary file that is named after the process and stays", own_by_number),
    Probe::now("files::temporary", "a directory of the `tempfile` crate", temporary),
    Probe::now("files::zone", "the zone of local time", || text(fs::read_link("/etc/localtime"))),
    Probe::task("files::tokio", "`tokio::fs::read` of a file of the machine", || {
        Box::pin(async { text(tokio::fs::read_to_string("/etc/hosts").await.map(|text| text.len())) })
    }),
    Probe::now("files::raw_open", "a file, opened without the C library", || {
        use rustix::fs::{Mode, OFlags};
        text(rustix::fs::open("/etc/hosts", OFlags::RDONLY, Mode::empty()).map(|_| "opened"))
    }),
    Probe::now("files::raw_stat", "`statx` without the C library", || {
        text(rustix::fs::stat("/etc/hosts").map(|found| (found.st_ino, found.st_mtime)))
    }),
];
