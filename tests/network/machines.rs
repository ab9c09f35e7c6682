//! Faults of machines that keep running, as their peers see them: output stalls, slow starts, lack of memory.

use squall::trace::Event;

use super::*;

/// Sends `count` pings, one every 100 ms from 50 ms on, each on its own connection and with a timeout of a second.
/// Notes for each the word `ok` or the error, and how long it took.
async fn ping_every_100_ms(cx: HostContext, seen: Seen, count: u64) {
    let mut pings = Vec::new();
    for number in 0..count {
        until(&cx, 50 + 100 * number).await;
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

/// When the first and the last of the pings that ended with this word began, in milliseconds, and how many there were.
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

/// The recorded effects of faults on hosts, with time and fault, from a rich run.
pub(super) fn host_effects(scenario: &Scenario) -> Vec<String> {
    let recording = recorded(scenario);
    let reported = recording.records.iter().filter_map(|record| match record.event {
        Event::HostAffected { fault } => {
            let host = &recording.hosts[record.host?.index()];
            Some(format!("{} ms: {host} {} [f{}]", record.at.as_millis(), record.text.as_deref()?, fault + 1))
        }
        _ => None,
    });
    reported.collect()
}

#[test]
fn a_program_with_stalled_output_still_reads_and_its_output_arrives_at_the_end() {
    let output_stall = fault::output_stall("server").at(secs(1)).lasting(secs(4));
    let (run, seen) = world(20, vec![output_stall], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut old).await.unwrap();
        until(&cx, 2_000).await;
        let mut new = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        // More than a window: the program keeps reading, so its kernel keeps announcing room.
        let (mut read, mut write) = new.into_split();
        let sent = vec![7; 400_000];
        let writing = tokio::spawn(async move { write.write_all(&sent).await.map(|()| write) });
        old.write_all(b"ping").await.unwrap();
        let answer = tokio::time::timeout(secs(2), old.read(&mut [0; 4])).await;
        assert!(answer.is_err(), "neither an answer nor a reset: {answer:?}");
        assert!(writing.is_finished(), "the server read everything");
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
    let reported: Vec<_> = of_server.map(|record| (record.at, record.event.clone())).collect();
    assert_eq!(reported, [(secs(0), Event::Started), (secs(1), Event::OutputStalled), (secs(5), Event::OutputResumed)]);
    assert!(run.outcome.fault_effects[0] > 1, "{:?}", run.outcome.fault_effects);
}

#[test]
fn an_output_stall_delays_the_end_of_a_stream_and_the_kernel_still_refuses() {
    // The server closes each connection at once.
    let ends = |cx: HostContext| async move {
        let listener = cx.listener(80);
        loop {
            drop(listener.accept().await?);
        }
    };
    let output_stall = fault::output_stall("server").at(secs(1)).lasting(secs(2));
    let (run, seen) = world_with(
        20,
        vec![output_stall],
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
    assert_eq!(run.outcome.fault_effects, [1]);
}

#[test]
fn stalled_output_is_lost_with_the_power() {
    let output_stall = fault::output_stall("server").at(secs(1)).lasting(secs(8));
    let off = fault::power_off("server").at(secs(3)).lasting(secs(1));
    let (_, seen) = world(20, vec![output_stall, off], |cx, seen| async move {
        until(&cx, 1_500).await;
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let answer = tokio::time::timeout(secs(20), stream.read(&mut [0; 4])).await;
        assert!(answer.is_err(), "the machine has lost its output: {answer:?}");
        note(&seen, &cx, "silence");
        stream.write_all(b"ping").await.unwrap();
        reads_reset(&mut stream).await;
    });
    assert!(saw(&seen, "silence"));
}

#[test]
fn a_hold_and_an_output_stall_each_keep_their_own_segments() {
    // The hold keeps everything until 3 s, the output stall keeps the program's output until 5 s.
    let hold = fault::hold("server", "client").at(secs(1)).lasting(secs(2));
    let output_stall = fault::output_stall("server").at(secs(1)).lasting(secs(4));
    let (_, seen) = world(20, vec![hold, output_stall], |cx, seen| async move {
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
fn plain_turmoil_sockets_have_output_stalls_exact_to_a_step() {
    if by_events() {
        return eprintln!("skipped: there are no plain turmoil sockets where hosts run by events");
    }
    let client = |cx: HostContext, seen: Seen| async move {
        until(&cx, 1_500).await;
        let mut stream = turmoil::net::TcpStream::connect("server:80").await.unwrap();
        note(&seen, &cx, "connected");
        for label in ["answered", "over"] {
            stream.write_all(b"ping").await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
            note(&seen, &cx, label);
        }
    };
    let output_stall = fault::output_stall("server").at(secs(1)).lasting(secs(2));
    let (run, seen) = world_with(20, vec![output_stall], plain_turmoil_echo, client, |s| s);
    assert_between(at(&seen, "connected"), 1_520, 1_560);
    assert_between(at(&seen, "answered"), 3_010, 3_050);
    assert_between(at(&seen, "over") - at(&seen, "answered"), 40, 80);
    assert_eq!(run.outcome.fault_effects, [1]);
}

#[test]
fn a_slow_start_refuses_until_the_program_listens() {
    let faults = || {
        vec![
            fault::kill("server").at(secs(1)).lasting(millis(500)),
            fault::slow_start(millis(730), "server").at(secs(1)).lasting(secs(1)),
            fault::slow_start(millis(20), "server").at(secs(1)).lasting(millis(800)),
            // The slow starts have ended by this restart.
            fault::kill("server").at(secs(4)).lasting(millis(500)),
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
    // The server is dead from 1.0 to 1.5 s, and listens from 1.5 + 0.73 + 0.02 = 2.25 s on.
    assert_eq!(refused(&seen_of(0, 4_000)), (Some(1_050), Some(2_150), 12));
    assert_eq!(refused(&seen_of(4_000, 9_000)), (Some(4_050), Some(4_450), 5));
    assert_eq!(span(&seen, "ok").map(|span| span.2), Some(60 - 17));
    // The connects that came while it was up but did not listen: from 1.55 to 2.15 s.
    assert_eq!(run.outcome.fault_effects, [1, 7, 7, 1]);
}

#[test]
fn a_slow_start_also_affects_the_first_start_and_is_recorded() {
    let slow = fault::slow_start(millis(300), "server").at_start().lasting(millis(50));
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
    assert_eq!(host_effects(&scenario), [60, 160, 260].map(refused));
}

/// A server that answers each ping after `takes`, on any number of connections.
async fn slow_echo(cx: HostContext, takes: Duration) -> io::Result<()> {
    let listener = cx.listener(80);
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

/// At each of these times, opens this many connections that send a request at once, and one that stays idle.
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
fn a_program_without_memory_dies_only_of_requests_in_flight() {
    let scarce = fault::out_of_memory(3, millis(500), "server").at(secs(2)).lasting(secs(3));
    let (run, seen) = world_with(
        10,
        vec![scarce],
        |cx| slow_echo(cx, millis(200)),
        // Before the fault, below its limit, at its limit, and after it.
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
    // The third request arrives at 3.55 s; the process dies at the start of the next step.
    let ended = ends(3_500, ")");
    assert_eq!(ended.len(), 3);
    for at in ended {
        assert_between(at, 3_570, 3_572);
    }
    assert!(ends(3_500, "Ok(4)").is_empty());
    assert_eq!(ends(5_500, "Ok(4)").len(), 9);
    assert_eq!(run.outcome.fault_effects, [1]);
    let life: Vec<(Duration, &Event)> = run
        .trace
        .records
        .iter()
        .filter(|record| record.host == run.trace.host("server") && !record.at.is_zero())
        .map(|record| (record.at, &record.event))
        .collect();
    let [(died, Event::Killed), (started, Event::Started)] = life[..] else { panic!("{life:?}") };
    let expected = if by_events() { (3_550, 4_050) } else { (3_560, 4_060) };
    assert_eq!((died, started), (millis(expected.0), millis(expected.1)));
}

#[test]
fn a_program_without_memory_dies_once_per_life_and_survives_after_the_faults() {
    let scarce = fault::out_of_memory(2, secs(60), "server").at(secs(1)).lasting(secs(8));
    let kill = fault::kill("server").at(millis(5_000)).lasting(millis(1_000));
    let seen = Seen::default();
    let client = |cx, seen| bursts(cx, seen, [(1_500, 5), (3_000, 5), (5_200, 5), (10_500, 5)]);
    let scenario = Scenario::new("scarce")
        .host("server", |cx| slow_echo(cx, millis(100)))
        .host("client", sharing(&seen, client))
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", vec![scarce, kill]))
        .run_for(secs(10))
        .settle_for(secs(2));
    let (host_effects, seen) = (host_effects(&scenario), seen.lock().unwrap());
    // The program is dead from 1.55 s on, so the kill has no effect. The supervisor's delay of a minute ends with the
    // faults, at 10 s.
    assert_eq!(host_effects, ["1550 ms: server runs out of memory with 2 requests in flight [f1]"]);
    let count = |begin: &str, end: &str| {
        seen.iter().filter(|(label, _)| label.starts_with(begin) && label.ends_with(end)).count()
    };
    // The scenario runs twice, lean and rich.
    assert_eq!(count("3000 ", "Err(ConnectionRefused)"), 10);
    assert_eq!(count("5200 ", "Err(ConnectionRefused)"), 10);
    assert_eq!(count("10500 ", "Ok(4)"), 10);
}

#[test]
fn all_faults_of_machines_together_give_equal_lean_and_rich_runs() {
    let scenario = Scenario::new("all")
        .hosts("node", 2, |cx| async move {
            // The answer depends on the wall clock.
            let listener = cx.listener(80);
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    while stream.read_exact(&mut [0; 4]).await.is_ok() {
                        tokio::time::sleep(millis(150)).await;
                        let now = format!("{:?}", std::time::SystemTime::now());
                        if stream.write_all(now.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .host("client", |cx: HostContext| async move {
            for number in 0..150_u64 {
                until(&cx, 100 * number).await;
                let own = cx.clone();
                tokio::spawn(async move {
                    let name = ["node-1", "node-2"][number as usize % 2];
                    let one = async {
                        let mut stream = own.connector().connect(name, 80).await?;
                        stream.write_all(b"ping").await?;
                        let length = stream.read(&mut [0; 100]).await?;
                        own.recorder().note("answer", &length.to_string());
                        io::Result::Ok(())
                    };
                    let _ = tokio::time::timeout(secs(2), one).await;
                });
            }
        })
        .latency(millis(5)..millis(20))
        .fault(fault::output_stall(one("node")).every(millis(500)..secs(4)))
        .fault(fault::pause(one("node")).every(millis(500)..secs(4)))
        .fault(fault::slow_restart(millis(600), one("node")).every(millis(500)..secs(4)))
        .fault(fault::out_of_memory(2, millis(300), "node").every(millis(500)..secs(4)))
        .fault(fault::clock_skew(-5_000, one("*")).every(millis(500)..secs(2)))
        .fault(fault::clock_drift(20_000, one("*")).every(millis(500)..secs(2)))
        .fault(fault::dns_slow(millis(400), "client", one("node")).every(millis(500)..secs(4)))
        .fault(fault::dns_blackhole("client", one("node")).every(millis(500)..secs(4)))
        .fault(fault::dns_not_found("client", one("node")).every(millis(500)..secs(4)))
        .run_for(secs(15))
        .settle_for(secs(3));
    let mut effective = std::collections::BTreeMap::new();
    for seed in (0..10).map(Seed) {
        let case = squall::internal::run::draw(&scenario, seed, &fault::Swarm::whole());
        assert_eq!(scenario.defect(&case), None);
        let effects = passing_either_way(&scenario, &case).outcome.fault_effects;
        for (fault, effects) in case.plan.faults.iter().zip(effects) {
            *effective.entry(fault.kind.name()).or_insert(0) += u64::from(effects > 0);
        }
    }
    assert_eq!(effective.len(), 10, "{effective:?}");
    assert!(effective.values().all(|count| *count > 5), "{effective:?}");
}
