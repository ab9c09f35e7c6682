//! Faults that begin inside a step, at a message or an event: nothing after the trigger point is visible.

use std::sync::atomic::{AtomicU32, Ordering};

use squall::disk::OpenOptions;
use squall::fault::Swarm;
use squall::fault::here;
use squall::trace::Event;

use super::*;

/// Sends `count` requests, with a new connection after each failure, and notes how each request ended.
async fn ask(cx: &HostContext, seen: &Seen, count: u32) {
    let mut stream = None;
    for number in 1..=count {
        if stream.is_none() {
            stream = cx.connector().connect("server", 80).await.ok();
        }
        let end = match &mut stream {
            None => "refused".to_owned(),
            Some(open) => match tokio::time::timeout(secs(2), ping(open)).await {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(error)) => format!("{:?}", error.kind()),
                Err(_) => "late".to_owned(),
            },
        };
        if end != "ok" {
            stream = None;
        }
        note(seen, cx, format!("{number} {end}"));
        tokio::time::sleep(millis(100)).await;
    }
}

/// Does the work for each ping on any connection, and then answers it.
async fn work_and_answer(cx: HostContext, work: fn(&HostContext)) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        let cx = cx.clone();
        tokio::spawn(async move {
            let mut bytes = [0; 4];
            while stream.read_exact(&mut bytes).await.is_ok() {
                work(&cx);
                stream.write_all(&bytes).await.unwrap();
            }
        });
    }
}

fn asked(faults: Vec<Fault>) -> (Run, Vec<String>) {
    let (run, seen) = world(20, faults, |cx, seen| async move { ask(&cx, &seen, 5).await });
    (run, labels(&seen))
}

#[test]
fn a_kill_at_a_message_keeps_it_from_leaving() {
    for who in [Selector::from("server"), here()] {
        let fault = fault::kill(who).at_nth_message("server", "client", "", 3).lasting(millis(50));
        let (run, ends) = asked(vec![fault]);
        assert_eq!(ends, ["1 ok", "2 ok", "3 UnexpectedEof", "4 ok", "5 ok"]);
        assert_eq!(run.outcome.fault_effects, [1]);
    }
}

#[test]
fn a_kill_at_a_message_of_another_host_prevents_the_answer() {
    let fault = fault::kill("server").at_nth_message("client", "server", "ping", 3).lasting(millis(50));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move { ask(&cx, &seen, 4).await });
    assert_eq!(labels(&seen), ["1 ok", "2 ok", "3 UnexpectedEof", "4 ok"]);
    // The request is in flight when the dying process closes the connection.
    let killed = run.trace.records.iter().find(|record| record.event == Event::Killed).unwrap().at;
    assert_between(at(&seen, "3 UnexpectedEof") - killed, 20, 21);
}

#[test]
fn a_power_off_at_a_message_is_silent() {
    let fault = fault::power_off(here()).at_nth_message("server", "client", "ping", 2).lasting(secs(1));
    let (_, ends) = asked(vec![fault]);
    assert_eq!(ends, ["1 ok", "2 late", "3 ok", "4 ok", "5 ok"]);
}

#[test]
fn a_partition_at_a_message_stops_it_and_nothing_before_it() {
    let fault = fault::partition(here(), "client").at_nth_message("server", "client", "", 3).lasting(millis(500));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for byte in [b"1", b"2", b"3", b"4"] {
            // Each byte is answered at once; all four answers are sent in the same step.
            stream.write_all(byte).await.unwrap();
            tokio::time::sleep(millis(2)).await;
        }
        for _ in 0..4 {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            note(&seen, &cx, char::from(byte[0]));
        }
    });
    let began = run.trace.records.iter().find(|record| matches!(record.event, Event::FaultBegan { .. })).unwrap();
    // The third answer was sent when the fault began.
    assert_between(at(&seen, "1") - began.at, 15, 17);
    assert_between(at(&seen, "2") - began.at, 17, 19);
    // It is sent again 240, 480 and 960 ms later; the partition is over by the third time.
    assert_between(at(&seen, "3") - began.at, 979, 982);
    assert!(at(&seen, "4") >= at(&seen, "3"));
    // Two answers, three times each.
    assert_eq!(run.outcome.fault_effects, [6]);
}

#[test]
fn segments_of_the_other_side_sent_before_the_trigger_point_pass() {
    // The client sends in the same step as the server; the partition begins with the server's later message.
    let serve = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        until(&cx, 1_005).await;
        stream.write_all(b"b").await?;
        stream.read_exact(&mut [0]).await?;
        cx.recorder().note("received", "");
        std::future::pending().await
    };
    let fault = fault::partition("server", "client").at_nth_message("server", "client", "b", 1).lasting(secs(10));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_002).await;
        stream.write_all(b"a").await.unwrap();
        note(&seen, &cx, "sent");
        std::future::pending().await
    };
    let (run, seen) = world_with(20, vec![fault], serve, client, |scenario| scenario);
    assert_eq!(at(&seen, "sent"), millis(1_002));
    let received = run.trace.marks().find(|(_, _, mark)| mark.name() == "received").unwrap().0;
    assert_between(received, 1_022, 1_023);
}

