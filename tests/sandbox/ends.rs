//! Every way in which a run can end is reported, and none affects the next run.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use squall::internal::sandbox::{End, ProcessLimits, Worker};

use crate::{output, returned, run, trial, worker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ends::a_run_that_stands_still_ends_long_before_its_limit", frozen),
        trial("ends::each_abnormal_end_is_reported_and_later_jobs_go_on", each_abnormal_end),
        trial("ends::large_jobs_and_outcomes_arrive_whole", large),
        trial("ends::endless_output_keeps_head_and_tail", long_output),
        trial("ends::a_panic_in_a_task_is_noted", task_panic),
        trial("ends::a_worker_may_outlive_its_thread", outlives_thread),
        trial("ends::a_killed_zygote_is_replaced", killed_zygote),
        trial("ends::no_child_outlives_the_supervisor", no_orphans),
        trial("ends::without_processes_jobs_run_on_threads", without_processes),
        trial("ends::the_cost_of_an_empty_job", cost),
    ]
}

fn each_abnormal_end() {
    let secs = Duration::from_secs;
    let patient = ProcessLimits { cpu: secs(6), stuck: secs(1), wall: secs(60), memory_bytes: 128 << 20 };
    // Only the job that waits forever should reach the wall-clock limit. On a busy machine, the others may take long to
    // use up their CPU time.
    let impatient = ProcessLimits { wall: secs(3), ..patient.clone() };
    let frugal = ProcessLimits { cpu: secs(1), stuck: secs(6), ..patient.clone() };
    let mut worker = worker();
    for (job, expected) in [
        ("panic", End::Panicked),
        ("abort", End::Aborted { signal: 6 }),
        ("overflow", End::StackOverflow),
        ("segfault", End::Aborted { signal: 11 }),
        ("memory", End::MemoryLimit),
        ("exit 0", End::Exited { code: 0 }),
        ("exit 3", End::Exited { code: 3 }),
        ("clock-spin", End::ClockSpin),
        ("cpu-spin", End::Stuck),
        ("cpu-spin", End::CpuLimit),
        ("deadlock", End::Blocked),
        ("blocked", End::Blocked),
    ] {
        let limits = match &expected {
            End::CpuLimit => &frugal,
            _ if job == "blocked" => &impatient,
            _ => &patient,
        };
        let start = Instant::now();
        let finished = worker.run(job.as_bytes(), limits).expect("the zygote runs the job");
        println!("{job}: {:?}, {:?} of CPU, {:?}", finished.end, finished.cpu, start.elapsed());
        assert_eq!(finished.end, expected, "{job}: {}", output(&finished));
        assert_eq!(
            (finished.host, finished.at),
            (Some(usize::from(job != "panic")), Duration::from_millis(50)),
            "{job}"
        );
        if job == "panic" {
            let panic = &finished.panics[0];
            assert_eq!(panic.message, "the handler gives up");
            assert_eq!((panic.host.as_deref(), panic.at), (Some("alpha"), Duration::from_millis(50)));
            assert!(output(&finished).contains("the handler gives up"), "{}", output(&finished));
        }
        let next = worker.run(b"echo still here", limits).expect("the zygote runs the job");
        assert_eq!(returned(&next), "still here", "after {job}");
        assert!(next.output.is_empty() && next.panics.is_empty(), "after {job}: {next:?}");
    }
    assert_eq!(run("overflow-outside").end, End::StackOverflow);
}

fn frozen() {
    let start = Instant::now();
    assert_eq!(run("blocked").end, End::Blocked);
    let took = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

fn large() {
    let mut worker = worker();
    for megabytes in [0, 1, 7] {
        let text = "0123456789abcdef".repeat(megabytes << 16);
        let finished =
            worker.run(format!("echo {text}").as_bytes(), &ProcessLimits::default()).expect("the zygote runs the job");
        assert!(returned(&finished) == text);
    }
}

fn long_output() {
    let mut worker = worker();
    let finished = worker.run(b"print 100000", &ProcessLimits::default()).expect("the zygote runs the job");
    let text = output(&finished);
    assert!(text.starts_with("line 0 of") && text.ends_with("line 99999 of the output of this job\n"));
    assert!(text.contains("bytes left out") && text.len() < 300 * 1024, "{}", text.len());
    let finished = worker.run(b"print 1000000", &ProcessLimits::default()).expect("the zygote runs the job");
    let text = output(&finished);
    assert!(text.starts_with("line 0 of") && text.ends_with("line 999999 of the output of this job\n"));
    assert!(!text.contains('\0'));
}

fn task_panic() {
    let text = returned(&run("task-panic"));
    assert!(text.starts_with("a task gives up Some(\"beta\") 20ms tests/sandbox/jobs.rs:"), "{text}");
}

fn outlives_thread() {
    let mut worker = std::thread::spawn(worker).join().expect("the thread does not panic");
    std::thread::sleep(Duration::from_millis(20));
    let finished = worker.run(b"echo moved", &ProcessLimits::default()).expect("the zygote runs the job");
    assert_eq!(returned(&finished), "moved");
}

fn children_of(parent: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc is mounted").flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        if rest.split(' ').nth(1) == Some(&parent.to_string()) {
            children.push(entry.file_name().to_string_lossy().parse().expect("the text is a number"));
        }
    }
    children
}

/// Starts this executable as another supervisor, which runs `job`.
fn supervisor(job: &str) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().expect("the executable has a path"))
        .env("SANDBOX_TEST_PRINT", job)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the executable starts")
}

/// Polls `find` until it returns a value.
fn until<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the condition was not met within 10 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(pid: u32) {
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
}

fn killed_zygote() {
    let mut supervisor = supervisor("orphan");
    let first = until(|| children_of(supervisor.id()).first().copied());
    until(|| children_of(first).first().copied());
    kill(first);
    let second = until(|| children_of(supervisor.id()).into_iter().find(|pid| *pid != first));
    until(|| children_of(second).first().copied());
    // If the zygote dies a second time on the same job, that is an error and not a loop.
    kill(second);
    assert!(!supervisor.wait().expect("it ends").success());
}

fn no_orphans() {
    let mut supervisor = supervisor("orphan");
    let zygote = until(|| children_of(supervisor.id()).first().copied());
    let child = until(|| children_of(zygote).first().copied());
    supervisor.kill().expect("it is killed");
    supervisor.wait().expect("it ends");
    for pid in [zygote, child] {
        until(|| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }
}

fn without_processes() {
    let mut worker = Worker::on_threads(std::sync::Arc::new(crate::jobs::run));
    assert!(!worker.is_forked() && !worker.address_randomisation_off());
    let limits = ProcessLimits::default();
    assert_eq!(returned(&worker.run(b"echo here", &limits).expect("the job runs")), "here");
    let finished = worker.run(b"panic", &limits).expect("the job runs");
    assert_eq!((finished.end, finished.panics[0].message.as_str()), (End::Panicked, "the handler gives up"));
    // With no process to end, a spin leaves a note and the clock jumps ahead.
    assert_eq!(returned(&worker.run(b"clock-spin", &limits).expect("the job runs")), "");
    assert_eq!(returned(&worker.run(b"echo here", &limits).expect("the job runs")), "here");
}

fn cost() {
    let mut worker = worker();
    assert_eq!(returned(&worker.run(b"empty", &ProcessLimits::default()).expect("the job runs")), "");
    const JOBS: u32 = 200;
    let start = Instant::now();
    for _ in 0..JOBS {
        worker.run(b"empty", &ProcessLimits::default()).expect("the job runs");
    }
    println!("an empty job takes {:?}", start.elapsed() / JOBS);
}
