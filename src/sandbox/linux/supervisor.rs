//! The supervisor's side: it starts a zygote, gives it jobs, and reads how each child ended. The calling process may
//! have threads and any environment; neither reaches the zygote.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::mem::{self, MaybeUninit};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::thread;
use std::time::Duration;

use libc::{c_int, pid_t};

use super::protocol::{Command, KEPT_OUTPUT_BYTES, MAGIC, Report};
use super::shared_status::{self, SharedStatus};
use super::start::{EXECUTION_FAILED, Start, memory_file, on_lasting_thread, pipe};
use super::temporary::TemporaryDirectory;
use super::zygote;
use crate::sandbox::clock::nanos;
use crate::sandbox::job::{End, EntryPoint, Finished, ProcessLimits};

/// How long a zygote may take to get ready.
const READY_WITHIN_MS: c_int = 60_000;

/// Whether address randomisation is off for the whole system.
pub(super) fn randomises_nothing() -> bool {
    std::fs::read("/proc/sys/kernel/randomize_va_space").is_ok_and(|value| value.starts_with(b"0"))
}

/// Whether runs see the same addresses in every process of this executable, because this process or the whole system
/// does not randomise them.
pub(in crate::sandbox) fn addresses_are_fixed() -> bool {
    zygote::addresses_are_fixed() || randomises_nothing()
}

/// Gives jobs to one zygote, and replaces it if it dies.
pub(in crate::sandbox) struct Forker {
    entry: EntryPoint,
    zygote: Zygote,
}

impl Forker {
    /// Starts a zygote. `Ok(None)` if this system does not allow it.
    pub(in crate::sandbox) fn spawn(entry: &EntryPoint) -> io::Result<Option<Forker>> {
        Ok(Zygote::spawn(entry)?.map(|zygote| Forker { entry: entry.clone(), zygote }))
    }

    pub(in crate::sandbox) fn address_randomisation_off(&self) -> bool {
        self.zygote.addresses_fixed
    }

    pub(in crate::sandbox) fn run(&mut self, job: &[u8], limits: &ProcessLimits) -> io::Result<Finished> {
        let Err(first) = self.zygote.run(job, limits) else { return self.zygote.finished() };
        self.zygote = Zygote::spawn(&self.entry)?.ok_or_else(|| {
            io::Error::other(format!("the process that forks the runs ended ({first}) and cannot be started again"))
        })?;
        match self.zygote.run(job, limits) {
            Ok(()) => self.zygote.finished(),
            Err(second) => Err(io::Error::other(format!(
                "the process that forks the runs ended twice on the same job: first {first}; then {second}"
            ))),
        }
    }
}

/// A zygote, with the pipes, files and memory that it shares with the supervisor.
struct Zygote {
    pid: pid_t,
    addresses_fixed: bool,
    commands: File,
    reports: File,
    job: File,
    outcome: File,
    output: File,
    log: File,
    /// Where the runs' temporary files are, if this machine has a place for them.
    temporary: Option<TemporaryDirectory>,
    shared_status: NonNull<SharedStatus>,
    report: Report,
}

// SAFETY: the mapping of the shared status belongs to the whole process, and only its owner uses it.
unsafe impl Send for Zygote {}

impl Zygote {
    fn spawn(entry: &EntryPoint) -> io::Result<Option<Zygote>> {
        match Zygote::try_spawn(entry, None)? {
            // The dynamic linker exits with code 127 if it cannot find a library. Cargo sets this variable to help it,
            // but the first attempt leaves the variable out, because its value shifts all addresses on the stack.
            Spawned::Died { code: Some(127), why } => match std::env::var_os("LD_LIBRARY_PATH") {
                Some(path) => Zygote::try_spawn(entry, Some(&path))?.into_result(),
                None => Err(why),
            },
            other => other.into_result(),
        }
    }

