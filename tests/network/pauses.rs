//! Processes that do nothing for a while: what they find when they go on, and what their machines do in the meantime.

use squall::trace::Event;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::*;

/// Runs `server`, whose process is paused from 1 s to 4 s, beside `client`.
fn paused<S, SFut, F, Fut>(server: S, client: F) -> (Run, Seen, Seen)
where
    S: Fn(HostContext, Seen) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = io::Result<()>> + 'static,
    F: Fn(HostContext, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let own = Seen::default();
    let pause = fault::pause("server").at(secs(1)).lasting(secs(3));
    let (run, seen) = world_with(20, vec![pause], sharing(&own, server), client, |scenario| scenario);
    (run, own, seen)
}

async fn nothing(_: HostContext, _: Seen) {}

/// The times at which something was noted, in milliseconds.
fn times(seen: &Seen) -> Vec<u128> {
    seen.lock().unwrap().iter().map(|(_, at)| at.as_millis()).collect()
}

#[test]
fn nothing_of_a_paused_process_runs_and_then_all_timers_are_late_at_once() {
    let server = |cx: HostContext, seen: Seen| async move {
        // Tasks of each kind, and timers that are due within the pause.
        for (number, due) in [1_500, 2_000, 3_999].into_iter().enumerate() {
            let (own, seen) = (cx.clone(), seen.clone());
            let task = async move {
                until(&own, due).await;
                note(&seen, &own, format!("timer {due}"));
            };
            if number == 0 { drop(tokio::task::spawn_local(task)) } else { drop(tokio::spawn(task)) }
        }
        let mut ticks = interval(millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for _ in 0..70 {
            ticks.tick().await;
            note(&seen, &cx, "tick");
        }
        Ok(())
    };
    let (run, seen, _) = paused(server, nothing);
    let times = times(&seen);
    let before = times.iter().filter(|at| **at <= 1_060).count();
    // By events, the pause comes before what is due at the same time.
    let expected = if by_events() { 10 } else { 11 };
    assert_eq!(before, expected, "a tick each 100 ms from 0 to 1 s: {times:?}");
    let resumed: Vec<u128> = times.iter().copied().filter(|at| (1_061..4_050).contains(at)).collect();
    assert_eq!(resumed, [4_000; 4], "three timers and one tick: {times:?}");
    // Skipped ticks stay skipped, and the next come in time.
    assert!(times[before + 4..].iter().all(|at| at % 100 == 0 && *at >= 4_100), "{times:?}");
    let server = run.trace.host("server");
    let events: Vec<_> = run.trace.records.iter().filter(|record| record.host == server).collect();
    let events: Vec<_> = events.iter().map(|record| (record.event.clone(), record.at)).collect();
    assert_eq!(events[0], (Event::Started, secs(0)));
    assert!(events[1].0 == Event::Paused && events[1].1 >= secs(1) && events[1].1 <= millis(1_040), "{events:?}");
    assert_eq!(events[2], (Event::Resumed, secs(4)));
    assert_eq!(run.outcome.fault_effects, [1]);
}

#[test]
fn clocks_of_a_paused_process_go_on() {
    let server = |cx: HostContext, seen: Seen| async move {
        let (mut tokio_before, mut std_before, mut wall_before) =
            (Instant::now(), std::time::Instant::now(), std::time::SystemTime::now());
        for _ in 0..60 {
            sleep(millis(100)).await;
            let gap = tokio_before.elapsed();
            if gap > millis(200) {
                assert_eq!(std_before.elapsed(), gap);
                assert_eq!(wall_before.elapsed().unwrap(), gap);
                note(&seen, &cx, "noticed");
                seen.lock().unwrap().push(("gap".into(), gap));
            }
            (tokio_before, std_before, wall_before) =
                (Instant::now(), std::time::Instant::now(), std::time::SystemTime::now());
        }
        note(&seen, &cx, "ended");
        Ok(())
    };
    let (_, seen, _) = paused(server, nothing);
    assert_between(at(&seen, "noticed"), 4_000, 4_000);
    assert_between(at(&seen, "gap"), 2_900, 3_100);
    // Nine to eleven sleeps before the pause, one across it, and all others of 100 ms each.
    assert_between(at(&seen, "ended"), 8_800, 9_000);
}

#[test]
fn the_machine_of_a_paused_process_accepts_takes_in_bytes_and_refuses() {
    let server = |cx: HostContext, _| echo(cx.listener(80));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut old).await.unwrap();
        until(&cx, 2_000).await;
        let new = cx.connector().connect("server", 80).await.unwrap();
        note(&seen, &cx, "connected");
        let refused = cx.connector().connect("server", 81).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        note(&seen, &cx, "refused");
        // More than the receive window of 256 KiB, in pieces.
        let (mut read, mut write) = new.into_split();
        let sent = Arc::new(Mutex::new(0));
        let counted = sent.clone();
        let writing = tokio::spawn(async move {
            for _ in 0..100 {
                write.write_all(&[7; 10_000]).await.unwrap();
                *counted.lock().unwrap() += 10_000;
            }
        });
        old.write_all(b"ping").await.unwrap();
        until(&cx, 3_900).await;
        let taken = *sent.lock().unwrap();
        assert!((250_000..=270_000).contains(&taken), "{taken} bytes were taken in");
        old.read_exact(&mut [0; 4]).await.unwrap();
        note(&seen, &cx, "answered");
        read.read_exact(&mut vec![0; 1_000_000]).await.unwrap();
        writing.await.unwrap();
        note(&seen, &cx, "echoed");
        ping(&mut old).await.unwrap();
        note(&seen, &cx, "pinged");
    };
    let (_, _, seen) = paused(server, client);
    assert_between(at(&seen, "connected"), 2_040, 2_042);
    assert_between(at(&seen, "refused"), 2_080, 2_084);
    assert_between(at(&seen, "answered"), 4_020, 4_022);
    assert!(saw(&seen, "echoed"));
    assert_between(at(&seen, "pinged") - at(&seen, "echoed"), 40, 42);
}

