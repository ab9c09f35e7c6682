//! Faults of machines that go on running, as their peers see them: mute programs, slow starts, lack of memory, names.

use squall::fault::Source;
use squall::trace::Event;

use super::*;

/// What a client saw of one ping on a connection of its own every 100 ms, from 50 ms on, each with a second of time: the
/// word `ok`, or why not, and how long it took.
async fn ping_every_100_ms(cx: HostContext, seen: Seen, count: u64) {
    let mut pings = Vec::new();
    for number in 0..count {
        tokio::time::sleep(millis(50 + 100 * number).saturating_sub(cx.elapsed())).await;
        let (own, seen) = (cx.clone(), seen.clone());
        pings.push(tokio::spawn(async move {
            let asked = own.elapsed();
            let one = async { ping(&mut own.connector().connect("server", 80).await?).await };
            let word = match tokio::time::timeout(secs(1), one).await {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(error)) => format!("{:?}", error.kind()),
                Err(_) => "silence".to_owned(),
            };
            let took = own.elapsed() - asked;
            seen.lock().unwrap().push((format!("{:04} {word}", asked.as_millis()), took));
        }));
    }
    for ping in pings {
        ping.await.unwrap();
    }
}

/// When the first and the last ping was begun that came to this, in milliseconds, and how many did.
fn span(seen: &Seen, word: &str) -> Option<(u64, u64, usize)> {
    let seen = seen.lock().unwrap();
    let mut begun: Vec<u64> = seen
        .iter()
        .filter_map(|(label, _)| label.split_once(' ').filter(|(_, found)| *found == word))
        .map(|(begun, _)| begun.parse().unwrap())
        .collect();
    begun.sort_unstable();
    Some((*begun.first()?, *begun.last()?, begun.len()))
}

/// Sleeps until this time of the run.
async fn until(cx: &HostContext, at_ms: u64) {
    tokio::time::sleep(millis(at_ms).saturating_sub(cx.elapsed())).await;
}