#[test]
fn nothing_follows_the_event_that_kills() {
    let write_twice = |cx: &HostContext| {
        let file = cx.disk().open_durable("log").unwrap();
        file.write_at(file.len().unwrap(), b"x").unwrap();
        file.sync_data().unwrap();
        cx.recorder().note("written", "");
        // The program is dead by now, so its failure is not visible.
        file.write_at(file.len().unwrap(), b"y").unwrap();
        file.sync_data().unwrap();
        tracing::info!("both are written");
        cx.recorder().note("answering", "");
    };
    let serve = move |cx| work_and_answer(cx, write_twice);
    for (fault, expected) in [
        (fault::kill("server"), ["1 ok", "2 UnexpectedEof", "3 ok"]),
        (fault::power_off("server"), ["1 ok", "2 late", "3 ok"]),
    ] {
        let fault = fault.at_nth_event("server", "written", 2).lasting(millis(50));
        let client = |cx: HostContext, seen: Seen| async move { ask(&cx, &seen, 3).await };
        let (run, seen) = world_with(20, vec![fault], serve, client, |scenario| scenario);
        assert_eq!(labels(&seen), expected);
        let count = |name: &str| run.trace.marks().filter(|(_, _, mark)| mark.name() == name).count();
        assert_eq!((count("written"), count("answering")), (3, 2));
        assert_eq!(run.outcome.panics, []);
        let (written, killed) = (
            run.trace.marks().filter(|(_, _, mark)| mark.name() == "written").nth(1).unwrap().0,
            run.trace.records.iter().find(|r| matches!(r.event, Event::Killed | Event::PoweredOff)).unwrap().at,
        );
        assert_eq!(written, killed, "the kill comes at the time of the event");
    }
}

#[test]
fn writes_before_the_event_stay_and_later_ones_never_happen() {
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let serve = sharing(&lengths, |cx, lengths| async move {
        let file = cx.disk().open("log", OpenOptions::create())?;
        lengths.lock().unwrap().push(file.len()?);
        tokio::time::sleep(millis(7)).await;
        file.write_at(0, b"first")?;
        cx.recorder().note("written", "");
        file.write_at(5, b"second")?;
        std::future::pending().await
    });
    let fault = fault::kill("server").at_nth_event("server", "written", 1).lasting(millis(50));
    world_with(20, vec![fault], serve, |_, _| async {}, |scenario| scenario);
    assert_eq!(*lengths.lock().unwrap(), [0, 5]);
}

#[test]
fn the_end_of_one_host_can_trigger_another_fault() {
    let first = fault::kill("server").at(secs(1)).lasting(secs(2));
    let second = fault::kill("other").at_nth_event("server", "killed", 1).lasting(secs(1));
    let third = fault::partition("client", "server").at_nth_event("other", "started", 2).lasting(secs(5));
    let client = |cx: HostContext, seen: Seen| async move {
        for connect in [1_500, 3_500] {
            until(&cx, connect).await;
            for host in ["server", "other"] {
                let connected = tokio::time::timeout(secs(1), cx.connector().connect(host, 80)).await;
                let end = connected
                    .map_or("silence".to_owned(), |end| end.err().map_or("ok".into(), |e| e.kind().to_string()));
                note(&seen, &cx, format!("{host} {end}"));
            }
        }
    };
    let add = |scenario: Scenario| scenario.host("other", |cx| echo(cx.listener(80)));
    let (run, seen) = world_with(20, vec![first, second, third], |cx| echo(cx.listener(80)), client, add);
    let expected = ["server connection refused", "other connection refused", "server silence", "other ok"];
    assert_eq!(labels(&seen), expected);
    assert_eq!(run.outcome.fault_effects.iter().filter(|effects| **effects > 0).count(), 3);
}

#[test]
fn a_stop_at_an_event_reaches_the_program() {
    let serve = |cx: HostContext| async move {
        let shutdown = cx.shutdown();
        tokio::select! {
            served = work_and_answer(cx.clone(), |cx| cx.recorder().note("asked", "")) => served,
            () = shutdown.requested() => {
                cx.recorder().note("stopping by itself", "");
                Ok(())
            }
        }
    };
    let fault = fault::stop(here(), secs(1)).at_nth_event("server", "asked", 2).lasting(secs(1));
    let client = |cx: HostContext, seen: Seen| async move { ask(&cx, &seen, 3).await };
    let (run, _) = world_with(20, vec![fault], serve, client, |scenario| scenario);
    assert!(run.trace.marks().any(|(_, _, mark)| mark.name() == "stopping by itself"));
    assert_eq!(run.outcome.fault_effects, [1]);
}