    fn try_spawn(entry: &EntryPoint, library_path: Option<&OsStr>) -> io::Result<Spawned> {
        let (Ok((command_end, commands)), Ok((reports, report_end))) = (pipe(), pipe()) else {
            return Ok(Spawned::Impossible);
        };
        let files =
            [c"squall job", c"squall outcome", c"squall output", c"squall status", c"squall log"].map(memory_file);
        let [Ok(job), Ok(outcome), Ok(output), Ok(status_file), Ok(log)] = files else {
            return Ok(Spawned::Impossible);
        };
        status_file.set_len(SharedStatus::SIZE as u64)?;
        for appended in [&output, &log] {
            // Standard output and standard error share this file, and it is truncated between jobs.
            // SAFETY: the descriptor is open for as long as its file.
            unsafe { libc::fcntl(appended.as_raw_fd(), libc::F_SETFL, libc::O_APPEND) };
        }
        let Ok(null) = File::open("/dev/null") else { return Ok(Spawned::Impossible) };
        let shared_status = SharedStatus::map(status_file.as_raw_fd())?;
        let temporary = TemporaryDirectory::new().ok();
        let start = Start::new(entry, library_path)?;
        let descriptors = [
            null.as_raw_fd(),
            log.as_raw_fd(),
            log.as_raw_fd(),
            command_end.as_raw_fd(),
            report_end.as_raw_fd(),
            job.as_raw_fd(),
            outcome.as_raw_fd(),
            output.as_raw_fd(),
            status_file.as_raw_fd(),
            // Where there is none, programs that want one see an error, and the same one in every run.
            temporary.as_ref().map_or(null.as_raw_fd(), TemporaryDirectory::descriptor),
        ];
        let pid = match on_lasting_thread(move || start.fork(descriptors)) {
            Ok(pid) => pid,
            Err(_) => return Ok(Spawned::Impossible),
        };
        drop((command_end, report_end));
        let report = Report { magic: 0, status: 0, killed: 0, cpu_nanos: 0 };
        let mut zygote = Zygote {
            pid,
            addresses_fixed: false,
            commands,
            reports,
            job,
            outcome,
            output,
            log,
            temporary,
            shared_status,
            report,
        };
        match zygote.receive(Some(READY_WITHIN_MS)) {
            Ok(report) => {
                zygote.addresses_fixed = report.status != 0 || randomises_nothing();
                Ok(Spawned::Ready(zygote))
            }
            Err(why) => {
                let status = zygote.reap();
                if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == EXECUTION_FAILED {
                    return Ok(Spawned::Impossible);
                }
                let hint = match entry {
                    EntryPoint::Main => "main() must call serve_if_zygote() first".to_owned(),
                    EntryPoint::Test(name) => {
                        format!("is there a test `{name}` in this binary, and does it run a scenario?")
                    }
                };
                let text = format!(
                    "cannot start the process that forks the runs: {why}; it {}; {hint}{}",
                    ended(status),
                    zygote.log_text()
                );
                Ok(Spawned::Died {
                    code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
                    why: io::Error::other(text),
                })
            }
        }
    }

    /// Runs a job. An error means that the zygote has ended.
    fn run(&mut self, job: &[u8], limits: &ProcessLimits) -> io::Result<()> {
        for file in [&self.job, &self.outcome, &self.output] {
            file.set_len(0)?;
        }
        if self.temporary.as_ref().is_some_and(|temporary| !temporary.is_clear()) {
            return Err(io::Error::other("the temporary files of the run before cannot be removed"));
        }
        self.job.write_all_at(job, 0)?;
        self.shared_status().clear();
        let command = Command {
            magic: MAGIC,
            cpu_nanos: nanos(limits.cpu),
            stuck_nanos: nanos(limits.stuck),
            wall_nanos: nanos(limits.wall),
            memory_bytes: limits.memory_bytes,
            job_bytes: job.len() as u64,
        };
        // SAFETY: `Command` has no padding, and the slice covers it exactly.
        let bytes = unsafe { std::slice::from_raw_parts(ptr::from_ref(&command).cast(), mem::size_of::<Command>()) };
        let sent = io::Write::write_all(&mut self.commands, bytes);
        match sent.and_then(|()| self.receive(None)) {
            Ok(report) => {
                self.report = report;
                self.temporary.iter_mut().for_each(TemporaryDirectory::clear);
                Ok(())
            }
            Err(error) => {
                let status = self.reap();
                Err(io::Error::other(format!("{error}; it {}{}", ended(status), self.log_text())))
            }
        }
    }

    /// How the last job ended.
    fn finished(&self) -> io::Result<Finished> {
        let shared_status = self.shared_status();
        let (host, at) = shared_status.position();
        let output = self.output_text()?;
        let status = self.report.status;
        let end = match shared_status.end() {
            shared_status::RETURNED => {
                let mut bytes = vec![0; self.outcome.metadata()?.len() as usize];
                self.outcome.read_exact_at(&mut bytes, 0)?;
                End::Returned(bytes)
            }
            shared_status::PANICKED => End::Panicked,
            shared_status::CPU_LIMIT => End::CpuLimit,
            shared_status::STUCK => End::Stuck,
            shared_status::CLOCK_SPIN => End::ClockSpin,
            shared_status::BLOCKED => End::Blocked,
            shared_status::STACK_OVERFLOW => End::StackOverflow,
            _ if self.report.killed != 0 => End::Blocked,
            _ if libc::WIFEXITED(status) => End::Exited { code: libc::WEXITSTATUS(status) },
            _ => {
                let tail = String::from_utf8_lossy(&output[output.len().saturating_sub(4096)..]).into_owned();
                match libc::WTERMSIG(status) {
                    libc::SIGABRT if tail.contains("has overflowed its stack") => End::StackOverflow,
                    libc::SIGABRT if tail.contains("memory allocation of ") => End::MemoryLimit,
                    signal => End::Aborted { signal },
                }
            }
        };
        let (host, at) = if matches!(end, End::Returned(_)) { (None, Duration::ZERO) } else { (host, at) };
        let cpu = Duration::from_nanos(self.report.cpu_nanos);
        // The outcome of a job that returned is complete without the ledger.
        let ledger = if matches!(end, End::Returned(_)) { Vec::new() } else { shared_status.ledger().to_vec() };
        Ok(Finished { end, host, at, panics: shared_status.panics(), ledger, output, cpu })
    }

