//! The start of a zygote: a lasting thread forks a process that inherits only pipes and memory files from the
//! supervisor.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;

use libc::{c_char, c_int, pid_t};

use super::protocol::{
    COMMAND_FD, DESCRIPTORS, JOB_FD, MARKER, OUTCOME_FD, OUTPUT_FD, RESULT_FD, STATUS_FD, TEMPORARY_FD,
};
use super::raw::call;
use super::temporary;
use super::zygote::die_with;
use crate::sandbox::job::EntryPoint;

/// The exit code of a forked process that could not execute this program again as a zygote.
pub(super) const EXECUTION_FAILED: c_int = 126;

/// All that a new zygote needs. It is built before the fork, because after it the heap may be locked by a thread that
/// no longer exists.
pub(super) struct Start {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    supervisor: pid_t,
}

impl Start {
    pub(super) fn new(entry: &EntryPoint, library_path: Option<&OsStr>) -> io::Result<Start> {
        let mut arguments = vec![CString::from(c"squall-zygote")];
        match entry {
            EntryPoint::Main => arguments.push(CString::from(c"--squall-zygote")),
            EntryPoint::Test(name) => {
                for argument in ["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"] {
                    arguments.push(CString::new(argument)?);
                }
            }
        }
        let mut environment = vec![
            CString::from(c"TZ=UTC"),
            CString::new([b"TMPDIR=", temporary::PATH.to_bytes()].concat())?,
            CString::new([MARKER.to_bytes(), b"=1"].concat())?,
        ];
        if let Some(path) = library_path {
            environment.push(CString::new([b"LD_LIBRARY_PATH=", path.as_bytes()].concat())?);
        }
        Ok(Start { arguments, environment, supervisor: call!(libc::SYS_getpid) as pid_t })
    }

    pub(super) fn fork(self, descriptors: [c_int; DESCRIPTORS]) -> io::Result<pid_t> {
        let pointers = |texts: &[CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<*const c_char>>()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: the child only makes system calls, on memory that was prepared before.
        match unsafe { libc::fork() } {
            0 => unsafe { become_zygote(self.supervisor, descriptors, &arguments, &environment) },
            pid if pid > 0 => Ok(pid),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// # Safety
/// The process must have just been forked, and the slices must be null-terminated lists of C strings.
unsafe fn become_zygote(
    supervisor: pid_t,
    descriptors: [c_int; DESCRIPTORS],
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> ! {
    const FREE_FROM: c_int = 32;
    const _: () = assert!(COMMAND_FD == 3 && RESULT_FD == 4 && JOB_FD == 5 && OUTCOME_FD == 6);
    const _: () = assert!(OUTPUT_FD == 7 && STATUS_FD == 8 && TEMPORARY_FD == 9);
    // SAFETY: the arguments of these system calls are valid.
    unsafe {
        die_with(supervisor);
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        // They are moved out of the way first, as one may already have the number that is meant for another.
        let moved = descriptors.map(|fd| libc::fcntl(fd, libc::F_DUPFD, FREE_FROM));
        for (target, fd) in moved.into_iter().enumerate() {
            libc::dup2(fd, target as c_int);
        }
        if call!(libc::SYS_close_range, DESCRIPTORS, u32::MAX, 0) < 0 {
            for fd in DESCRIPTORS as c_int..65_536 {
                libc::close(fd);
            }
        }
        libc::chdir(c"/".as_ptr());
        libc::umask(0o022);
        for (resource, value) in [
            (libc::RLIMIT_STACK, 8 * 1024 * 1024),
            (libc::RLIMIT_NOFILE, 1024),
            (libc::RLIMIT_CORE, 0),
            (libc::RLIMIT_AS, u64::MAX),
            (libc::RLIMIT_DATA, u64::MAX),
            (libc::RLIMIT_FSIZE, u64::MAX),
            (libc::RLIMIT_CPU, u64::MAX),
        ] {
            set_soft_limit(resource as c_int, value);
        }
        // If this is refused, the zygote starts all the same and reports that its addresses are randomised.
        libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
        libc::execve(c"/proc/self/exe".as_ptr(), arguments.as_ptr(), environment.as_ptr());
        libc::_exit(EXECUTION_FAILED)
    }
}

/// # Safety
/// `resource` must be one of the `RLIMIT_` constants.
unsafe fn set_soft_limit(resource: c_int, value: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a local variable.
    unsafe {
        if libc::getrlimit(resource as _, &mut limit) == 0 {
            limit.rlim_cur = value.min(limit.rlim_max);
            libc::setrlimit(resource as _, &limit);
        }
    }
}

/// Runs `work` on a thread that lasts as long as the process. The kernel kills a zygote when the thread that forked it
/// ends, and a worker may outlive the thread that spawned it.
pub(super) fn on_lasting_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    type Work = Box<dyn FnOnce() + Send>;
    static QUEUE: OnceLock<Mutex<mpsc::Sender<Work>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Work>();
        thread::Builder::new()
            .name("squall zygotes".to_owned())
            .spawn(move || receiver.into_iter().for_each(|work| work()))
            .expect("a thread can be started");
        Mutex::new(sender)
    });
    let (done, result) = mpsc::channel();
    let work: Work = Box::new(move || drop(done.send(work())));
    let sent = queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).send(work);
    sent.expect("the thread lasts as long as the process");
    result.recv().expect("forking does not panic")
}

/// Opens a pipe and returns its reading end, then its writing end.
pub(super) fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: the array is a local variable, and the new descriptors have no other owner.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])))
    }
}

/// Creates a file in memory; `name` is for debugging only.
pub(super) fn memory_file(name: &CStr) -> io::Result<File> {
    // SAFETY: the name is a C string, and the new descriptor has no other owner.
    unsafe {
        let fd = libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from(OwnedFd::from_raw_fd(fd))) }
    }
}
