//! Generators that compose several faults, as a peer sees them.

use squall::fault::{ComposedGenerator, Generator};

use super::*;

/// Runs hosts n1 to n4, each of which pings every other one every 100 ms on a fresh connection, for 20 s. Returns which
/// host reached which, as `n1>n2`, and when the ping began.
fn mesh(generator: impl Into<Generator>) -> (Run, Vec<(String, Duration)>) {
    let seen = Seen::default();
    let names = ["n1", "n2", "n3", "n4"];
    let mut scenario = Scenario::new("mesh");
    for name in names {
        let node = sharing(&seen, move |cx: HostContext, seen: Seen| async move {
            for peer in names.into_iter().filter(|peer| *peer != name) {
                let (cx, seen) = (cx.clone(), seen.clone());
                tokio::spawn(async move { ping_repeatedly(&cx, &seen, name, peer).await });
            }
            echo(cx.listener(80)).await
        });
        scenario = scenario.host(name, node);
    }
    let scenario = scenario.latency(millis(10)..millis(10)).fault(generator).run_for(secs(20)).settle_for(secs(1));
    let run = passing(&scenario);
    let seen = seen.lock().unwrap().clone();
    (run, seen)
}

async fn ping_repeatedly(cx: &HostContext, seen: &Seen, name: &str, peer: &str) {
    tokio::time::sleep(millis(50)).await;
    loop {
        let asked = cx.elapsed();
        let one = async { ping(&mut cx.connector().connect(peer, 80).await?).await };
        if let Ok(Ok(())) = tokio::time::timeout(millis(100), one).await {
            seen.lock().unwrap().push((format!("{name}>{peer}"), asked));
        }
        tokio::time::sleep((asked + millis(100)).saturating_sub(cx.elapsed())).await;
    }
}

/// The faults of a generator, once, from 5 s to 11 s.
fn at_5(generator: ComposedGenerator) -> ComposedGenerator {
    generator.once(secs(5)..secs(5)).lasting(secs(6)..secs(6))
}

fn assert_all_reach_all_before_and_after(seen: &[(String, Duration)]) {
    assert_eq!(labels_within(seen, 0, 4_900).len(), 12);
    assert_eq!(labels_within(seen, 11_500, 20_000).len(), 12);
}

#[test]
fn an_isolated_host_reaches_nobody_and_nobody_reaches_it() {
    let (run, seen) = mesh(fault::isolate("n2").once(secs(5)..secs(5)).lasting(secs(6)..secs(6)));
    assert_all_reach_all_before_and_after(&seen);
    let expected = ["n1>n3", "n1>n4", "n3>n1", "n3>n4", "n4>n1", "n4>n3"];
    assert_eq!(labels_within(&seen, 5_100, 10_900), expected);
    assert!(run.outcome.fault_effects[0] > 100);
}

#[test]
fn nothing_crosses_between_groups() {
    let (_, seen) = mesh(at_5(fault::partition_groups([["n1"].into(), ["n2", "n3"].into(), squall::fault::all()])));
    assert_all_reach_all_before_and_after(&seen);
    assert_eq!(labels_within(&seen, 5_100, 10_900), ["n2>n3", "n3>n2"]);
}

#[test]
fn a_bridge_joins_two_halves_by_one_host() {
    let (_, seen) = mesh(at_5(fault::bridge("n*")));
    assert_all_reach_all_before_and_after(&seen);
    let during = labels_within(&seen, 5_100, 10_900);
    let peers = |name: &str| during.iter().filter(|pair| pair.starts_with(name)).count();
    let mut counts = ["n1", "n2", "n3", "n4"].map(peers);
    counts.sort_unstable();
    // The bridge reaches all three others. The halves have one and two hosts, which reach it and their own half.
    assert_eq!(counts, [1, 2, 2, 3], "{during:?}");
}