/// The words of what befell hosts, with the time and the fault, of a run with a full trace.
fn befallen(scenario: &Scenario) -> Vec<String> {
    let case = scenario.case(Seed(1));
    let lean = run(scenario, &case, Detail::Lean).outcome;
    let recording = run(scenario, &case, Detail::Rich).into_recording(case);
    assert_eq!(recording.outcome.fingerprint, lean.fingerprint);
    assert_eq!(recording.outcome.fault_bites, lean.fault_bites);
    let told = recording.records.iter().filter_map(|record| match record.event {
        Event::Befallen { fault } => {
            let host = &recording.hosts[record.host?.index()];
            Some(format!("{} ms: {host} {} [f{}]", record.at.as_millis(), record.text.as_deref()?, fault + 1))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn a_mute_program_takes_in_and_is_heard_at_the_end() {
    let mute = Fault::mute("server").at(secs(1)).lasting(secs(4));
    let (run, seen) = world(20, vec![mute], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut old).await.unwrap();
        until(&cx, 2_000).await;
        let mut new = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        // More than a window: the kernel goes on taking in what its program reads.
        let (mut read, mut write) = new.into_split();
        let sent = vec![7; 400_000];
        let writing = tokio::spawn(async move { write.write_all(&sent).await.map(|()| write) });
        old.write_all(b"ping").await.unwrap();
        let answer = tokio::time::timeout(secs(2), old.read(&mut [0; 4])).await;
        assert!(answer.is_err(), "neither an answer nor a reset: {answer:?}");
        assert!(writing.is_finished(), "all was taken in");
        old.read_exact(&mut [0; 4]).await.unwrap();
        note(&seen, &cx, "answered");
        let mut echoed = vec![0; 400_000];
        read.read_exact(&mut echoed).await.unwrap();
        new = cx.connector().connect("server", 80).await.unwrap();
        let asked = cx.elapsed();
        ping(&mut new).await.unwrap();
        seen.lock().unwrap().push(("over".into(), cx.elapsed() - asked));
    });
    assert_between(at(&seen, "connected"), 2_040, 2_042);
    assert_between(at(&seen, "answered"), 5_020, 5_022);
    assert_between(at(&seen, "over"), 40, 42);
    let server = run.trace.host("server");
    let of_server = run.trace.records.iter().filter(|record| record.host == server);
    let told: Vec<_> = of_server.map(|record| (record.at, record.event.clone())).collect();
    assert_eq!(told, [(secs(0), Event::Started), (secs(1), Event::Muted), (secs(5), Event::Heard)]);
    assert!(run.outcome.fault_bites[0] > 1, "{:?}", run.outcome.fault_bites);
}

#[test]
fn a_mute_program_hides_its_end_too_and_its_kernel_still_refuses() {
    // The server ends each connection at once.
    let ends = |cx: HostContext| async move {
        let mut listener = cx.listener(80);
        loop {
            drop(listener.accept().await?);
        }
    };
    let mute = Fault::mute("server").at(secs(1)).lasting(secs(2));
    let (run, seen) = world_with(
        20,
        vec![mute],
        ends,
        |cx, seen| async move {
            until(&cx, 1_500).await;
            let refused = cx.connector().connect("server", 81).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            note(&seen, &cx, "refused");
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            note(&seen, &cx, "ended");
        },
        |scenario| scenario,
    );
    assert_between(at(&seen, "refused"), 1_540, 1_542);
    assert_between(at(&seen, "ended"), 3_020, 3_022);
    assert_eq!(run.outcome.fault_bites, [1]);
}

#[test]
fn what_a_mute_program_said_is_gone_with_the_power() {
    let mute = Fault::mute("server").at(secs(1)).lasting(secs(8));
    let off = Fault::power_off("server").at(secs(3)).lasting(secs(1));
    let (_, seen) = world(20, vec![mute, off], |cx, seen| async move {
        until(&cx, 1_500).await;
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let answer = tokio::time::timeout(secs(20), stream.read(&mut [0; 4])).await;
        assert!(answer.is_err(), "the machine has forgotten: {answer:?}");
        note(&seen, &cx, "silence");
        stream.write_all(b"ping").await.unwrap();
        assert_eq!(stream.read(&mut [0; 4]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
    assert!(saw(&seen, "silence"));
}

#[test]
fn a_hold_and_a_mute_program_keep_each_what_is_theirs() {
    // The hold keeps everything until 3 s, the mute program what it says until 5 s.
    let hold = Fault::hold("server", "client").at(secs(1)).lasting(secs(2));
    let mute = Fault::mute("server").at(secs(1)).lasting(secs(4));
    let (_, seen) = world(20, vec![hold, mute], |cx, seen| async move {
        until(&cx, 2_500).await;
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "answered");
    });
    assert_between(at(&seen, "connected"), 3_020, 3_022);
    assert_between(at(&seen, "answered"), 5_020, 5_022);
}

#[test]
fn a_slow_start_refuses_until_the_program_listens() {
    let faults = || {
        vec![
            Fault::kill("server").at(secs(1)).lasting(millis(500)),
            Fault::slow_start(millis(730), "server").at(secs(1)).lasting(secs(1)),
            Fault::slow_start(millis(20), "server").at(secs(1)).lasting(millis(800)),
            // Nothing is slow any more.
            Fault::kill("server").at(secs(4)).lasting(millis(500)),
        ]
    };
    let (run, seen) = world(10, faults(), |cx, seen| ping_every_100_ms(cx, seen, 60));
    let seen_of = |from: u64, to: u64| {
        let seen = seen.lock().unwrap();
        let of = seen.iter().filter(|(label, _)| (from..to).contains(&label[..4].parse().unwrap()));
        of.map(|(label, _)| label.clone()).collect::<Vec<_>>()
    };
    let refused = |labels: &[String]| {
        let mut refused: Vec<u64> = labels
            .iter()
            .filter(|label| label.ends_with("ConnectionRefused"))
            .map(|label| label[..4].parse().unwrap())
            .collect();
        refused.sort_unstable();
        (refused.first().copied(), refused.last().copied(), refused.len())
    };
    // Dead from 1.0 to 1.5 s, and it listens from 1.5 + 0.73 + 0.02 = 2.25 s on.
    assert_eq!(refused(&seen_of(0, 4_000)), (Some(1_050), Some(2_150), 12));
    assert_eq!(refused(&seen_of(4_000, 9_000)), (Some(4_050), Some(4_450), 5));
    assert_eq!(span(&seen, "ok").map(|span| span.2), Some(60 - 17));
    // Those that came while it was up and did not listen: from 1.55 to 2.15 s.
    assert_eq!(run.outcome.fault_bites, [1, 7, 7, 1]);
}

#[test]
fn a_slow_start_is_also_that_of_the_run_and_says_so() {
    let slow = Fault::slow_start(millis(300), "server").lasting(millis(50));
    let seen = Seen::default();
    let scenario = Scenario::new("slow")
        .host("server", |cx| echo(cx.listener(80)))
        .host("client", move |cx| ping_every_100_ms(cx, seen.clone(), 4))
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", vec![slow]))
        .run_for(secs(2))
        .settle_for(secs(1));
    let refused =
        |at: u64| format!("{at} ms: server does not listen on port 80 before 300ms and refuses a connect [f1]");
    assert_eq!(befallen(&scenario), [60, 160, 260].map(refused));
}

/// A server that answers each ping after `takes`, on connections that it does not limit.
async fn slow_echo(cx: HostContext, takes: Duration) -> io::Result<()> {
    let mut listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = [0; 4];
            while stream.read_exact(&mut buffer).await.is_ok() {
                tokio::time::sleep(takes).await;
                if stream.write_all(&buffer).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// At these times, so many connections are made that ask at once, and one that never asks.
async fn bursts(cx: HostContext, seen: Seen, bursts: [(u64, usize); 4]) {
    let mut asked = Vec::new();
    for (at_ms, count) in bursts {
        until(&cx, at_ms).await;
        let idle = cx.connector().connect("server", 80).await;
        for number in 0..count {
            let (own, seen) = (cx.clone(), seen.clone());
            asked.push(tokio::spawn(async move {
                let one = async {
                    let mut stream = own.connector().connect("server", 80).await?;
                    // A request in two parts is one request.
                    stream.write_all(b"pi").await?;
                    tokio::time::sleep(millis(30)).await;
                    stream.write_all(b"ng").await?;
                    stream.read_exact(&mut [0; 4]).await
                };
                let end = one.await.map_err(|error| error.kind());
                note(&seen, &own, format!("{at_ms} {number} {end:?}"));
            }));
        }
        until(&cx, at_ms + 900).await;
        drop(idle);
    }
    for task in asked {
        task.await.unwrap();
    }
}

#[test]
fn a_program_without_memory_dies_of_requests_in_flight_and_of_nothing_else() {
    let scarce = Fault::out_of_memory(3, millis(500), "server").at(secs(2)).lasting(secs(3));
    let (run, seen) = world_with(
        10,
        vec![scarce],
        |cx| slow_echo(cx, millis(200)),
        // Before it, below it, as much as it takes, after it.
        |cx, seen| bursts(cx, seen, [(1_000, 9), (2_500, 2), (3_500, 3), (5_500, 9)]),
        |scenario| scenario,
    );
    let ends = |at_ms: u64, end: &str| {
        let seen = seen.lock().unwrap();
        let of = seen.iter().filter(|(label, _)| label.starts_with(&format!("{at_ms} ")) && label.ends_with(end));
        of.map(|(_, at)| *at).collect::<Vec<_>>()
    };
    assert_eq!(ends(1_000, "Ok(4)").len(), 9);
    assert_eq!(ends(2_500, "Ok(4)").len(), 2);
    // The third request is there at 3.55 s; the process dies at the start of the step after that.
    let ended = ends(3_500, ")");
    assert_eq!(ended.len(), 3);
    for at in ended {
        assert_between(at, 3_570, 3_572);
    }
    assert!(ends(3_500, "Ok(4)").is_empty());
    assert_eq!(ends(5_500, "Ok(4)").len(), 9);
    assert_eq!(run.outcome.fault_bites, [1]);
    let life: Vec<(Duration, &Event)> = run
        .trace
        .records
        .iter()
        .filter(|record| record.host == run.trace.host("server") && !record.at.is_zero())
        .map(|record| (record.at, &record.event))
        .collect();
    let [(died, Event::Killed), (started, Event::Started)] = life[..] else { panic!("{life:?}") };
    assert_eq!((died, started), (millis(3_560), millis(4_060)));
}

#[test]
fn a_program_without_memory_dies_once_in_each_life_and_lives_when_all_is_over() {
    let scarce = Fault::out_of_memory(2, secs(60), "server").at(secs(1)).lasting(secs(8));
    let kill = Fault::kill("server").at(millis(5_000)).lasting(millis(1_000));
    let seen = Seen::default();
    let shared = seen.clone();
    let scenario = Scenario::new("scarce")
        .host("server", |cx| slow_echo(cx, millis(100)))
        .host("client", move |cx| bursts(cx, shared.clone(), [(1_500, 5), (3_000, 5), (5_200, 5), (10_500, 5)]))
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", vec![scarce, kill]))
        .run_for(secs(10))
        .settle_for(secs(2));
    let (befallen, seen) = (befallen(&scenario), seen.lock().unwrap());
    // Dead since 1.5 s, it is killed no second time; the supervisor's minute ends with the faults, at 10 s.
    assert_eq!(befallen, ["1550 ms: server runs out of memory with 2 requests in flight [f1]"]);
    let count = |begin: &str, end: &str| {
        seen.iter().filter(|(label, _)| label.starts_with(begin) && label.ends_with(end)).count()
    };
    // The run is made twice, once with a full trace.
    assert_eq!(count("3000 ", "Err(ConnectionRefused)"), 10);
    assert_eq!(count("5200 ", "Err(ConnectionRefused)"), 10);
    assert_eq!(count("10500 ", "Ok(4)"), 10);
}

#[test]
fn a_name_that_is_found_late_delays_a_connect_and_nothing_else() {
    let late = |by: u64, to: u64| Fault::resolve_late(millis(by), "client", "server").at(secs(1)).lasting(secs(to - 1));
    let (run, seen) = world(20, vec![late(700, 4), late(300, 3)], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 2_000).await;
        ping(&mut old).await.unwrap();
        note(&seen, &cx, "pinged");
        cx.connector().connect("192.168.0.1", 80).await.unwrap();
        note(&seen, &cx, "by address");
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "by name");
        cx.connector().connect("client", 80).await.unwrap_err();
        note(&seen, &cx, "to itself");
        until(&cx, 3_500).await;
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "by name at 3.5 s");
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "over");
    });
    assert_between(at(&seen, "pinged"), 2_040, 2_042);
    assert_between(at(&seen, "by address"), 2_080, 2_084);
    assert_between(at(&seen, "by name"), 3_120, 3_126);
    assert_between(at(&seen, "to itself"), 3_120, 3_128);
    assert_between(at(&seen, "by name at 3.5 s"), 4_240, 4_242);
    assert_between(at(&seen, "over"), 4_280, 4_284);
    assert_eq!(run.outcome.fault_bites, [2, 1]);
}

#[test]
fn a_name_that_leads_nowhere_hangs_as_long_as_linux_does() {
    let dead = Fault::resolve_dead("client", "server").at(secs(1)).lasting(secs(9));
    let (run, seen) = world(20, vec![dead], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 2_000).await;
        let patient = cx.clone();
        let patient = tokio::spawn(async move {
            let error = patient.connector().connect("server", 80).await.unwrap_err();
            (error.kind(), patient.elapsed())
        });
        let hasty = tokio::time::timeout(secs(1), cx.connector().connect("server", 80)).await;
        assert!(hasty.is_err());
        ping(&mut old).await.unwrap();
        until(&cx, 10_000).await;
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "over");
        let (kind, gave_up) = patient.await.unwrap();
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert_between(gave_up, 133_000, 133_002);
    });
    assert_between(at(&seen, "over"), 10_040, 10_042);
    assert_eq!(run.outcome.fault_bites, [2]);
}

