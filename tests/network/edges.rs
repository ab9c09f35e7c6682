//! Faults that begin inside a step, at the edges: at the start of the world, at the end of the faults, with a host that is
//! down already, and after the death of a program.

use squall::fault::{Intensity, Swarm, here, one};
use squall::trace::Event;

use super::*;

/// How often each host's life began or ended, in order.
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
fn what_begins_in_the_last_step_is_over_when_the_faults_are() {
    for fault in [Fault::partition("client", "server"), Fault::kill("server")] {
        // The world learns of a program's end when the step is over, and the faults are over then.
        let fault = fault.at_event("other", "returned", 1).lasting(secs(5));
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
