//! Faults of name lookups as the host that looks up sees them: late answers, dead addresses, unknown names.

use super::machines::host_effects;
use super::*;

#[test]
fn a_slow_lookup_delays_a_connect_and_nothing_else() {
    let late = |by: u64, to: u64| fault::dns_slow(millis(by), "client", "server").at(secs(1)).lasting(secs(to - 1));
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
    assert_eq!(run.outcome.fault_effects, [2, 1]);
}

#[test]
fn a_connect_to_a_dead_address_hangs_as_long_as_on_linux() {
    let dead = fault::dns_blackhole("client", "server").at(secs(1)).lasting(secs(9));
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
    assert_eq!(run.outcome.fault_effects, [2]);
}

#[test]
fn a_name_that_is_not_found_fails_at_once() {
    let nothing = fault::dns_not_found("client", "server").at(secs(1)).lasting(secs(2));
    // An unknown name takes precedence over a dead address, and the answer can be late.
    let dead = fault::dns_blackhole("client", "server").at(secs(1)).lasting(secs(2));
    let late = fault::dns_slow(millis(200), "client", "server").at(secs(2)).lasting(secs(1));
    let (run, seen) = world(20, vec![dead, nothing, late], |cx, seen| async move {
        let mut old = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        let error = cx.connector().connect("server", 80).await.unwrap_err();
        note(&seen, &cx, "at once");
        assert_eq!(error.to_string(), "failed to lookup address information: Name or service not known");
        // tokio's error for an unknown name: its kind has no name in stable Rust.
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
    assert_eq!(run.outcome.fault_effects, [0, 2, 1]);
}

#[test]
fn a_hidden_name_affects_only_its_targets_and_is_recorded() {
    let seen = Seen::default();
    let connect = |name: &'static str, to: &'static str| {
        sharing(&seen, move |cx, seen| async move {
            until(&cx, 500).await;
            let found = cx.connector().connect(to, 80).await.is_ok();
            note(&seen, &cx, format!("{name} finds {to}: {found}"));
        })
    };
    let scenario = Scenario::new("names")
        .host("server", |cx| echo(cx.listener(80)))
        .host("other", |cx| echo(cx.listener(80)))
        .host("a", connect("a", "server"))
        .host("b", connect("b", "server"))
        .host("c", connect("c", "other"))
        .latency(millis(10)..millis(10))
        .fault(fault::scripted("script", vec![fault::dns_not_found(["a", "c"], "server").at_start()]))
        .run_for(secs(2))
        .settle_for(secs(1));
    assert_eq!(host_effects(&scenario), ["500 ms: a finds no host named server [f1]"]);
    for (what, expected) in [("a finds server", false), ("b finds server", true), ("c finds other", true)] {
        assert!(saw(&seen, &format!("{what}: {expected}")), "{what}");
    }
}

#[test]
fn a_connect_that_finds_no_name_leaves_the_fate_of_others_unchanged() {
    // With loss, the fate of each connect is decided by its number.
    let results = |faults: Vec<Fault>| {
        let lossy = fault::loss(0.5, "client", "server").at_start().lasting(secs(100));
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
        labels(&seen)
    };
    let (all, some) =
        (results(vec![]), results(vec![fault::dns_not_found("client", "server").at(secs(30)).lasting(secs(9))]));
    assert_eq!(some[10..13], ["no name", "no name", "no name"]);
    assert_eq!((&all[..10], &all[13..]), (&some[..10], &some[13..]));
    assert!(all[13..].iter().collect::<std::collections::BTreeSet<_>>().len() > 1, "{all:?}");
}

#[test]
fn a_name_of_several_hosts_is_tried_in_order_and_can_move() {
    let standby = |cx: HostContext| echo(cx.listener(80));
    let client = |cx: HostContext, seen: Seen| async move {
        let connector = cx.connector();
        let peer =
            async || connector.connect("db", 80).await.map(|stream| stream.peer_addr().unwrap().ip().to_string());
        assert_eq!(connector.resolve("db").await.unwrap().len(), 2);
        note(&seen, &cx, format!("first {}", peer().await.unwrap()));
        until(&cx, 2_000).await;
        // The first host is dead, so its kernel refuses, and the second one answers.
        note(&seen, &cx, format!("then {}", peer().await.unwrap()));
        let kept = connector.resolve("db").await.unwrap()[0].to_string();
        until(&cx, 4_000).await;
        cx.point("db", &["standby"]).unwrap();
        assert_eq!(connector.resolve("db").await.unwrap().len(), 1);
        note(&seen, &cx, format!("moved {}", peer().await.unwrap()));
        connector.connect(&kept, 80).await.unwrap();
        note(&seen, &cx, "a kept address stays");
        cx.point("db", &[]).unwrap();
        note(&seen, &cx, format!("nobody: {}", peer().await.unwrap_err()));
        assert_eq!(cx.point("dbb", &["standby"]).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(cx.point("db", &["standbyy"]).unwrap_err().kind(), io::ErrorKind::NotFound);
    };
    let (_, seen) = world_with(
        20,
        vec![on_server(fault::kinds::Kill {}, 1_000, 3_000)],
        |cx| echo(cx.listener(80)),
        client,
        |s| s.host("standby", standby).alias("db", &["server", "standby"]),
    );
    assert!(saw(&seen, "first 192.168.0.1"), "{:?}", seen.lock().unwrap());
    assert!(saw(&seen, "then 192.168.0.3"), "{:?}", seen.lock().unwrap());
    assert!(saw(&seen, "moved 192.168.0.3"), "{:?}", seen.lock().unwrap());
    assert!(saw(&seen, "a kept address stays"), "{:?}", seen.lock().unwrap());
    assert!(
        saw(&seen, "nobody: failed to lookup address information: Name or service not known"),
        "{:?}",
        seen.lock().unwrap()
    );
}

/// A lookup that is answered wrongly gives an address that no host has, whether the program connects or keeps it.
#[test]
fn a_dead_address_stays_dead_when_it_is_kept() {
    let dead = fault::dns_blackhole("client", "server").at(secs(1)).lasting(secs(1));
    let (_, seen) = world(20, vec![dead], |cx, seen| async move {
        until(&cx, 1_500).await;
        let kept = cx.connector().resolve("server").await.unwrap()[0].to_string();
        until(&cx, 3_000).await;
        let hasty = tokio::time::timeout(secs(1), cx.connector().connect(&kept, 80)).await;
        note(&seen, &cx, format!("{kept} answers: {}", hasty.is_ok()));
    });
    assert!(saw(&seen, "192.168.255.254 answers: false"), "{:?}", seen.lock().unwrap());
}
