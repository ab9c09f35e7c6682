//! Waits that hold up the runtime of a host.

use super::*;

/// The waits of the runtime's own thread that a run records: their details, and whether their backtraces name this file.
fn blocking_waits(scenario: &Scenario) -> Vec<(String, bool)> {
    let run = alone(scenario, &scenario.case(Seed(1)));
    assert!(!run.outcome.verdict.is_fail(), "{:?}", run.outcome.findings);
    let blocking = run.outcome.escapes.into_iter().filter(|escape| escape.kind.blocks());
    blocking
        .inspect(|escape| assert_eq!(escape.host.as_deref(), Some("client")))
        .map(|escape| (escape.detail, escape.backtrace.contains("tests/threads/blocking.rs")))
        .collect()
}

/// A thread sends a seven after this time.
fn seven_after(time: std::time::Duration) -> std::sync::mpsc::Receiver<u32> {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        thread::sleep(time);
        sender.send(7)
    });
    receiver
}

#[test]
fn a_wait_that_holds_up_the_runtime_is_named_with_its_length_and_place() {
    let receives = |_: HostContext| async {
        let receiver = seven_after(millis(480));
        hold(receiver.recv() == Ok(7), "nothing is received")
    };
    let receives_in_time = |_: HostContext| async {
        let (_sender, receiver) = std::sync::mpsc::channel::<u32>();
        hold(receiver.recv_timeout(millis(30)).is_err(), "something is received")
    };
    let joins = |_: HostContext| async {
        let thread = thread::spawn(|| thread::sleep(millis(70)));
        hold(thread.join().is_ok(), "it panicked")
    };
    let sleeps = |_: HostContext| async {
        thread::sleep(millis(20));
        Ok(())
    };
    let expected = |detail: &str| vec![(detail.to_owned(), true)];
    assert_eq!(blocking_waits(&scenario(receives)), expected("480ms for another thread"));
    assert_eq!(blocking_waits(&scenario(receives_in_time)), expected("30ms for another thread"));
    assert_eq!(blocking_waits(&scenario(joins)), expected("70ms for the end of a thread"));
    assert_eq!(blocking_waits(&scenario(sleeps)), expected("20ms"));
    assert_eq!(blocking_waits(&scenario(receives).allow_escape("blocking-wait")), []);
}

#[test]
fn a_wait_beside_the_runtime_or_for_no_time_is_none_that_holds_it_up() {
    let beside = |_: HostContext| async {
        let receiver = seven_after(millis(480));
        hold(on_a_thread(move || receiver.recv()).await? == Ok(7), "nothing is received")
    };
    let short = |_: HostContext| async {
        let shared = Arc::new(Mutex::new(0));
        let holder = shared.clone();
        let thread = thread::spawn(move || {
            let mut held = holder.lock().expect("no thread panics");
            thread::yield_now();
            *held += 1;
        });
        tokio::time::sleep(millis(1)).await;
        drop(shared.lock().expect("no thread panics"));
        hold(thread.join().is_ok(), "it panicked")
    };
    assert_eq!(blocking_waits(&scenario(beside)), []);
    assert_eq!(blocking_waits(&scenario(short)), []);
}

/// Tests run simulations in one process, whose locks these share. A wait for one was taken for a hang.
#[test]
fn a_lock_of_the_process_that_no_thread_of_the_run_holds_is_waited_for() {
    use std::sync::OnceLock;
    static LOCK: Mutex<u32> = Mutex::new(0);
    static ONCE: OnceLock<u32> = OnceLock::new();
    let (holds, held) = std::sync::mpsc::channel();
    let outside = thread::spawn(move || {
        let mut locked = LOCK.lock().unwrap();
        ONCE.get_or_init(|| {
            holds.send(()).unwrap();
            thread::sleep(millis(50));
            *locked = 7;
            9
        });
    });
    held.recv().unwrap();
    let takes =
        |_: HostContext| async { hold((*ONCE.get_or_init(|| 1), *LOCK.lock().unwrap()) == (9, 7), "too early") };
    let outcome = outcome(&scenario(takes), 1);
    assert!(outcome.verdict.is_pass(), "{:?}", outcome.findings);
    outside.join().unwrap();
}