#[test]
fn a_trigger_point_that_never_comes_changes_nothing() {
    let late = fault::kill("server").at_nth_message("server", "client", "", 6).lasting(secs(1));
    let other = fault::kill("server").at_nth_message("server", "client", "pong", 1).lasting(secs(1));
    let (run, ends) = asked(vec![late, other]);
    assert_eq!(ends, ["1 ok", "2 ok", "3 ok", "4 ok", "5 ok"]);
    assert_eq!(run.outcome.fault_effects, [0, 0]);
    assert!(!run.trace.records.iter().any(|record| matches!(record.event, Event::FaultBegan { .. })));
}

#[test]
fn generators_draw_from_the_trigger_points_of_a_run_without_faults() {
    static LIVES: AtomicU32 = AtomicU32::new(0);
    let scenario = |most: usize| {
        Scenario::new("trigger points")
            .host("server", |cx| {
                LIVES.fetch_add(1, Ordering::Relaxed);
                echo(cx.listener(80))
            })
            .clients("client", 1, Just(()), |cx, ()| async move { ask(&cx, &Seen::default(), 5).await })
            .fault(
                fault::kill(here())
                    .at_message("server", "client", "ping")
                    .lasting(millis(10)..millis(20))
                    .at_most(most),
            )
            .fault(fault::kill("server").at_event("server", "never"))
            .run_for(secs(20))
            .settle_for(secs(1))
    };
    use proptest::strategy::Just;
    let mut drawn = std::collections::BTreeSet::new();
    for seed in (0..40).map(Seed) {
        let case = squall::internal::run::draw(&scenario(1), seed, &Swarm::whole());
        let [fault] = case.plan.faults.as_slice() else { panic!("{:?}", case.plan) };
        drawn.insert(fault.trigger.nth().unwrap());
        let outcome = run(&scenario(1), &case, Detail::Lean).outcome;
        // No fault acts before the trigger point, so it comes as in the run without faults.
        assert_eq!(outcome.fault_effects, [1], "{case:?}");
        assert_eq!(scenario(1).defect(&case), None);
        let text = serde_json::to_string(&case).unwrap();
        assert_eq!(serde_json::from_str::<squall::scenario::Case>(&text).unwrap(), case);
        assert_eq!(squall::internal::run::draw(&scenario(1), seed, &Swarm::whole()), case);
    }
    assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5], "each of the five answers");
    let several = squall::internal::run::draw(&scenario(9), Seed(7), &Swarm::whole()).plan.faults;
    assert!((1..=3).contains(&several.len()) && several.is_sorted_by_key(|fault| fault.trigger.nth()));
    assert_eq!(scenario(1).case(Seed(1)).plan.faults, [], "no trigger points were counted");
}