#[test]
fn a_name_that_is_not_found_fails_at_once() {
    let nothing = Fault::resolve_nothing("client", "server").at(secs(1)).lasting(secs(2));
    // Of two answers that is the one that counts, and it can be late.
    let dead = Fault::resolve_dead("client", "server").at(secs(1)).lasting(secs(2));
    let late = Fault::resolve_late(millis(200), "client", "server").at(secs(2)).lasting(secs(1));
    let (run, seen) = world(20, vec![dead, nothing, late], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        let error = cx.connector().connect("server", 80).await.unwrap_err();
        note(&seen, &cx, "at once");
        assert_eq!(error.to_string(), "failed to lookup address information: Name or service not known");
        // Not one of the kinds that have names: what tokio gives for an unknown name.
        assert_eq!(error.kind(), io::Error::from_raw_os_error(0).kind());
        assert_eq!(format!("{:?}", error.kind()), "Uncategorized");
        until(&cx, 2_500).await;
        cx.connector().connect("server", 80).await.unwrap_err();
        note(&seen, &cx, "late");
        ping(&mut old).await.unwrap();
        until(&cx, 3_000).await;
        cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "over");
    });
    assert_between(at(&seen, "at once"), 1_500, 1_501);
    assert_between(at(&seen, "late"), 2_700, 2_702);
    assert_between(at(&seen, "over"), 3_040, 3_042);
    assert_eq!(run.outcome.fault_bites, [0, 2, 1]);
}

