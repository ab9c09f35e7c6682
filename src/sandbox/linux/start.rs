//! How a zygote is started: by a thread that lasts, in a process where nothing of the supervisor remains but the pipes.

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

use super::protocol::{COMMAND_FD, JOB_FD, MARKER, OUTCOME_FD, OUTPUT_FD, RESULT_FD, STATUS_FD};
use super::raw::call;
use super::zygote::die_with;
use crate::sandbox::job::EntryPoint;

/// How a zygote says that it could not become one.
pub(super) const EXECUTION_FAILED: c_int = 126;

/// All that a new zygote needs, made before the fork: after it, the heap may be locked by a thread that is no more.
pub(super) struct Start {
    arguments: Vec<CString>,
    environment: Vec<CString>,
    front: pid_t,
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
        let mut environment = vec![CString::from(c"TZ=UTC"), CString::new([MARKER.to_bytes(), b"=1"].concat())?];
        if let Some(path) = library_path {
            environment.push(CString::new([b"LD_LIBRARY_PATH=", path.as_bytes()].concat())?);
        }
        Ok(Start { arguments, environment, front: call!(libc::SYS_getpid) as pid_t })
    }

    pub(super) fn fork(self, descriptors: [c_int; 9]) -> io::Result<pid_t> {
        let pointers = |texts: &[CString]| {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<*const c_char>>()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: the child makes system calls only, on memory that is ready.
        match unsafe { libc::fork() } {
            0 => unsafe { become_zygote(self.front, descriptors, &arguments, &environment) },
            pid if pid > 0 => Ok(pid),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// # Safety
/// Only in a process that was just forked; the texts must be null-terminated lists of C strings.
unsafe fn become_zygote(
    front: pid_t,
    descriptors: [c_int; 9],
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> ! {
    const ABOVE_ALL: c_int = 32;
    const _: () = assert!(COMMAND_FD == 3 && RESULT_FD == 4 && JOB_FD == 5 && OUTCOME_FD == 6);
    const _: () = assert!(OUTPUT_FD == 7 && STATUS_FD == 8);
    // SAFETY: system calls with valid arguments.
    unsafe {
        die_with(front);
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        // First out of the way, as a descriptor may have the number that another one is to get.
        let moved = descriptors.map(|fd| libc::fcntl(fd, libc::F_DUPFD, ABOVE_ALL));
        for (target, fd) in moved.into_iter().enumerate() {
            libc::dup2(fd, target as c_int);
        }
        if call!(libc::SYS_close_range, 9, u32::MAX, 0) < 0 {
            for fd in 9..65_536 {
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
        // Where this is refused, the run goes on, and the zygote reports it.
        libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
        libc::execve(c"/proc/self/exe".as_ptr(), arguments.as_ptr(), environment.as_ptr());
        libc::_exit(EXECUTION_FAILED)
    }
}

/// # Safety
/// `resource` must be one of the `RLIMIT_` constants.
unsafe fn set_soft_limit(resource: c_int, value: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a place of ours.
    unsafe {
        if libc::getrlimit(resource as _, &mut limit) == 0 {
            limit.rlim_cur = value.min(limit.rlim_max);
            libc::setrlimit(resource as _, &limit);
        }
    }
}

/// Runs `work` on a thread that lasts as long as the process: the kernel ends a zygote when the thread that forked it
/// ends, and a worker may outlive the thread that made it.
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

/// A pipe: its reading end, then its writing end.
pub(super) fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: a place of ours, and new descriptors that nobody else owns.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])))
    }
}

/// A file without a name, in memory.
pub(super) fn memory_file(name: &CStr) -> io::Result<File> {
    // SAFETY: a C string, and a new descriptor that nobody else owns.
    unsafe {
        let fd = libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from(OwnedFd::from_raw_fd(fd))) }
    }
}
