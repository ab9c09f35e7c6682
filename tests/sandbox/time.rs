//! Tests of virtual time as hosts see it.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;
use squall::internal::sandbox;

use crate::jobs::{enter, notes_on_host, runtime, silent_channel};
use crate::{output, returned, run, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("time::clocks_follow_tokio", || passes("times")),
        trial("time::timed_waits_take_virtual_time", || passes("waits")),
        trial("time::turmoil_hosts_agree_even_after_crashes", || passes("turmoil")),
        trial("time::restarts_never_move_it_back", || passes("restarts")),
        trial("time::the_cost_of_a_clock_read", || passes("clock-cost")),
    ]
}

fn passes(job: &str) {
    let finished = run(job);
    println!("{}{}", returned(&finished), output(&finished));
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the wall clock is after the Unix epoch")
}

pub(crate) fn times() -> String {
    const EPOCH: Duration = Duration::from_secs(1_600_000_000);
    enter();
    let origin = Instant::now();
    assert_eq!(sandbox::current_host(), None);
    assert_eq!((sandbox::now(), wall()), (Duration::ZERO, EPOCH));
    let alpha = runtime();
    alpha.block_on(async {
        sandbox::enter_host(0);
        assert_eq!(sandbox::current_host(), Some(0));
        for _ in 0..10 {
            assert_eq!(tokio::time::Instant::now().into_std(), Instant::now());
            assert_eq!(Instant::now() - origin, sandbox::now() + millis(1));
            assert_eq!(wall(), EPOCH + sandbox::now());
            tokio::time::sleep(millis(7)).await;
        }
        assert_eq!(sandbox::now(), millis(70));
        let before = Instant::now();
        tokio::time::advance(Duration::from_micros(1_500)).await;
        assert_eq!(before.elapsed(), Duration::from_micros(1_500));
        assert_eq!(chrono::Utc::now().timestamp_micros(), 1_600_000_000_071_500);
    });
    // A host that starts at 100 ms has the same clocks as one that has run since the start.
    sandbox::set_step(millis(100));
    assert_eq!(sandbox::now(), millis(100));
    let beta = runtime();
    beta.block_on(async {
        sandbox::enter_host(1);
        sandbox::set_wall_offset(1, -2_000_000_000);
        assert_eq!(sandbox::now(), millis(100));
        tokio::time::sleep(millis(5)).await;
        assert_eq!(Instant::now() - origin, millis(106));
        assert_eq!(wall(), EPOCH + millis(105) - Duration::from_secs(2));
    });
    alpha.block_on(async {
        assert_eq!(sandbox::current_host(), Some(0));
        assert_eq!(sandbox::now(), Duration::from_micros(71_500));
        assert_eq!(wall(), EPOCH + sandbox::now());
    });
    let notes = sandbox::leave();
    assert_eq!(notes, Default::default());
    assert_ne!(wall(), EPOCH + millis(100));
    String::new()
}

pub(crate) fn waits() -> String {
    let notes = notes_on_host(0, || async {
        let (sender, receiver) = silent_channel();
        let start = Instant::now();
        assert!(receiver.recv_timeout(millis(250)).is_err());
        assert_eq!(start.elapsed(), millis(250));
        drop(sender);
        let lock = parking_lot::Mutex::new(());
        let held = lock.lock();
        assert!(lock.try_lock_for(millis(100)).is_none());
        drop(held);
        assert_eq!(start.elapsed(), millis(350));
        let pair = (std::sync::Mutex::new(()), std::sync::Condvar::new());
        let guard = pair.0.lock().expect("not poisoned");
        assert!(pair.1.wait_timeout(guard, millis(50)).expect("not poisoned").1.timed_out());
        std::thread::park_timeout(millis(100));
        assert_eq!(start.elapsed(), millis(500));
        // The time that the waits added is absorbed once tokio's time catches up.
        tokio::time::sleep(millis(400)).await;
        assert_eq!(start.elapsed(), millis(500));
        tokio::time::sleep(millis(300)).await;
        assert_eq!(start.elapsed(), millis(700));
        std::thread::sleep(millis(20));
        assert_eq!(start.elapsed(), millis(720));
    });
    let escapes: Vec<_> = notes.escapes.iter().map(|escape| (escape.kind.name(), escape.count)).collect();
    assert_eq!(escapes, [("blocking-wait", 4), ("blocking-sleep", 1)]);
    format!("{:?}", notes.escapes[1].at)
}

/// Reads the clock when it is dropped, like a guard that measures its own lifetime.
struct ReadsOnDrop<'a>(&'a std::cell::RefCell<Vec<(Duration, Instant)>>);

impl Drop for ReadsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push((sandbox::now(), Instant::now()));
    }
}