#[test]
fn the_machine_of_a_paused_process_answers_probes_and_sends_again() {
    let loss = fault::partition("client", "server").at(millis(500)).lasting(secs(1));
    let pause = fault::pause("server").at(secs(1)).lasting(secs(30));
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        until(&cx, 900).await;
        stream.write_all(b"lost at first").await?;
        echo(cx.listener(81)).await
    };
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        let keep_alive = squall::net::KeepAlive { idle: secs(2), interval: secs(1), retries: 3 };
        stream.set_keep_alive(Some(keep_alive)).unwrap();
        stream.read_exact(&mut [0; 13]).await.unwrap();
        note(&seen, &cx, "read");
        let silence = tokio::time::timeout(secs(20), stream.read(&mut [0; 1])).await;
        note(&seen, &cx, if silence.is_err() { "alive" } else { "dead" });
    };
    let (run, seen) = world_with(20, vec![loss, pause], server, client, |scenario| scenario);
    // Sent at 0.9 s, and again by the kernel at 1.14, 1.38 and 1.86 s.
    assert_between(at(&seen, "read"), 1_880, 1_882);
    assert!(saw(&seen, "alive"), "its kernel answers the probes: {seen:?}");
    assert!(run.outcome.fault_effects.iter().all(|effects| *effects > 0));
}

#[test]
fn a_paused_process_can_be_killed_and_the_next_one_runs() {
    for (down, expected) in [
        (fault::kill("server").at(secs(2)).lasting(secs(1)), Some(io::ErrorKind::ConnectionReset)),
        (fault::power_off("server").at(secs(2)).lasting(secs(1)), None),
    ] {
        let pause = fault::pause("server").at(secs(1)).lasting(secs(9));
        let (run, seen) = world(20, vec![pause, down], move |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            until(&cx, 1_500).await;
            stream.write_all(b"ping").await.unwrap();
            let end = tokio::time::timeout(secs(1), stream.read(&mut [0; 4])).await;
            assert_eq!(end.ok().map(|read| read.unwrap_err().kind()), expected);
            until(&cx, 3_500).await;
            ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
            note(&seen, &cx, "answered");
        });
        assert_between(at(&seen, "answered"), 3_580, 3_584);
        assert_eq!(run.outcome.fault_effects, [1, 1]);
    }
}

#[test]
fn two_pauses_of_one_process_end_with_the_later_one() {
    let first = fault::pause("server").at(secs(1)).lasting(secs(3));
    let second = fault::pause("server").at(secs(2)).lasting(secs(4));
    let third = fault::pause("server").at(secs(7)).lasting(secs(1));
    let (run, seen) = world(20, vec![first, second, third], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for (at_ms, label) in [(1_500, "first"), (6_500, "between"), (7_500, "third")] {
            until(&cx, at_ms).await;
            ping(&mut stream).await.unwrap();
            note(&seen, &cx, label);
        }
    });
    assert_between(at(&seen, "first"), 6_020, 6_022);
    assert_between(at(&seen, "between"), 6_540, 6_542);
    assert_between(at(&seen, "third"), 8_020, 8_022);
    assert_eq!(run.outcome.fault_effects, [1, 1, 1]);
}

#[test]
fn a_pause_can_begin_at_a_message_and_one_of_a_host_that_is_down_does_nothing() {
    let pause = fault::pause("server").at_nth_message("client", "server", "", 2).lasting(secs(3));
    let (run, seen) = world(20, vec![pause], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        ping(&mut stream).await.unwrap();
        note(&seen, &cx, "first");
        until(&cx, 1_000).await;
        stream.write_all(b"ping").await.unwrap();
        until(&cx, 1_100).await;
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut [0; 8]).await.unwrap();
        note(&seen, &cx, "both");
    });
    assert_between(at(&seen, "first"), 80, 84);
    assert_between(at(&seen, "both"), 4_020, 4_062);
    assert_eq!(run.outcome.fault_effects, [1]);

    let down = fault::kill("server").at(secs(1)).lasting(secs(3));
    let pause = fault::pause("server").at(secs(2)).lasting(secs(9));
    let (run, seen) = world(20, vec![down, pause], |cx, seen| async move {
        until(&cx, 5_000).await;
        ping(&mut cx.connector().connect("server", 80).await.unwrap()).await.unwrap();
        note(&seen, &cx, "answered");
    });
    assert_between(at(&seen, "answered"), 5_080, 5_084);
    assert_eq!(run.outcome.fault_effects, [1, 0]);
}

#[test]
fn a_blocking_wait_before_a_pause_leaves_the_clock_right() {
    let server = |cx: HostContext, seen: Seen| async move {
        until(&cx, 990).await;
        std::thread::sleep(millis(500));
        note(&seen, &cx, "slept");
        sleep(millis(100)).await;
        note(&seen, &cx, "went on");
        until(&cx, 5_000).await;
        note(&seen, &cx, "in time");
        Ok(())
    };
    let (_, seen, _) = paused(server, nothing);
    assert_between(at(&seen, "slept"), 1_490, 1_490);
    assert_between(at(&seen, "went on"), 4_000, 4_000);
    assert_between(at(&seen, "in time"), 5_000, 5_000);
}