#[test]
fn names_are_hidden_from_those_alone_who_are_meant_and_the_story_tells() {
    let seen = Seen::default();
    let connect = |name: &'static str, to: &'static str| {
        let seen = seen.clone();
        move |cx: HostContext| {
            let seen = seen.clone();
            async move {
                until(&cx, 500).await;
                let found = cx.connector().connect(to, 80).await.is_ok();
                note(&seen, &cx, format!("{name} finds {to}: {found}"));
            }
        }
    };
    let scenario = Scenario::new("names")
        .host("server", |cx| echo(cx.listener(80)))
        .host("other", |cx| echo(cx.listener(80)))
        .host("a", connect("a", "server"))
        .host("b", connect("b", "server"))
        .host("c", connect("c", "other"))
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", vec![Fault::resolve_nothing(["a", "c"], "server")]))
        .run_for(secs(2))
        .settle_for(secs(1));
    assert_eq!(befallen(&scenario), ["500 ms: a is told that there is no server [f1]"]);
    for (what, expected) in [("a finds server", false), ("b finds server", true), ("c finds other", true)] {
        assert!(saw(&seen, &format!("{what}: {expected}")), "{what}");
    }
}

#[test]
fn a_connect_that_finds_no_name_does_not_change_the_luck_of_others() {
    // With loss, the fate of each connect is decided by its number.
    let luck = |faults: Vec<Fault>| {
        let lossy = Fault::loss(0.5, "client", "server").lasting(secs(100));
        let faults = faults.into_iter().chain([lossy]).collect();
        let (_, seen) = world(10, faults, |cx, seen| async move {
            for number in 0..30_u64 {
                until(&cx, 3_000 * number).await;
                let asked = cx.elapsed();
                let word = match tokio::time::timeout(millis(2_500), cx.connector().connect("server", 80)).await {
                    Ok(Ok(_)) => format!("{:?}", cx.elapsed() - asked),
                    Ok(Err(_)) => "no name".to_owned(),
                    Err(_) => "silence".to_owned(),
                };
                note(&seen, &cx, word);
            }
        });
        let seen = seen.lock().unwrap();
        seen.iter().map(|(word, _)| word.clone()).collect::<Vec<String>>()
    };
    let (all, some) =
        (luck(vec![]), luck(vec![Fault::resolve_nothing("client", "server").at(secs(30)).lasting(secs(9))]));
    assert_eq!(some[10..13], ["no name", "no name", "no name"]);
    assert_eq!((&all[..10], &all[13..]), (&some[..10], &some[13..]));
    assert!(all[13..].iter().collect::<std::collections::BTreeSet<_>>().len() > 1, "{all:?}");
}

