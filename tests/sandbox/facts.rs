//! Facts of the process and the machine are those of the simulated machine, by whatever function a program asks for them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use squall::internal::sandbox;

use crate::jobs::{enter, runtime};
use crate::{returned, run, trial};

unsafe extern "C" {
    fn get_nprocs() -> i32;
    fn get_phys_pages() -> i64;
    fn arc4random_uniform(bound: u32) -> u32;
    fn clock() -> libc::clock_t;
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("facts::are_those_of_the_simulated_machine", facts_are_simulated),
        trial("facts::files_of_the_kernel_are_simulated", files_are_simulated),
        trial("facts::waits_without_descriptors_take_virtual_time", waits_are_virtual),
        trial("facts::chance_is_the_seeds", chance_is_the_seeds),
    ]
}

/// Runs this on host alpha, 2 s after the start.
fn on_alpha(act: impl FnOnce(&mut String)) -> String {
    let mut text = String::new();
    enter();
    runtime().block_on(async {
        sandbox::enter_host(0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        act(&mut text);
    });
    let notes = sandbox::leave();
    let escapes: Vec<_> = notes.escapes.iter().map(|escape| (escape.kind.name(), &escape.detail)).collect();
    let _ = writeln!(text, "escapes {escapes:?}");
    text
}

pub(crate) fn facts() -> String {
    // SAFETY: the pointers are to local variables that are large enough.
    on_alpha(|text| unsafe {
        let _ = writeln!(text, "groups {} {} {}", libc::getpgid(0), libc::getpgrp(), libc::getsid(0));
        let _ = writeln!(text, "processors {} {}", get_nprocs(), libc::sysconf(libc::_SC_NPROCESSORS_CONF));
        let _ = writeln!(text, "pages {}", get_phys_pages());
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let _ = writeln!(text, "files {} {}", limit.rlim_cur, limit.rlim_max);
        let mut system: libc::sysinfo = std::mem::zeroed();
        libc::sysinfo(&raw mut system);
        let _ = writeln!(text, "system {} {}", system.uptime, system.totalram);
        let mut disk: libc::statvfs = std::mem::zeroed();
        libc::statvfs(c"/".as_ptr(), &raw mut disk);
        let _ = writeln!(text, "disk {} {}", disk.f_blocks, disk.f_bavail);
        let mut load = [9.0; 3];
        let _ = writeln!(text, "load {} {load:?}", libc::getloadavg(load.as_mut_ptr(), 3));
        let _ = writeln!(text, "priority {} {}", libc::getpriority(libc::PRIO_PROCESS, 0), libc::nice(0));
        let mut times: libc::tms = std::mem::zeroed();
        let _ = writeln!(text, "times {} {} {}", libc::times(&raw mut times), times.tms_utime, clock() / 1_000);
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        let _ = writeln!(text, "usage {} {}", usage.ru_utime.tv_sec, usage.ru_maxrss);
        let mut name = [0 as c_char; 32];
        libc::gethostname(name.as_mut_ptr(), name.len());
        let _ = writeln!(text, "host {:?}", CStr::from_ptr(name.as_ptr()));
        let _ = writeln!(text, "parent {}", libc::syscall(libc::SYS_getppid));
        let _ = writeln!(text, "program {:?}", std::env::current_exe());
    })
}

fn facts_are_simulated() {
    let seen = returned(&run("facts"));
    let expected = "groups 4242 4242 4242\nprocessors 4 4\npages 2097152\nfiles 1024 1048576\nsystem 1002 8589934592\n\
                    disk 16777216 8388608\nload 3 [0.0, 0.0, 0.0]\npriority 0 0\ntimes 100200 200 2001\nusage 2 65536\n\
                    host \"alpha\"\nparent 1\nprogram Ok(\"/usr/local/bin/program\")\nescapes []\n";
    assert_eq!(seen, expected);
}

pub(crate) fn files() -> String {
    on_alpha(|text| {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
        let first = |path: &str| read(path).lines().next().unwrap_or_default().to_owned();
        for path in
            ["/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/sys/devices/system/cpu/online", "/proc/self/comm"]
        {
            let _ = writeln!(text, "{path} {}", first(path));
        }
        let _ = writeln!(text, "in no control group {}", fs::read("/proc/self/cgroup").is_err());
        let stat = read("/proc/self/stat");
        let _ = writeln!(text, "stat {:?}", stat.split(' ').take(4).collect::<Vec<_>>());
        let _ = writeln!(text, "real {}", fs::read("/proc/filesystems").is_ok());
        let _ = writeln!(text, "looked at {}", fs::metadata("/etc/passwd").is_ok());
    })
}

fn files_are_simulated() {
    let expected = "/proc/uptime 1002.00 4008.00\n/proc/loadavg 0.00 0.00 0.00 1/2 4242\n\
                    /proc/meminfo MemTotal:        8388608 kB\n/sys/devices/system/cpu/online 0-3\n\
                    /proc/self/comm program\nin no control group true\nstat [\"4242\", \"(program)\", \"R\", \"1\"]\n\
                    real true\nlooked at true\nescapes [(\"real-file\", \"/proc/filesystems\")]\n";
    assert_eq!(returned(&run("files")), expected);
}

pub(crate) fn timeouts() -> String {
    on_alpha(|text| {
        let mut wait = |name: &str, act: &dyn Fn() -> i32| {
            let start = Instant::now();
            let result = act();
            let _ = writeln!(text, "{name} {result} after {} ms", start.elapsed().as_millis());
        };
        // SAFETY: nothing is read but times.
        unsafe {
            let null = std::ptr::null_mut;
            wait("poll", &|| libc::poll(std::ptr::null_mut(), 0, 30));
            wait("select", &|| {
                let mut time = libc::timeval { tv_sec: 0, tv_usec: 30_000 };
                libc::select(0, null(), null(), null(), &raw mut time)
            });
            let length = libc::timespec { tv_sec: 0, tv_nsec: 30_000_000 };
            wait("pselect", &|| libc::pselect(0, null(), null(), null(), &raw const length, std::ptr::null()));
            wait("sigtimedwait", &|| {
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&raw mut set);
                libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const length)
            });
            wait("sleep", &|| libc::sleep(1) as i32);
            wait("alarm", &|| libc::alarm(1) as i32);
        }
        wait("a spin of 50 us", &|| {
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(50) {}
            0
        });
    })
}

