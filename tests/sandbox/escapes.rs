//! Every escape from the simulation is recorded, with its host and a backtrace.

use std::time::Duration;

use libtest_mimic::Trial;
use squall::internal::sandbox::{self, Escape, Notes};

use crate::jobs::{enter, runtime};
use crate::{returned, run, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("escapes::each_is_recorded_with_host_and_backtrace", each_is_recorded)]
}

fn each_is_recorded() {
    let notes: Notes = serde_json::from_str(&returned(&run("escapes"))).expect("the job returns notes");
    for escape in &notes.escapes {
        println!(
            "{} {:?} {:?} {} x{}\n{}",
            escape.kind.name(),
            escape.host,
            escape.at,
            escape.detail,
            escape.count,
            escape.backtrace
        );
    }
    let seen = |escape: &Escape| {
        (escape.kind.name(), escape.host.clone(), escape.at.as_millis(), escape.count, escape.detail.clone())
    };
    let beta = || Some("beta".to_owned());
    let expected = [
        ("thread", beta(), 5, 2, "a thread was started".to_owned()),
        ("real-file", beta(), 5, 1, "/etc/passwd".to_owned()),
        ("real-socket", beta(), 5, 1, "a socket of family 2 (IPv4), type 2".to_owned()),
        ("blocking-sleep", beta(), 5, 1, "10ms".to_owned()),
        ("real-file", None, 40, 1, "relative/path".to_owned()),
        ("unpaused-runtime", Some("alpha".to_owned()), 40, 1, "the runtime's time is not paused".to_owned()),
    ];
    assert_eq!(notes.escapes.iter().map(seen).collect::<Vec<_>>(), expected);
    for escape in &notes.escapes {
        assert!(
            escape.backtrace.contains("sandbox/escapes.rs") || cfg!(not(debug_assertions)),
            "{}:\n{}",
            escape.kind.name(),
            escape.backtrace
        );
        assert!(!escape.backtrace.contains("record"), "{}", escape.backtrace);
    }
}

pub(crate) fn escapes() -> String {
    enter();
    runtime().block_on(async {
        sandbox::enter_host(1);
        tokio::time::sleep(Duration::from_millis(5)).await;
        std::thread::spawn(|| {}).join().expect("it ends");
        std::thread::spawn(|| {}).join().expect("it ends");
        std::fs::read("/etc/passwd").expect("the file exists");
        std::fs::read("/proc/self/status").expect("the file exists");
        std::net::UdpSocket::bind("127.0.0.1:0").expect("the socket binds");
        std::thread::sleep(Duration::from_millis(10));
    });
    sandbox::set_step(Duration::from_millis(40));
    assert!(std::fs::File::open("relative/path").is_err());
    // This runtime is not paused: its clock reads the sandbox's, which must not read tokio's in turn.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("the runtime is built");
    runtime.block_on(async {
        sandbox::enter_host(0);
        assert_eq!(sandbox::now(), Duration::from_millis(40));
        let _ = (tokio::time::Instant::now(), std::time::Instant::now());
    });
    serde_json::to_string(&sandbox::leave()).expect("notes are plain data")
}
