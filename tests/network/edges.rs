//! Corner cases of faults that begin inside a step: at the start of the world, at the end of the faults, with a host
//! that is already down, and after the death of a program.

use squall::fault::{Intensity, Swarm, here, one};
use squall::trace::Event;

use super::*;

/// Each beginning and end of a host's life, in order.
fn lives(run: &Run) -> Vec<(Duration, u16, &'static str)> {
    let records = run.trace.records.iter();
    let life = records.filter_map(|record| match record.event {
        Event::Started => Some((record.at, record.host?.0, "started")),
        Event::Killed => Some((record.at, record.host?.0, "killed")),
        Event::Returned => Some((record.at, record.host?.0, "returned")),
        _ => None,
    });
    life.collect()
}

#[test]
fn a_fault_that_begins_in_the_last_step_ends_with_the_other_faults() {
    for fault in [fault::partition("client", "server"), fault::kill("server")] {
        // The world learns of a program's end at the end of the step, when the faults end, too.
        let fault = fault.at_nth_event("other", "returned", 1).lasting(secs(5));
        let client = |cx: HostContext, seen: Seen| async move {
            tokio::time::sleep(millis(2_500)).await;
            cx.connector().connect("server", 80).await.unwrap();
            note(&seen, &cx, "connected");
        };
        let add = |scenario: Scenario| {
            let other = |_| async {
                tokio::time::sleep(millis(1_995)).await;
                Ok::<(), io::Error>(())
            };
            scenario.host("other", other).run_for(secs(2))
        };
        let (run, seen) = world_with(20, vec![fault], |cx| echo(cx.listener(80)), client, add);
        assert_between(at(&seen, "connected"), 2_540, 2_541);
        let faults = run.trace.records.iter().filter(|record| record.host.is_none()).map(|record| &record.event);
        assert!(matches!(
            faults.collect::<Vec<_>>()[..],
            [Event::FaultBegan { .. }, Event::FaultEnded { .. }, Event::FaultsOver]
        ));
    }
}

#[test]
fn a_fault_triggered_by_the_end_of_a_host_finds_it_down() {
    let serve = |_: HostContext| async move {
        tokio::time::sleep(millis(7)).await;
        Ok(())
    };
    // A program that returned by itself is neither killed nor started again.
    let fault = fault::kill(here()).at_nth_event("server", "returned", 1).lasting(secs(1));
    let (run, _) = world_with(20, vec![fault], serve, |_, _| std::future::pending(), |scenario| scenario);
    let zero = Duration::ZERO;
    let ended = if by_events() { millis(7) } else { millis(10) };
    assert_eq!(lives(&run), [(zero, 0, "started"), (zero, 1, "started"), (ended, 0, "returned")]);
    assert_eq!(run.outcome.fault_effects, [0]);
    // A killed process closes its connections even if its machine loses power right after.
    let first = fault::kill("server").at(secs(1)).lasting(secs(1));
    let second = fault::power_off(here()).at_nth_event("server", "killed", 1).lasting(secs(3));
    let (_, seen) = world(20, vec![first, second], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut stream).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        note(&seen, &cx, "end");
    });
    assert_between(at(&seen, "end"), 1_020, 1_021);
}

#[test]
fn the_start_of_one_host_can_trigger_the_end_of_a_later_one() {
    let fault = fault::kill("client").at_nth_event("server", "started", 1).lasting(secs(1));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        note(&seen, &cx, "runs");
        std::future::pending().await
    });
    assert_eq!(*seen.lock().unwrap(), [("runs".to_owned(), secs(1))]);
    let zero = Duration::ZERO;
    let expected = [(zero, 0, "started"), (zero, 1, "started"), (zero, 1, "killed"), (secs(1), 1, "started")];
    assert_eq!(lives(&run), expected);
}

#[test]
fn a_dead_program_opens_no_connection() {
    let serve = |cx: HostContext| async move {
        tokio::time::sleep(millis(55)).await;
        // A spawned task runs on until the end of the step.
        tokio::spawn(async move {
            cx.recorder().note("connecting", "");
            cx.connector().connect("client", 80).await
        });
        std::future::pending().await
    };
    let client = |cx: HostContext, _: Seen| async move { echo(cx.listener(80)).await.unwrap() };
    let connects = |faults: Vec<Fault>| world_with(20, faults, serve, client, |scenario| scenario).0.outcome.counters;
    assert_eq!(connects(vec![]).connects, 1);
    let fault = fault::kill(here()).at_nth_event("server", "connecting", 1).lasting(secs(1));
    assert_eq!(connects(vec![fault]).connects, 1, "only its second life connects");
}

#[test]
fn segments_of_a_host_killed_after_its_turn_in_the_step_are_not_late() {
    for latency_ms in [10, 15, 25] {
        for after_ms in [0, 3, 9] {
            // The server runs before the client in each step.
            let fault = fault::kill("server").at_nth_message("client", "server", "x", 1).lasting(secs(1));
            let (run, seen) = world(latency_ms, vec![fault], move |cx, seen| async move {
                let mut stream = cx.connector().connect("server", 80).await.unwrap();
                ping(&mut stream).await.unwrap();
                until(&cx, 1_000 + after_ms).await;
                stream.write_all(b"x").await.unwrap();
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
                note(&seen, &cx, "end");
            });
            let killed = run.trace.records.iter().find(|record| record.event == Event::Killed).unwrap().at;
            assert_eq!(killed, millis(1_000 + after_ms));
            assert_between(at(&seen, "end") - killed, latency_ms, latency_ms + 1);
        }
    }
}