fn waits_are_virtual() {
    let expected = "poll 0 after 30 ms\nselect 0 after 30 ms\npselect 0 after 30 ms\nsigtimedwait -1 after 30 ms\n\
                    sleep 0 after 1000 ms\nalarm 0 after 0 ms\na spin of 50 us 0 after 0 ms\n\
                    escapes [(\"blocking-sleep\", \"30ms\"), (\"refused-call\", \"alarm: a signal at a time\")]\n";
    assert_eq!(returned(&run("timeouts")), expected);
}

pub(crate) fn chance() -> String {
    on_alpha(|text| {
        let mut bytes = [0_u8; 8];
        let mut device = fs::File::open("/dev/urandom").expect("it opens");
        device.read_exact(&mut bytes).expect("it is read");
        let _ = writeln!(text, "device {bytes:?}");
        device.read_exact(&mut bytes).expect("it is read");
        drop(device);
        // The number is that of an ordinary file now.
        let zeros = fs::File::open("/dev/null").and_then(|mut file| file.read(&mut [0; 4]));
        let _ = writeln!(text, "device {bytes:?} {zeros:?}");
        // SAFETY: the kernel passes 16 bytes to every process.
        let left = unsafe { *(libc::getauxval(libc::AT_RANDOM) as *const [u8; 16]) };
        let _ = writeln!(text, "left {left:?}");
        // SAFETY: this has no pointers.
        let _ = writeln!(text, "drawn {}", unsafe { arc4random_uniform(1_000_000) });
        let _ = writeln!(text, "raw {:?}", {
            let mut bytes = [0_u8; 8];
            rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).map(|_| bytes)
        });
        let _ = writeln!(text, "raw time {:?}", rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec);
        let _ =
            writeln!(text, "identifier {}", fs::read_to_string("/proc/sys/kernel/random/uuid").expect("it is read"));
    })
}

fn chance_is_the_seeds() {
    let (first, second) = (returned(&run("chance")), returned(&run("chance")));
    assert_eq!(first, second);
    assert!(
        first.contains(" Ok(0)\n") && first.contains("raw time 1002\n") && first.ends_with("escapes []\n"),
        "{first}"
    );
    let drawn: Vec<&str> = first.lines().filter(|line| line.starts_with("device")).collect();
    assert_ne!(
        drawn[0],
        drawn[1].split_once(" Ok").map_or("", |(drawn, _)| drawn),
        "a device says something new each time"
    );
}
