//! Hosts that run by events: exact times, the order of what happens at once, and programs that never rest.

use std::sync::atomic::{AtomicBool, Ordering};

use squall::scenario::Engine;
use tokio::time::{Instant, interval, sleep, timeout};

use super::*;

/// A run of one host by events.
fn alone<F, Fut>(program: F) -> (Run, Seen)
where
    F: Fn(HostContext, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let seen = Seen::default();
    let scenario = Scenario::new("events")
        .host("alone", sharing(&seen, program))
        .engine(Engine::Events)
        .run_for(secs(100))
        .settle_for(secs(0));
    (run(&scenario, &scenario.case(Seed(1)), Detail::Lean), seen)
}

fn labels(seen: &Seen) -> Vec<(String, u128)> {
    seen.lock().unwrap().iter().map(|(label, at)| (label.clone(), at.as_micros())).collect()
}

fn expected(all: &[(&str, u128)]) -> Vec<(String, u128)> {
    all.iter().map(|(label, at)| ((*label).to_owned(), *at)).collect()
}

#[test]
fn a_segment_arrives_to_the_microsecond_and_a_timer_at_its_tick() {
    let seen = Seen::default();
    let latency = Duration::from_micros(217);
    let client = |cx: HostContext, seen: Seen| async move {
        sleep(Duration::from_micros(1_500)).await;
        note(&seen, &cx, "after 1.5 ms");
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
        sleep(millis(1)).await;
        note(&seen, &cx, "a millisecond later");
    };
    let scenario = Scenario::new("near")
        .host("server", |cx| echo(cx.listener(80)))
        .host("client", sharing(&seen, client))
        .latency(latency..latency)
        .engine(Engine::Events)
        .run_for(secs(1))
        .settle_for(secs(0));
    passing(&scenario);
    // Tokio's timers tick each millisecond, and round up.
    let all = [("after 1.5 ms", 2_000), ("connected", 2_434), ("answered", 2_868), ("a millisecond later", 4_000)];
    assert_eq!(labels(&seen), expected(&all));
}

#[test]
fn programs_wait_as_in_production() {
    let (run, seen) = alone(|cx, seen| async move {
        let slow = tokio::spawn(sleep(secs(50)));
        assert!(timeout(secs(1), slow).await.is_err());
        note(&seen, &cx, "timed out");
        let mut ticks = interval(secs(2));
        ticks.tick().await;
        ticks.tick().await;
        note(&seen, &cx, "ticked");
        tokio::select! {
            () = sleep(secs(5)) => note(&seen, &cx, "the short one"),
            () = sleep(secs(6)) => note(&seen, &cx, "the long one"),
        }
        let tasks = tokio::task::LocalSet::new();
        let (own, at) = (cx.clone(), seen.clone());
        tasks.spawn_local(async move {
            sleep(secs(3)).await;
            note(&at, &own, "in its own set");
        });
        tasks.await;
        let began = Instant::now();
        tokio::task::spawn_blocking(|| std::thread::sleep(secs(4))).await.unwrap();
        assert_eq!(began.elapsed(), secs(4));
        note(&seen, &cx, "after a thread");
        let runtime = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async { tokio::spawn(sleep(secs(7))).await.unwrap() });
        });
        tokio::task::spawn_blocking(|| runtime.join().unwrap()).await.unwrap();
        note(&seen, &cx, "after another runtime");
    });
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    let seconds: Vec<_> = seen.lock().unwrap().iter().map(|(label, at)| (label.clone(), at.as_secs())).collect();
    let all = [
        ("timed out", 1),
        ("ticked", 3),
        ("the short one", 8),
        ("in its own set", 11),
        ("after a thread", 15),
        ("after another runtime", 22),
    ];
    assert_eq!(seconds, all.map(|(label, at)| (label.to_owned(), at)));
}

