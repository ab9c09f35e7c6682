//! A job always sees the same bytes, no matter what ran before it or where and how the supervisor was started.

use std::process::Command;

use libtest_mimic::Trial;
use squall::internal::sandbox::ProcessLimits;

use crate::{returned, run, trial, worker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("sameness::between_workers_and_after_fifty_jobs", between_workers),
        trial("sameness::from_other_directories_and_environments", from_elsewhere),
        trial("sameness::if_addresses_stay_randomised", randomised),
        trial("sameness::if_no_process_can_be_made", refused),
        trial("sameness::hosts_draw_independent_entropy", || assert!(!returned(&run("host-entropy")).is_empty())),
    ]
}

fn differences(expected: &str, found: &str) -> String {
    let lines = expected.lines().zip(found.lines()).filter(|(a, b)| a != b);
    lines.map(|(a, b)| format!("{a}\n{b}\n")).collect()
}

fn between_workers() {
    let expected = returned(&run("everything"));
    println!("{expected}");
    assert!(expected.contains("cpus Ok(4) pid 4242"));
    if cfg!(target_os = "linux") {
        assert!(expected.contains("kernel Linux, squall, 6.1.0-squall, #1 SMP parent 1 processor 0"));
    }
    assert!(
        expected.contains("environment {\"SQUALL_ZYGOTE\": \"1\", \"TMPDIR\": \"/proc/self/fd/9\", \"TZ\": \"UTC\"}")
    );
    assert!(expected.contains("arguments [\"squall-zygote\", \"--squall-zygote\"] in Ok(\"/\")"));
    let mut worker = worker();
    assert!(worker.address_randomisation_off(), "this test needs address randomisation to be off");
    for n in 0..50 {
        // Other jobs run in between, some of which end abnormally.
        let other = ["empty", "panic", "host-entropy", "abort", "task-panic"][n % 5];
        worker.run(other.as_bytes(), &ProcessLimits::default()).expect("the zygote runs the job");
        let found = returned(&worker.run(b"everything", &ProcessLimits::default()).expect("the zygote runs the job"));
        assert!(found == expected, "job {n}:\n{}", differences(&expected, &found));
    }
}

fn from_elsewhere() {
    let expected = returned(&run("everything"));
    let executable = std::env::current_exe().expect("the executable has a path");
    let executable = executable.to_str().expect("the path is text");
    for (n, script) in [
        format!("cd /tmp && exec {executable}"),
        format!("cd /usr && ulimit -s 1024 && exec {executable} --list one two three"),
        format!("ulimit -S -s unlimited; ulimit -S -n 200; exec {executable} x"),
        format!("exec -a another-name-that-is-long {executable} < /dev/null 5< /etc/passwd"),
    ]
    .into_iter()
    .enumerate()
    {
        let output = Command::new("bash")
            .args(["-c", &script])
            .env_clear()
            .env("SANDBOX_TEST_PRINT", "everything")
            .env("TZ", "Asia/Tokyo")
            .env("PADDING", "x".repeat(n * 1111))
            .env("RUST_BACKTRACE", if n % 2 == 0 { "full" } else { "0" })
            .output()
            .expect("bash starts");
        let found = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(found == expected, "{script}:\n{}{errors}", differences(&expected, &found));
    }
}

/// Runs a job under a supervisor that may not make the system call `refused`, and returns what it prints.
fn run_refusing(job: &str, refused: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("the executable has a path"))
        .env("SANDBOX_TEST_PRINT", job)
        .env("SANDBOX_TEST_REFUSE", refused)
        .output()
        .expect("the executable starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn randomised() {
    assert_eq!(run_refusing("echo here", ""), "forked true, fixed true: here");
    // Docker's default seccomp filter refuses this call.
    assert_eq!(run_refusing("echo here", "personality"), "forked true, fixed false: here");
    let found = run_refusing("everything", "personality");
    let without_addresses = |text: &str| {
        let kept =
            text.lines().filter(|line| ["rand", "hash", "map", "instant", "cpus"].iter().any(|w| line.starts_with(w)));
        kept.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_addresses(&found), without_addresses(&returned(&run("everything"))));
}

fn refused() {
    assert_eq!(run_refusing("echo here", "memfd_create"), "forked false, fixed false: here");
    assert_eq!(run_refusing("turmoil", "memfd_create"), "forked false, fixed false: ");
}

/// Makes the kernel refuse the system call of this name to this process and its children from now on.
#[cfg(target_os = "linux")]
pub(crate) fn refuse(name: &str) {
    match name {
        "personality" => crate::refuse::refuse(libc::SYS_personality),
        "memfd_create" => crate::refuse::refuse(libc::SYS_memfd_create),
        _ => {}
    }
}