/// Three nodes and a client that pings each every 100 ms on connections of their own, for 20 s: which were reached, as
/// `n1`, and when.
fn tier(source: impl Into<Source>) -> (Run, Vec<(String, Duration)>) {
    let seen = Seen::default();
    let shared = seen.clone();
    let scenario = Scenario::new("tier")
        .hosts("node", 3, |cx| echo(cx.listener(80)))
        .host("client", move |cx| {
            let seen = shared.clone();
            async move {
                for number in 0..200 {
                    until(&cx, 50 + 100 * number).await;
                    for node in ["node-1", "node-2", "node-3"] {
                        let (own, seen) = (cx.clone(), seen.clone());
                        tokio::spawn(async move {
                            let asked = own.elapsed();
                            if let Ok(mut stream) = own.connector().connect(node, 80).await
                                && ping(&mut stream).await.is_ok()
                            {
                                seen.lock().unwrap().push((node.to_owned(), asked));
                            }
                        });
                    }
                }
            }
        })
        .latency(millis(5)..millis(5))
        .fault(source)
        .run_for(secs(20))
        .settle_for(secs(1));
    let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    let seen = seen.lock().unwrap().clone();
    (run, seen)
}

/// The nodes that were reached by pings from one time to another, in order.
fn reached(seen: &[(String, Duration)], from_ms: u64, to_ms: u64) -> Vec<&str> {
    let within = seen.iter().filter(|(_, at)| millis(from_ms) <= *at && *at < millis(to_ms));
    let mut nodes: Vec<&str> = within.map(|(node, _)| node.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

#[test]
fn a_restart_loop_kills_again_and_again() {
    let looping = fault::restart_loop(3, millis(500), "node-2");
    let (run, seen) = tier(looping.once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    let node_2 = |from_ms: u64, to_ms: u64| reached(&seen, from_ms, to_ms).contains(&"node-2");
    // Down for a second, three times, with half a second between them.
    for (from_ms, to_ms, works) in [
        (0, 5_000, true),
        (5_000, 6_000, false),
        (6_000, 6_500, true),
        (6_500, 7_500, false),
        (7_500, 8_000, true),
        (8_000, 9_000, false),
        (9_000, 20_000, true),
    ] {
        assert_eq!(node_2(from_ms, to_ms), works, "from {from_ms} ms");
    }
    assert_eq!(reached(&seen, 5_000, 6_000), ["node-1", "node-3"]);
    assert_eq!(run.outcome.fault_bites, [1, 1, 1]);
}

#[test]
fn several_of_a_group_die_at_once_or_all() {
    let (run, seen) = tier(fault::kill_several(2, "node").once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    assert_eq!(reached(&seen, 4_000, 5_000).len(), 3);
    assert_eq!(reached(&seen, 5_000, 9_000).len(), 1);
    assert_eq!(reached(&seen, 9_000, 9_200).len(), 3);
    assert_eq!(run.outcome.fault_bites, [1, 1]);
    let (run, seen) = tier(fault::whole_tier("node").once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    assert_eq!(reached(&seen, 4_000, 5_000).len(), 3);
    assert!(reached(&seen, 5_000, 9_000).is_empty());
    assert_eq!(reached(&seen, 9_000, 9_200).len(), 3);
    assert_eq!(run.outcome.fault_bites, [3]);
}

#[test]
fn after_a_slow_restart_a_host_is_refused_a_while_longer() {
    let slow = fault::slow_restart(millis(1_500), "node-2");
    let (run, seen) = tier(slow.once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    // Killed until 7.5 s, and listening from 9 s on.
    assert_eq!(reached(&seen, 4_900, 5_000), ["node-1", "node-2", "node-3"]);
    assert_eq!(reached(&seen, 5_000, 9_000), ["node-1", "node-3"]);
    assert_eq!(reached(&seen, 9_000, 9_100), ["node-1", "node-2", "node-3"]);
    // Refused while it was up: a ping every 100 ms.
    assert_eq!(run.outcome.fault_bites, [1, 15]);
}
