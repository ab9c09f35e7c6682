//! Runs have temporary directories of their own, under a path that is the same in each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use squall::internal::sandbox::{End, ProcessLimits, Worker};

use super::jobs::on_host;
use crate::{returned, trial, worker};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("temporary::runs_at_once_never_meet", at_once),
        trial("temporary::nothing_of_a_run_stays_however_it_ends", however_it_ends),
        trial("temporary::a_directory_goes_with_its_worker_or_is_found_later", removed),
    ]
}

/// The job: leaves a file that is named after the process, tells what it sees, and ends as it is told.
pub(crate) fn leave_files(end: &str) -> String {
    if end == "real" {
        // Outside of a simulation, nothing is hidden.
        return fs::read_link(std::env::temp_dir()).expect("it is a link").display().to_string();
    }
    on_host(1, 50, || {
        let directory = std::env::temp_dir();
        let path = directory.join(format!("app-{}.lock", std::process::id()));
        let made = fs::File::create_new(&path).map_err(|error| error.to_string());
        fs::create_dir_all(directory.join("nested/deeper")).expect("directories are made");
        fs::write(directory.join("nested/deeper/file"), "text").expect("a file is written");
        let names = fs::read_dir(&directory).expect("it is read").flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        let resolved = fs::canonicalize(directory.join("nested/../nested/deeper"));
        std::env::set_current_dir(directory.join("nested")).expect("it is a directory");
        let text = format!(
            "{} {:?} {names:?} {resolved:?} {:?} {:?} {:?}",
            path.display(),
            made.map(drop),
            std::env::current_dir(),
            fs::symlink_metadata(&directory).map(|found| found.is_dir()),
            fs::read_link(&directory).map_err(|error| error.kind()),
        );
        match end {
            "abort" => std::process::abort(),
            "exit" => std::process::exit(3),
            "hang" => loop {
                std::hint::black_box(0);
            },
            _ => text,
        }
    })
}

const SEEN: &str = "/proc/self/fd/9/app-4242.lock Ok(()) [\"app-4242.lock\", \"nested\"] Ok(\"/proc/self/fd/9/nested/deeper\") \
                    Ok(\"/proc/self/fd/9/nested\") Ok(true) Err(InvalidInput)";

fn at_once() {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut worker = worker();
                for _ in 0..10 {
                    let finished = worker.run(b"temporary stay", &ProcessLimits::default()).expect("it runs");
                    assert_eq!(returned(&finished), SEEN);
                }
            });
        }
    });
}

fn real_directory(worker: &mut Worker) -> PathBuf {
    PathBuf::from(returned(&worker.run(b"temporary real", &ProcessLimits::default()).expect("it runs")))
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).expect("it is read").count()
}

fn however_it_ends() {
    let mut worker = worker();
    let directory = real_directory(&mut worker);
    let limits = ProcessLimits { stuck: Duration::from_millis(300), ..ProcessLimits::default() };
    for end in ["stay", "abort", "exit", "hang"] {
        let finished = worker.run(format!("temporary {end}").as_bytes(), &limits).expect("the zygote runs the job");
        let is_as_told = match end {
            "stay" => matches!(finished.end, End::Returned(_)),
            "abort" => finished.end == End::Aborted { signal: 6 },
            "exit" => finished.end == End::Exited { code: 3 },
            _ => finished.end == End::Stuck,
        };
        assert!(is_as_told, "{end}: {:?}", finished.end);
        assert_eq!(entries(&directory), 0, "after {end}");
        assert_eq!(returned(&worker.run(b"temporary stay", &limits).expect("it runs")), SEEN, "after {end}");
    }
}

fn removed() {
    let mut worker = worker();
    let directory = real_directory(&mut worker);
    assert!(directory.is_dir());
    drop(worker);
    assert!(!directory.exists());

    // What a killed supervisor has left behind, beside what one that lives still has.
    let mut living = crate::worker();
    let living_directory = real_directory(&mut living);
    let left = directory.with_file_name("4000000-0");
    fs::create_dir_all(left.join("nested")).expect("directories are made");
    let output = Command::new(std::env::current_exe().expect("the executable has a path"))
        .env("SANDBOX_TEST_PRINT", "echo here")
        .output()
        .expect("the executable starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "here");
    assert!(!left.exists() && living_directory.is_dir());
}
