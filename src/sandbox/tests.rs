//! Tests of the sandbox inside a libtest binary, which is where a user's plain `#[test]` runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::seed::Seed;

fn simulate(job: &[u8]) -> Vec<u8> {
    if job == b"panic" {
        panic!("the job asks for it");
    }
    enter(Settings {
        seed: Seed(1),
        epoch: Duration::ZERO,
        hosts: vec!["alpha".to_owned()],
        allowed_escapes: Vec::new(),
    });
    let map: HashMap<u32, u32> = (0..20).map(|n| (n, n)).collect();
    let text = format!("{:?} {:?} {:?}", map.keys().collect::<Vec<_>>(), std::time::Instant::now(), std::process::id());
    assert_eq!(leave(), Notes::default());
    text.into_bytes()
}

#[test]
fn a_libtest_binary_is_its_own_zygote() {
    serve_if_zygote(simulate);
    let name = current_test_name().expect("libtest names its threads");
    assert!(name.ends_with("sandbox::tests::a_libtest_binary_is_its_own_zygote"), "{name}");
    let outcomes = [0, 1].map(|_| {
        let mut worker = Worker::spawn(EntryPoint::Test(name.clone()), Arc::new(simulate)).expect("the zygote starts");
        [0, 1].map(|_| {
            let panicked = worker.run(b"panic", &ProcessLimits::default()).expect("the zygote runs the job");
            assert_eq!(panicked.panics[0].message, "the job asks for it");
            let finished = worker.run(b"", &ProcessLimits::default()).expect("the zygote runs the job");
            assert!(finished.output.is_empty(), "{:?}", String::from_utf8_lossy(&finished.output));
            finished.end
        })
    });
    assert!(matches!(outcomes[0][0], End::Returned(_)));
    for outcome in outcomes.iter().flatten() {
        assert_eq!(*outcome, outcomes[0][0]);
    }
}

#[test]
fn a_zygote_that_never_serves_is_an_error() {
    let error = Worker::spawn(EntryPoint::Test("no_such_test".to_owned()), Arc::new(simulate))
        .err()
        .expect("the zygote does not serve");
    let text = error.to_string();
    assert!(text.contains("exited with code 0") && text.contains("is there a test `no_such_test`"), "{text}");
}

#[test]
fn without_a_simulation_everything_is_real() {
    assert!(!is_simulating());
    assert_eq!((current_host(), now(), leave()), (None, Duration::ZERO, Notes::default()));
    let before = std::time::Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    assert!(before.elapsed() >= Duration::from_millis(2));
    assert!(std::time::SystemTime::now() > std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000));
}