    /// The captured output: all of it, or its head and its tail.
    fn output_text(&self) -> io::Result<Vec<u8>> {
        let length = self.output.metadata()?.len();
        if length <= 2 * KEPT_OUTPUT_BYTES {
            let mut all = vec![0; length as usize];
            self.output.read_exact_at(&mut all, 0)?;
            return Ok(all);
        }
        let mut kept = vec![0; KEPT_OUTPUT_BYTES as usize];
        self.output.read_exact_at(&mut kept, 0)?;
        kept.extend(format!("\n[... {} bytes left out ...]\n", length - 2 * KEPT_OUTPUT_BYTES).bytes());
        let mut tail = vec![0; KEPT_OUTPUT_BYTES as usize];
        self.output.read_exact_at(&mut tail, length - KEPT_OUTPUT_BYTES)?;
        kept.extend(tail);
        Ok(kept)
    }

    fn log_text(&self) -> String {
        let mut bytes = vec![0; self.log.metadata().map_or(0, |data| data.len().min(16 * 1024)) as usize];
        match self.log.read_exact_at(&mut bytes, 0) {
            Ok(()) if !bytes.is_empty() => format!("; it wrote:\n{}", String::from_utf8_lossy(&bytes)),
            _ => String::new(),
        }
    }

    fn shared_status(&self) -> &SharedStatus {
        // SAFETY: the mapping lasts until `drop`.
        unsafe { self.shared_status.as_ref() }
    }

    fn receive(&mut self, timeout_ms: Option<c_int>) -> io::Result<Report> {
        if let Some(timeout_ms) = timeout_ms {
            let mut waited = libc::pollfd { fd: self.reports.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: the pointer is to a local variable.
            if unsafe { libc::poll(&mut waited, 1, timeout_ms) } == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it was not ready in time"));
            }
        }
        let mut report = MaybeUninit::<Report>::zeroed();
        // SAFETY: the bytes are initialised, and the slice covers the value exactly.
        let bytes = unsafe { std::slice::from_raw_parts_mut(report.as_mut_ptr().cast(), mem::size_of::<Report>()) };
        self.reports.read_exact(bytes).map_err(|_| io::Error::other("it ended without an answer"))?;
        // SAFETY: any bytes are a valid report.
        let report = unsafe { report.assume_init() };
        if report.magic == MAGIC { Ok(report) } else { Err(io::Error::other("it sent something other than a report")) }
    }

    /// Ends the zygote, and its child with it. Returns the zygote's wait status if it ended by itself; 0 if it was
    /// killed or already reaped.
    fn reap(&mut self) -> c_int {
        let mut status = 0;
        if self.pid > 0 {
            // A zygote whose pipe has broken is about to end by itself, and its own status says more than a kill.
            for _ in 0..50 {
                // SAFETY: the process is a child of this one and has not been waited for.
                if unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) } != 0 {
                    self.pid = 0;
                    return status;
                }
                thread::sleep(Duration::from_millis(1));
            }
            self.kill();
        }
        status
    }

    fn kill(&mut self) {
        if self.pid > 0 {
            // SAFETY: the process is a child of this one and has not been waited for.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, ptr::null_mut(), 0);
            }
            self.pid = 0;
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.kill();
        // SAFETY: the mapping is not used again.
        unsafe { SharedStatus::unmap(self.shared_status) };
    }
}

enum Spawned {
    Ready(Zygote),
    /// This system does not allow such a process.
    Impossible,
    /// It started, and ended before it was ready.
    Died {
        code: Option<c_int>,
        why: io::Error,
    },
}

impl Spawned {
    fn into_result(self) -> io::Result<Option<Zygote>> {
        match self {
            Spawned::Ready(zygote) => Ok(Some(zygote)),
            Spawned::Impossible => Ok(None),
            Spawned::Died { why, .. } => Err(why),
        }
    }
}

fn ended(status: c_int) -> String {
    if libc::WIFEXITED(status) {
        format!("exited with code {}", libc::WEXITSTATUS(status))
    } else {
        format!("was ended by signal {}", libc::WTERMSIG(status))
    }
}