#[test]
fn a_task_that_yields_until_something_happens_lets_time_pass() {
    let (run, seen) = alone(|cx, seen| async move {
        let over = Arc::new(AtomicBool::new(false));
        let other = over.clone();
        tokio::spawn(async move {
            sleep(millis(500)).await;
            other.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        note(&seen, &cx, "over");
    });
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    assert_between(at(&seen, "over"), 500, 520);
}

#[test]
fn a_program_that_never_rests_is_named() {
    let (run, _) = alone(|_, _| async move {
        sleep(secs(1)).await;
        let (there, mut from_here) = tokio::sync::mpsc::channel::<()>(1);
        let (back, mut from_there) = tokio::sync::mpsc::channel::<()>(1);
        tokio::spawn(async move {
            while from_here.recv().await.is_some() {
                back.send(()).await.unwrap();
            }
        });
        loop {
            there.send(()).await.unwrap();
            from_there.recv().await.unwrap();
        }
    });
    let found = format!("{:?}", run.outcome.findings);
    assert!(found.contains("no wait since 1s on host alone at 11."), "{found}");
}

#[test]
fn plain_turmoil_sockets_are_told_what_they_need() {
    let (run, _) = alone(|_, _| async {
        let _ = turmoil::net::TcpListener::bind("0.0.0.0:80").await;
    });
    let found = format!("{:?}", run.outcome.findings);
    assert!(found.contains("plain turmoil sockets need turmoil's engine"), "{found}");
}

#[test]
fn a_seed_decides_who_runs_first_of_all_that_is_due_at_once() {
    let order = |seed: u64| {
        let seen = Seen::default();
        let tick = |cx: HostContext, seen: Seen| async move {
            for _ in 0..4 {
                sleep(secs(1)).await;
                note(&seen, &cx, cx.name());
            }
        };
        let scenario = Scenario::new("order").host("a", sharing(&seen, tick)).host("b", sharing(&seen, tick));
        let scenario = scenario.engine(Engine::Events).run_for(secs(10)).settle_for(secs(0));
        run(&scenario, &scenario.case(Seed(seed)), Detail::Lean);
        let order: String = seen.lock().unwrap().iter().map(|(name, _)| name.as_str()).collect();
        order
    };
    let orders: BTreeSet<String> = (0..20).map(order).collect();
    assert!(orders.len() > 8, "of 16 orders: {orders:?}");
    assert_eq!(order(3), order(3));
}

#[test]
fn a_host_that_blocks_its_thread_is_behind_and_no_other_is() {
    let (run, seen) = alone(|cx, seen| async move {
        std::thread::sleep(millis(300));
        note(&seen, &cx, "blocked");
        sleep(millis(100)).await;
        note(&seen, &cx, "then slept");
    });
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    assert_eq!(labels(&seen), expected(&[("blocked", 300_000), ("then slept", 400_000)]));
}

#[test]
fn an_idle_connection_is_closed_at_its_time_without_a_look_each_step() {
    let seen = Seen::default();
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        sleep(millis(1_500)).await;
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        note(&seen, &cx, "closed");
        std::future::pending::<()>().await;
    };
    let scenario = Scenario::new("idle")
        .host("server", |cx| echo(cx.listener(80)))
        .host("client", sharing(&seen, client))
        .latency(millis(5)..millis(5))
        .engine(Engine::Events)
        .run_for(secs(1_000))
        .settle_for(secs(0));
    let closes = squall::fault::close_idle(secs(300), "client", "server").at(millis(0)).lasting(secs(900));
    let case = scenario.case(Seed(1)).fault(closes);
    let run = run(&scenario, &case, Detail::Lean);
    // The answer was the last that was on its way, and the end of the stream takes its latency.
    assert_eq!(labels(&seen), expected(&[("answered", 1_520_000), ("closed", 301_525_000)]), "{:?}", run.outcome);
    let turns = run.trace.counters.steps;
    assert!(turns < 50, "{turns} turns of hosts");
}