#[test]
fn a_flapping_link_alternates_between_down_and_up() {
    let (run, seen) = mesh(at_5(fault::flapping(secs(2), "n1", "n2")));
    assert_all_reach_all_before_and_after(&seen);
    for (from_ms, works) in
        [(5_050, false), (6_050, true), (7_050, false), (8_050, true), (9_050, false), (10_050, true)]
    {
        let pairs = labels_within(&seen, from_ms, from_ms + 850);
        assert_eq!(pairs.contains(&"n1>n2"), works, "from {from_ms} ms");
        assert_eq!(pairs.contains(&"n2>n1"), works, "from {from_ms} ms");
        assert!(pairs.contains(&"n1>n3"));
    }
    assert_eq!(run.outcome.fault_effects.iter().filter(|effects| **effects > 0).count(), 3);
}

#[test]
fn swizzled_hosts_leave_one_by_one_and_return_in_another_order() {
    let (_, seen) = mesh(at_5(fault::swizzle("n*")));
    assert_all_reach_all_before_and_after(&seen);
    // In the middle third, every host is isolated.
    assert!(labels_within(&seen, 7_000, 8_900).is_empty());
    // The last ping from or to a host before the silence, and the first one after it.
    let talks = |pair: &str, name: &str| pair.starts_with(name) || pair.ends_with(name);
    let last =
        |name: &str| seen.iter().filter(|(pair, at)| talks(pair, name) && *at < secs(8)).map(|(_, at)| *at).max();
    let first =
        |name: &str| seen.iter().filter(|(pair, at)| talks(pair, name) && *at > secs(8)).map(|(_, at)| *at).min();
    let times = ["n1", "n2", "n3", "n4"].map(|name| (last(name).unwrap(), first(name).unwrap()));
    let mut leaving: Vec<Duration> = times.iter().map(|(last, _)| *last).collect();
    leaving.sort();
    leaving.dedup();
    // Hosts are isolated at 5.0, 5.5, 6.0 and 6.5 s: the last two of a mesh fall silent together.
    assert_eq!(leaving.len(), 3, "{times:?}");
    let by = |key: fn(&(Duration, Duration)) -> Duration| {
        let mut order: Vec<usize> = (0..4).collect();
        order.sort_by_key(|host| key(&times[*host]));
        order
    };
    assert_ne!(by(|time| time.0), by(|time| time.1), "{times:?}");
}

#[test]
fn a_slow_host_is_slow_towards_all_hosts_and_no_other_is() {
    let took = |generator: ComposedGenerator| {
        let seen = Seen::default();
        let mut scenario = Scenario::new("slow").hosts("node", 2, |cx| echo(cx.listener(80)));
        let client = |cx: HostContext, seen: Seen| async move {
            for node in ["node-1", "node-2"] {
                let mut stream = cx.connector().connect(node, 80).await?;
                for _ in 0..100 {
                    let asked = cx.elapsed();
                    ping(&mut stream).await?;
                    seen.lock().unwrap().push((node.to_owned(), cx.elapsed() - asked));
                }
            }
            io::Result::Ok(())
        };
        for name in ["near", "far"] {
            scenario = scenario.host(name, sharing(&seen, client));
        }
        let scenario = scenario.latency(millis(10)..millis(10)).fault(generator).run_for(secs(100));
        let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
        assert!(run.outcome.fault_effects.iter().all(|effects| *effects > 3), "{:?}", run.outcome.fault_effects);
        let of = |node: &str| {
            let seen = seen.lock().unwrap();
            let mut took: Vec<Duration> =
                seen.iter().filter(|(label, _)| label == node).map(|(_, took)| *took).collect();
            took.sort();
            took
        };
        (of("node-1"), of("node-2"))
    };
    let (slow, other) = took(fault::slow_host(millis(50)..millis(60), 0.05, "node-1").throughout());
    assert_eq!((slow.len(), other.len()), (200, 200));
    assert_between(other[199], 20, 22);
    assert_between(slow[0], 120, 140);
    assert!(slow[199] > millis(220), "some are lost and sent again: {slow:?}");
}
