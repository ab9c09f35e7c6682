//! Facts of the process and of the machine, by every function that tells one.

use std::ffi::{CStr, c_char};

use crate::probe::{Probe, errno, text};

unsafe extern "C" {
    fn getdomainname(name: *mut c_char, length: usize) -> i32;
    fn gethostid() -> i64;
    fn get_nprocs() -> i32;
    fn get_nprocs_conf() -> i32;
    fn get_phys_pages() -> i64;
    fn get_avphys_pages() -> i64;
    fn getdtablesize() -> i32;
    fn get_current_dir_name() -> *mut c_char;
    fn getcpu(processor: *mut u32, node: *mut u32) -> i32;
    static program_invocation_name: *const c_char;
}

fn machine() -> String {
    // SAFETY: all zeros is a valid value, and the struct is writable.
    unsafe {
        let mut machine: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut machine);
        let fields = [&machine.sysname, &machine.nodename, &machine.release, &machine.version, &machine.machine];
        format!("{:?}", fields.map(|field| CStr::from_ptr(field.as_ptr()).to_owned()))
    }
}

fn limits(which: impl Fn(u32, *mut libc::rlimit) -> i32) -> String {
    let all = [
        ("cpu", libc::RLIMIT_CPU),
        ("fsize", libc::RLIMIT_FSIZE),
        ("stack", libc::RLIMIT_STACK),
        ("core", libc::RLIMIT_CORE),
        ("nofile", libc::RLIMIT_NOFILE),
        ("nproc", libc::RLIMIT_NPROC),
        ("memlock", libc::RLIMIT_MEMLOCK),
        ("sigpending", libc::RLIMIT_SIGPENDING),
        ("as", libc::RLIMIT_AS),
    ];
    let limits = all.map(|(name, resource)| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        which(resource as u32, &raw mut limit);
        format!("{name} {} {}", limit.rlim_cur as i64, limit.rlim_max as i64)
    });
    limits.join(", ")
}

fn system() -> String {
    // SAFETY: all zeros is a valid value, and the struct is writable.
    unsafe {
        let mut system: libc::sysinfo = std::mem::zeroed();
        let result = libc::sysinfo(&raw mut system);
        format!("{result} {} {:?} {} {} {}", system.uptime, system.loads, system.totalram, system.freeram, system.procs)
    }
}

fn load() -> String {
    let mut load = [0.0; 3];
    // SAFETY: the array is as long as stated.
    let result = unsafe { libc::getloadavg(load.as_mut_ptr(), 3) };
    format!("{result} {load:?}")
}

fn filesystem() -> String {
    // SAFETY: all zeros is a valid value, and the struct is writable.
    unsafe {
        let mut system: libc::statvfs = std::mem::zeroed();
        let result = libc::statvfs(c"/".as_ptr(), &raw mut system);
        format!("{result} {} {} {} {}", system.f_blocks, system.f_bfree, system.f_bavail, system.f_files)
    }
}

fn interfaces() -> String {
    let mut names = Vec::new();
    // SAFETY: the list is walked as documented and freed once.
    unsafe {
        let mut first = std::ptr::null_mut();
        if libc::getifaddrs(&raw mut first) != 0 {
            return format!("error {}", errno());
        }
        let mut next = first;
        while !next.is_null() {
            let family = (*next).ifa_addr.as_ref().map_or(0, |address| address.sa_family);
            names.push(format!("{:?} {family}", CStr::from_ptr((*next).ifa_name)));
            next = (*next).ifa_next;
        }
        libc::freeifaddrs(first);
    }
    names.join(", ")
}

fn stack_of_thread() -> String {
    // SAFETY: the attributes are initialised by the call and destroyed once.
    unsafe {
        let mut attributes = std::mem::zeroed();
        let result = libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes);
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        format!("{result} {start:p} {size}")
    }
}

fn affinity() -> String {
    // SAFETY: all zeros is a valid value, and the set is as large as stated.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let result = libc::pthread_getaffinity_np(libc::pthread_self(), size_of_val(&set), &raw mut set);
        format!("{result} {}", libc::CPU_COUNT(&set))
    }
}

fn auxiliary() -> String {
    // SAFETY: this reads constants of the process.
    unsafe {
        let [name, program, host] =
            [libc::AT_EXECFN, libc::AT_PLATFORM, libc::AT_SYSINFO_EHDR].map(|what| libc::getauxval(what));
        let text = |address| CStr::from_ptr(address as *const c_char).to_owned();
        format!("{:?} {:?} {}", text(name), text(program), host > 0)
    }
}