#[test]
fn segments_of_a_host_killed_after_its_turn_in_the_step_can_be_lost() {
    // The FIN is lost, and then the reset that answers `x`, as no program reads it.
    let kill = fault::kill("server").at_nth_message("client", "server", "x", 1).lasting(secs(10));
    let partition =
        fault::partition_one_way("server", "client").at_nth_message("client", "server", "x", 1).lasting(millis(300));
    let (run, seen) = world(20, vec![partition, kill], move |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut stream).await.unwrap();
        until(&cx, 1_003).await;
        stream.write_all(b"x").await.unwrap();
        reads_reset(&mut stream).await;
        note(&seen, &cx, "reset");
    });
    // The client sends `x` again 240 ms and 480 ms later.
    assert_between(at(&seen, "reset"), 1_003 + 480 + 40, 1_003 + 480 + 41);
    assert!(run.outcome.fault_effects.iter().all(|effects| *effects > 0), "{:?}", run.outcome.fault_effects);
}

fn drawing(faults: &str, intensity: &str) -> Swarm {
    Swarm { faults: vec![faults.to_owned()], intensity: Some(intensity.parse::<Intensity>().unwrap()) }
}

#[test]
fn intensity_scales_a_fault_at_a_trigger_point() {
    let client = |cx: HostContext| async move {
        let mut stream = cx.connector().connect("server", 80).await?;
        ping(&mut stream).await
    };
    let scenario = Scenario::new("trigger points")
        .host("server", |cx| echo(cx.listener(80)))
        .host("client", client)
        .fault(fault::loss(0.2, "client", "server").at_message("client", "server", "ping"))
        .run_for(secs(2))
        .settle_for(secs(1));
    for (intensity, rate) in [("0.5", 0.1), ("1", 0.2), ("2", 0.4)] {
        let plan = squall::internal::run::draw(&scenario, Seed(1), &drawing("*", intensity)).plan;
        assert_eq!(plan.faults.len(), 1);
        assert_eq!(plan.faults[0].kind, fault::kinds::Loss { rate }.into());
    }
}

/// Four hosts of which the n-th ticks n - 1 times, and two generators, the second of which waits for a tick of one
/// host.
fn ticking() -> Scenario {
    let mut scenario = Scenario::new("ticking");
    for (ticks, name) in ["a-1", "a-2", "a-3", "a-4"].into_iter().enumerate() {
        scenario = scenario.host(name, move |cx| async move {
            for _ in 0..ticks {
                tokio::time::sleep(millis(100)).await;
                cx.recorder().note("tick", "");
            }
            std::future::pending::<io::Result<()>>().await
        });
    }
    scenario
        .fault(fault::kill("a-2").once(secs(10)..secs(11)))
        .fault(fault::kill(here()).at_event(one("a-*"), "tick").lasting(millis(10)..millis(20)).at_most(1))
        .run_for(secs(12))
        .settle_for(secs(1))
}

#[test]
fn a_fault_on_one_of_several_hosts_uses_the_trigger_points_of_that_host() {
    let (scenario, mut drawn) = (ticking(), std::collections::BTreeSet::new());
    for seed in (0..40).map(Seed) {
        let case = squall::internal::run::draw(&scenario, seed, &drawing("*", "1"));
        let outcome = run(&scenario, &case, Detail::Lean).outcome;
        // The position of the fault in the plan does not matter.
        assert!(outcome.fault_effects.iter().all(|effects| *effects == 1), "{case:?}: {:?}", outcome.fault_effects);
        drawn.extend(case.plan.faults.iter().filter_map(|fault| fault.trigger.nth()));
    }
    assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn trigger_points_are_counted_only_if_a_generator_of_the_run_waits_for_them() {
    let lives = Arc::new(Mutex::new(0));
    let shared = lives.clone();
    let scenario = ticking().host("counter", move |_| {
        *shared.lock().unwrap() += 1;
        std::future::pending::<io::Result<()>>()
    });
    let draw = |faults: &str| {
        *lives.lock().unwrap() = 0;
        let plan = squall::internal::run::draw(&scenario, Seed(3), &drawing(faults, "1")).plan;
        (plan.faults.len(), *lives.lock().unwrap())
    };
    assert_eq!(draw("kill a-2"), (1, 0));
    assert_eq!(draw("*"), (2, 1));
}

#[test]
fn a_disk_fails_with_the_next_call_after_the_event() {
    type Ends = Arc<Mutex<Vec<bool>>>;
    let ends = Ends::default();
    let write_four = |cx: HostContext, ends: Ends| async move {
        let file = cx.disk().open("log", squall::disk::OpenOptions::create())?;
        for number in 0..4 {
            tokio::time::sleep(millis(100)).await;
            cx.recorder().note("writing", "");
            ends.lock().unwrap().push(file.write_at(number, b"x").is_ok());
        }
        std::future::pending().await
    };
    let errors = |who| fault::disk_errors(1.0, fault::DiskCalls::All, who);
    for fault in [errors(here()), errors("server".into()), fault::disk_full(0, here())] {
        for (lasting_ms, expected) in [(1, [true, false, true, true]), (150, [true, false, false, true])] {
            ends.lock().unwrap().clear();
            let fault = fault.clone().at_nth_event("server", "writing", 2).lasting(millis(lasting_ms));
            let (run, _) = world_with(20, vec![fault], sharing(&ends, write_four), |_, _| async {}, |s| s);
            assert_eq!(*ends.lock().unwrap(), expected);
            assert_eq!(run.outcome.fault_effects, [expected.iter().filter(|is_ok| !**is_ok).count() as u64]);
        }
    }
}
