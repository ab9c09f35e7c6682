//! Generators that compose kills of a group of hosts, as a client of the whole group sees them.

use squall::fault::Generator;

use super::*;

/// Runs three nodes, and a client that pings each every 100 ms for 20 s, always on a new connection. Returns which
/// nodes were reached, as `node-1`, and when.
fn tier(generator: impl Into<Generator>) -> (Run, Vec<(String, Duration)>) {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
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
    });
    let scenario = Scenario::new("tier")
        .hosts("node", 3, |cx| echo(cx.listener(80)))
        .host("client", client)
        .latency(millis(5)..millis(5))
        .fault(generator)
        .run_for(secs(20))
        .settle_for(secs(1));
    let run = passing(&scenario);
    let seen = seen.lock().unwrap().clone();
    (run, seen)
}

#[test]
fn a_restart_loop_kills_again_and_again() {
    let looping = fault::restart_loop(3, millis(500), "node-2");
    let (run, seen) = tier(looping.once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    let node_2 = |from_ms: u64, to_ms: u64| labels_within(&seen, from_ms, to_ms).contains(&"node-2");
    // The node is down for a second, three times, with half a second in between.
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
    assert_eq!(labels_within(&seen, 5_000, 6_000), ["node-1", "node-3"]);
    assert_eq!(run.outcome.fault_effects, [1, 1, 1]);
}

#[test]
fn several_or_all_of_a_group_die_at_once() {
    let (run, seen) = tier(fault::kill_several(2, "node").once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    assert_eq!(labels_within(&seen, 4_000, 5_000).len(), 3);
    assert_eq!(labels_within(&seen, 5_000, 9_000).len(), 1);
    assert_eq!(labels_within(&seen, 9_000, 9_200).len(), 3);
    assert_eq!(run.outcome.fault_effects, [1, 1]);
    let (run, seen) = tier(fault::whole_tier("node").once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    assert_eq!(labels_within(&seen, 4_000, 5_000).len(), 3);
    assert!(labels_within(&seen, 5_000, 9_000).is_empty());
    assert_eq!(labels_within(&seen, 9_000, 9_200).len(), 3);
    assert_eq!(run.outcome.fault_effects, [3]);
}

#[test]
fn after_a_slow_restart_connects_are_refused_a_while_longer() {
    let slow = fault::slow_restart(millis(1_500), "node-2");
    let (run, seen) = tier(slow.once(secs(5)..secs(5)).lasting(secs(4)..secs(4)));
    // The node is down until 7.5 s, and listens from 9 s on.
    assert_eq!(labels_within(&seen, 4_900, 5_000), ["node-1", "node-2", "node-3"]);
    assert_eq!(labels_within(&seen, 5_000, 9_000), ["node-1", "node-3"]);
    assert_eq!(labels_within(&seen, 9_000, 9_100), ["node-1", "node-2", "node-3"]);
    // The pings refused while the node was up, one every 100 ms.
    assert_eq!(run.outcome.fault_effects, [1, 15]);
}