fn name(ask: unsafe fn(*mut c_char, usize) -> i32) -> String {
    let mut name = [0; 256];
    // SAFETY: the buffer is as long as stated.
    let result = unsafe { ask(name.as_mut_ptr(), name.len()) };
    // SAFETY: the last byte is still zero.
    format!("{result} {:?}", unsafe { CStr::from_ptr(name.as_ptr()) })
}

/// The probes of this kind. The functions of C that they call have no pointers, or get valid ones.
// SAFETY: for each `unsafe` below, as said above.
pub const PROBES: &[Probe] = &[
    Probe::now("facts::getpid", "`getpid` and `process::id`", || unsafe {
        format!("{} {}", libc::getpid(), std::process::id())
    }),
    Probe::now("facts::getppid", "`getppid`", || unsafe { format!("{}", libc::getppid()) }),
    Probe::now("facts::gettid", "`gettid`", || unsafe { format!("{}", libc::gettid()) }),
    Probe::thread("facts::gettid_of_threads", "`gettid` on two threads", || {
        let numbers = [0, 1].map(|_| std::thread::spawn(|| unsafe { libc::gettid() }).join().expect("it ends"));
        format!("{numbers:?}")
    }),
    Probe::now("facts::pid_by_number", "`syscall(SYS_getpid)`, `SYS_gettid` and `SYS_getppid`", || unsafe {
        format!("{:?}", [libc::SYS_getpid, libc::SYS_gettid, libc::SYS_getppid].map(|number| libc::syscall(number)))
    }),
    Probe::now("facts::groups", "`getpgid`, `getpgrp` and `getsid`", || unsafe {
        format!("{} {} {}", libc::getpgid(0), libc::getpgrp(), libc::getsid(0))
    }),
    Probe::now("facts::uname", "`uname`", machine).fact(),
    Probe::now("facts::uname_by_number", "`syscall(SYS_uname)`", || unsafe {
        let mut machine: libc::utsname = std::mem::zeroed();
        libc::syscall(libc::SYS_uname, &raw mut machine);
        format!("{:?}", CStr::from_ptr(machine.release.as_ptr()))
    })
    .fact(),
    Probe::now("facts::gethostname", "`gethostname`", || name(|name, size| unsafe { libc::gethostname(name, size) }))
        .fact(),
    Probe::now("facts::gethostname_crate", "the `gethostname` crate", || format!("{:?}", gethostname::gethostname()))
        .fact(),
    Probe::now("facts::getdomainname", "`getdomainname`", || name(|name, size| unsafe { getdomainname(name, size) })),
    Probe::now("facts::gethostid", "`gethostid`", || unsafe { format!("{:x}", gethostid()) }).fact(),
    Probe::now("facts::parallelism", "`available_parallelism`", || text(std::thread::available_parallelism())).fact(),
    Probe::now("facts::num_cpus", "the `num_cpus` crate", || {
        format!("{} {}", num_cpus::get(), num_cpus::get_physical())
    })
    .fact(),
    Probe::now("facts::sysconf_processors", "`sysconf` of processors", || unsafe {
        format!("{} {}", libc::sysconf(libc::_SC_NPROCESSORS_ONLN), libc::sysconf(libc::_SC_NPROCESSORS_CONF))
    })
    .fact(),
    Probe::now("facts::get_nprocs", "`get_nprocs`", || unsafe { format!("{} {}", get_nprocs(), get_nprocs_conf()) })
        .fact(),
    Probe::now("facts::sysconf_memory", "`sysconf` of memory", || unsafe {
        format!("{} {}", libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_AVPHYS_PAGES))
    })
    .fact(),
    Probe::now("facts::get_phys_pages", "`get_phys_pages`", || unsafe {
        format!("{} {}", get_phys_pages(), get_avphys_pages())
    })
    .fact(),
    Probe::now("facts::sysconf_limits", "`sysconf` of limits", || unsafe {
        format!("{:?}", [libc::_SC_OPEN_MAX, libc::_SC_CHILD_MAX, libc::_SC_ARG_MAX].map(|name| libc::sysconf(name)))
    }),
    Probe::now("facts::getdtablesize", "`getdtablesize`", || unsafe { format!("{}", getdtablesize()) }),
    Probe::now("facts::affinity", "`pthread_getaffinity_np`", affinity).fact(),
    Probe::now("facts::sched_getcpu", "`sched_getcpu` and `getcpu`", || unsafe {
        let (mut processor, mut node) = (9, 9);
        let mut seen: Vec<_> = (0..100)
            .map(|_| {
                getcpu(&raw mut processor, &raw mut node);
                (libc::sched_getcpu(), processor, node)
            })
            .collect();
        seen.dedup();
        format!("{seen:?}")
    }),
    Probe::now("facts::getrlimit", "`getrlimit`", || {
        limits(|which, limit| unsafe { libc::getrlimit(which as _, limit) })
    }),
    Probe::now("facts::prlimit", "`prlimit`", || {
        limits(|which, limit| unsafe { libc::prlimit(0, which as _, std::ptr::null(), limit) })
    }),
    Probe::now("facts::priority", "`getpriority` and `nice(0)`", || unsafe {
        format!("{} {}", libc::getpriority(libc::PRIO_PROCESS, 0), libc::nice(0))
    }),
    Probe::now("facts::scheduler", "`sched_getscheduler`", || unsafe { format!("{}", libc::sched_getscheduler(0)) }),
    Probe::now("facts::sysinfo", "`sysinfo`", system).fact(),
    Probe::now("facts::getloadavg", "`getloadavg`", load).fact(),
    Probe::now("facts::statvfs", "`statvfs`", filesystem).fact(),
    Probe::now("facts::interfaces", "`getifaddrs`", interfaces),
    Probe::now("facts::stack", "`pthread_getattr_np` of the first thread", stack_of_thread),
    Probe::thread("facts::stack_of_thread", "`pthread_getattr_np` of a thread", stack_of_thread),
    Probe::now("facts::auxiliary", "`getauxval`", auxiliary),
    Probe::now("facts::environment", "`env::vars`", || {
        let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
        names.sort();
        format!("{names:?}")
    }),
    Probe::now("facts::arguments", "`env::args`", || format!("{:?}", std::env::args().collect::<Vec<_>>())),
    Probe::now("facts::program_name", "`program_invocation_name`", || unsafe {
        format!("{:?}", CStr::from_ptr(program_invocation_name))
    }),
    Probe::now("facts::current_exe", "`env::current_exe`", || text(std::env::current_exe())),
    Probe::now("facts::current_dir", "`env::current_dir`", || text(std::env::current_dir())),
    Probe::now("facts::get_current_dir_name", "`get_current_dir_name`", || unsafe {
        format!("{:?}", CStr::from_ptr(get_current_dir_name()))
    }),
    Probe::now("facts::temp_dir", "`env::temp_dir`", || format!("{:?}", std::env::temp_dir())),
    Probe::now("facts::umask", "`umask`", || unsafe {
        let mask = libc::umask(0o022);
        libc::umask(mask);
        format!("{mask:o}")
    }),
    Probe::now("facts::terminal", "`isatty` of the standard streams", || unsafe {
        format!("{:?}", [0, 1, 2].map(|stream| libc::isatty(stream)))
    }),
    Probe::now("facts::thread_name", "the name of the thread", || {
        let own = std::thread::current().name().map(str::to_owned);
        let mut name = [0_u8; 17];
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        format!("{own:?} {:?}", CStr::from_bytes_until_nul(&name))
    }),
    Probe::now("facts::thread_id", "`thread::current().id()`", || format!("{:?}", std::thread::current().id())),
    Probe::now("facts::descriptor", "the number of a new descriptor", || {
        text(std::fs::File::open("/dev/null").map(|file| std::os::fd::AsRawFd::as_raw_fd(&file)))
    }),
    Probe::now("facts::signal_mask", "the mask of signals", || unsafe {
        let mut set = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut set);
        let members: Vec<i32> = (1..32).filter(|signal| libc::sigismember(&raw const set, *signal) == 1).collect();
        format!("{members:?}")
    }),
    Probe::now("facts::heap", "`mallinfo2`", || unsafe {
        let heap = libc::mallinfo2();
        format!("{} {}", heap.arena, heap.uordblks)
    }),
    Probe::now("facts::raw_uname", "`uname` without the C library", || {
        let machine = rustix::system::uname();
        format!("{:?} {:?}", machine.nodename(), machine.release())
    })
    .fact(),
    Probe::now("facts::raw_pid", "`getpid`, `getppid` and `gettid` without the C library", || {
        let (process, parent) = (rustix::process::getpid(), rustix::process::getppid());
        format!("{process:?} {parent:?} {:?}", rustix::thread::gettid())
    }),
    Probe::now("facts::raw_sysinfo", "`sysinfo` without the C library", || {
        let system = rustix::system::sysinfo();
        format!("{} {}", system.uptime, system.totalram)
    })
    .fact(),
];