pub(crate) fn restarts() -> String {
    let seen = std::cell::RefCell::new(Vec::new());
    let look = || seen.borrow_mut().push((sandbox::now(), Instant::now()));
    enter();
    let mut machine = runtime();
    for life in 0..20_u64 {
        machine.block_on(async {
            sandbox::enter_host(0);
            look();
            if life % 3 == 0 {
                // The host's clock is ahead when it crashes.
                let (_sender, receiver) = silent_channel();
                assert!(receiver.recv_timeout(millis(35)).is_err());
            }
            tokio::time::sleep(millis(10)).await;
            look();
        });
        sandbox::set_step(millis(10 * (life + 1)));
        let guard = ReadsOnDrop(&seen);
        sandbox::set_outside_host(Some(0));
        machine = runtime();
        assert_eq!(sandbox::current_host(), Some(0));
        drop(guard);
        sandbox::set_outside_host(None);
        assert_eq!(sandbox::current_host(), None);
        assert_eq!(sandbox::now(), millis(10 * (life + 1)));
        // The new machine starts at the step, no matter how far the host's clock was ahead.
        let origin = machine.block_on(async { tokio::time::Instant::now() });
        assert_eq!(origin.into_std() - Instant::now(), millis(1));
    }
    let seen = seen.borrow();
    assert_eq!(seen.len(), 60);
    for pair in seen.windows(2) {
        assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
    }
    drop(sandbox::leave());
    String::new()
}

pub(crate) fn in_turmoil() -> String {
    use std::cell::RefCell;
    use std::rc::Rc;

    type Seen = Rc<RefCell<Vec<(Duration, Instant)>>>;
    struct Guard(Seen);
    impl Drop for Guard {
        fn drop(&mut self) {
            assert_eq!(sandbox::current_host(), Some(1));
            self.0.borrow_mut().push((sandbox::now(), Instant::now()));
        }
    }

    enter();
    let origin = Instant::now();
    let mut sim = turmoil::Builder::new()
        .tick_duration(millis(10))
        .rng_seed(1)
        .epoch(UNIX_EPOCH)
        .simulation_duration(Duration::from_secs(3600))
        .build();
    let seen: [Seen; 2] = Default::default();
    for host in [0, 1] {
        let seen = seen[host].clone();
        sim.host(["alpha", "beta"][host], move || {
            let seen = seen.clone();
            async move {
                sandbox::enter_host(host);
                let _guards = (host == 1).then(|| Guard(seen.clone()));
                let task = seen.clone();
                // The program and this task are dropped with the set of local tasks, outside any runtime.
                let held = (host == 1).then(|| Guard(seen.clone()));
                tokio::task::spawn_local(async move {
                    let _held = held;
                    loop {
                        tokio::time::sleep(millis(4)).await;
                        task.borrow_mut().push((sandbox::now(), Instant::now()));
                    }
                });
                loop {
                    tokio::time::sleep(millis(3)).await;
                    assert_eq!(sandbox::current_host(), Some(host));
                    seen.borrow_mut().push((sandbox::now(), Instant::now()));
                }
            }
        });
    }
    let crash = |sim: &mut turmoil::Sim<'_>, restart: bool| {
        sandbox::set_outside_host(Some(1));
        if restart {
            sim.bounce("beta");
        } else {
            sim.crash("beta");
        }
        sandbox::set_outside_host(None);
    };
    for step in 0..60 {
        sandbox::set_step(millis(10) * step);
        match step {
            10 => crash(&mut sim, false),
            20 | 30 => crash(&mut sim, true),
            _ => {}
        }
        assert_eq!(sim.elapsed(), sandbox::now());
        sim.step().expect("no host fails");
    }
    sandbox::set_step(millis(600));
    for seen in &seen {
        let seen = seen.borrow();
        for pair in seen.windows(2) {
            assert!(pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
        }
        for (virtual_time, instant) in seen.iter() {
            assert_eq!(*instant - origin, *virtual_time + millis(1));
        }
    }
    let at = |host: usize, from: u64, to: u64| {
        let seen = seen[host].borrow();
        let between = seen.iter().map(|(at, _)| at.as_millis() as u64).filter(|at| (from..to).contains(at));
        between.map(|at| at - from).collect::<Vec<_>>()
    };
    assert_eq!(at(0, 0, 12), [3, 4, 6, 8, 9]);
    // Two destructors run when a life ends, nothing runs while the host is down, and the next life starts at its step.
    assert_eq!(at(1, 100, 200), [0, 0]);
    assert_eq!(at(1, 200, 212), [3, 4, 6, 8, 9]);
    assert_eq!(at(1, 300, 312), [0, 0, 3, 4, 6, 8, 9]);
    sandbox::set_outside_host(Some(1));
    sim.crash("beta");
    drop(sim);
    assert_eq!(sandbox::leave(), Default::default());
    String::new()
}

pub(crate) fn clock_cost() -> String {
    const READS: u32 = 50_000;
    let cost = |title: &str, started: Instant| format!("{title}: {:?} a read\n", started.elapsed() / READS);
    let mut text = String::new();
    let start = Instant::now();
    for _ in 0..READS {
        black_box(Instant::now());
    }
    text += &cost("passing through", start);
    enter();
    let machine = runtime();
    const ROUNDS: u32 = 40;
    let start = cpu_time();
    for round in 0..ROUNDS {
        sandbox::set_step(millis(round.into()));
        machine.block_on(async {
            sandbox::enter_host(0);
            for _ in 0..READS {
                black_box(Instant::now());
            }
        });
    }
    let spent = (cpu_time() - start) / ROUNDS;
    drop(sandbox::leave());
    text += &format!("inside a host: {:?} a read\n", spent / READS);
    text
}

/// The CPU time from the kernel's accounting, which the sandbox cannot freeze.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("the kernel has /proc/self/schedstat");
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).expect("the text is a number"))
}