/// A program that uses everything: names, connections and datagrams both ways, its disk, its wall clock.
async fn use_everything(cx: HostContext) -> io::Result<()> {
    let recorder = cx.recorder();
    let listener = cx.listener(80);
    let other = if cx.name() == "client" { "server" } else { "client" };
    let serving = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let cx = cx.clone();
            tokio::spawn(async move {
                let mut bytes = vec![0; 1_000];
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    let _ = work(&cx);
                    tokio::time::sleep(millis(3)).await;
                    if stream.write_all(&bytes[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    };
    let asking = async {
        loop {
            let _ = work(&cx);
            let exchange = async {
                let mut stream = cx.connector().connect(other, 80).await?;
                for _ in 0..3 {
                    stream.write_all(&[7; 800]).await?;
                    stream.read_exact(&mut [0; 800]).await?;
                    tokio::time::sleep(millis(30)).await;
                }
                io::Result::Ok(())
            };
            if let Ok(Ok(())) = tokio::time::timeout(secs(2), exchange).await {
                recorder.note("exchanged", "");
            }
            tokio::time::sleep(millis(50)).await;
        }
    };
    let socket = cx.datagrams(53)?;
    let sending = async {
        let to = cx.connector().resolve(other).await.map_or(cx.address(), |found| found[0]);
        loop {
            let _ = socket.send_to(&[7; 100], (to, 53).into()).await;
            tokio::time::sleep(millis(100)).await;
        }
    };
    tokio::select! {
        // Two runs in one process would choose differently.
        biased;
        served = serving => served,
        () = asking => Ok(()),
        () = sending => Ok(()),
    }
}

fn work(cx: &HostContext) -> io::Result<()> {
    let file = cx.disk().open_durable("log")?;
    let length = file.len()?;
    file.write_at(length % 5_000, &[1; 200])?;
    file.sync_data()?;
    file.read_at(0, &mut [0; 100])?;
    std::hint::black_box(std::time::SystemTime::now());
    Ok(())
}

#[test]
fn every_kind_can_begin_with_a_message_or_an_event_and_ends() {
    for (kind, entry) in fault::kinds() {
        if ["segments", "slow start", "out of memory"].contains(&kind.name()) {
            // Segment faults name their segments; the others need a restart or more load than this scenario has.
            continue;
        }
        // Kinds that act by chance, or only on heavy traffic, must be effective on the little that is sent here.
        let kind = match kind.name() {
            "loss" => fault::kinds::Loss { rate: 0.5 }.into(),
            "duplicate" => fault::kinds::Duplicate { rate: 0.5 }.into(),
            "stop" => fault::kinds::Stop { grace: millis(100) }.into(),
            "bandwidth" => fault::kinds::Bandwidth { bytes_per_second: 2_000, queue_bytes: 2_000 }.into(),
            "disk errors" => fault::kinds::DiskErrors { rate: 0.5, calls: fault::DiskCalls::All }.into(),
            "disk corruption" => fault::kinds::DiskCorruption { rate: 0.5 }.into(),
            "corrupt" => fault::kinds::Corrupt { rate: 0.5 }.into(),
            "small window" => fault::kinds::SmallWindow { bytes: 100 }.into(),
            "close idle" => fault::kinds::CloseIdle { idle_for: millis(5) }.into(),
            _ => kind,
        };
        let target = match kind.is_for_hosts() {
            true => Target::Hosts(here()),
            false => Target::Links { from: here(), to: "client".into() },
        };
        let beginnings = [
            fault::kill("server").at_nth_message("server", "client", "", 9),
            fault::kill("server").at_nth_event("server", "exchanged", 3),
        ];
        for fault in beginnings {
            let fault = Fault { kind: kind.clone(), target: target.clone(), ..fault }.lasting(secs(3));
            let scenario = Scenario::new("everything")
                .host("server", use_everything)
                .host("client", use_everything)
                .latency(millis(10)..millis(20))
                .run_for(secs(12))
                .settle_for(secs(5));
            let case = squall::scenario::Case::new("everything", Seed(3)).fault(fault.clone());
            assert_eq!(scenario.defect(&case), None, "{fault}");
            let lean = passing_either_way(&scenario, &case);
            assert!(lean.outcome.fault_effects[0] > 0, "{fault} was not effective ({})", entry.name);
            let at = |event: &dyn Fn(&Event) -> bool| lean.trace.records.iter().find(|r| event(&r.event)).map(|r| r.at);
            let began = at(&|event| matches!(event, Event::FaultBegan { .. })).unwrap();
            let ended = at(&|event| matches!(event, Event::FaultEnded { .. })).unwrap();
            // The fault ends with the step that contains its end.
            assert_between(ended - began, 2_990, 3_000);
            let late = lean
                .trace
                .marks()
                .filter(|(at, host, mark)| mark.name() == "exchanged" && host.0 == 0 && *at > ended + millis(2_500));
            assert!(late.count() > 5, "{fault}: exchanges succeed after its end");
        }
    }
}

/// Nodes of which the first that lives longest without a leader becomes the leader; without faults, only one ever does.
fn electing(in_turn: bool) -> Scenario {
    let kill = fault::kill(here()).at_event("node-*", "leader").lasting(secs(5)..secs(6));
    let leader = Arc::new(Mutex::new(Duration::ZERO));
    Scenario::new("electing")
        .hosts("node", 4, move |cx| {
            let leader = leader.clone();
            async move {
                loop {
                    // Each node has its own patience, so that they do not vote at once.
                    tokio::time::sleep(millis(500 + 100 * cx.index() as u64)).await;
                    let now = cx.elapsed();
                    let heard = *leader.lock().unwrap();
                    if heard > now || (now > secs(1) && heard + secs(1) < now) {
                        break;
                    }
                }
                cx.recorder().note("leader", "");
                loop {
                    *leader.lock().unwrap() = cx.elapsed();
                    tokio::time::sleep(millis(100)).await;
                }
            }
        })
        .fault(if in_turn { kill.in_turn(4) } else { kill })
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(secs(30))
        .settle_for(secs(1))
}

#[test]
fn each_new_leader_is_killed_in_turn() {
    let most_kills = |in_turn| {
        let kills = (0..20).map(Seed).map(|seed| {
            let scenario = electing(in_turn);
            let case = squall::internal::run::draw(&scenario, seed, &Swarm::whole());
            run(&scenario, &case, Detail::Lean).outcome.fault_effects.iter().sum::<u64>()
        });
        kills.max().unwrap()
    };
    assert_eq!(most_kills(false), 1, "a run without faults has one leader");
    assert_eq!(most_kills(true), 4);
}
