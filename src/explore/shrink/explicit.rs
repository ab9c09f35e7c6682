//! Replaces chance in a case by plain data: rates become the decisions that were effective, and selectors become the
//! hosts that they resolved to.

use std::collections::BTreeMap;

use crate::fault::{Fault, Plan, SegmentFate};
use crate::net::{Fate, Fates};
use crate::run::Recording;
use crate::scenario::{Case, Scenario};
use crate::trace::{Event, FlowKey};

/// The same case with nothing left to chance in its links and selectors; its run is the same. Faults of disk calls keep
/// their rates: whether a call is affected depends on its number, and a list of such numbers would say no more. Only a
/// simpler kind of fault has no chance.
pub(super) fn explicit(scenario: &Scenario, recording: &Recording) -> Case {
    let mut case = recording.case.clone();
    let topology = scenario.topology();
    let name = |index: usize, side: u64, selector: &crate::fault::Selector| {
        selector.named(&topology, crate::fault::pick(case.seed, index, side))
    };
    let faults = case.plan.faults.iter().enumerate().map(|(index, fault)| {
        let target = fault.target.map(|side, hosts| name(index, side, hosts));
        let kind = fault.kind.as_segments(|| fates(recording, index as u32)).unwrap_or_else(|| fault.kind.clone());
        // The hosts that a trigger waits for do not depend on the fault's place in the plan.
        let trigger = fault.trigger.map(|side, hosts| name(0, side, hosts));
        Fault { trigger, kind, target, ..fault.clone() }
    });
    case.plan = Plan { faults: faults.collect() };
    case
}

/// What a fault did to each segment that it affected.
fn fates(recording: &Recording, index: u32) -> Vec<SegmentFate> {
    let mut effective: Fates = BTreeMap::new();
    for record in &recording.records {
        match &record.event {
            Event::SegmentAffected { fault: Some(fault), flow, forward, segment, lost, extra, .. }
                if *fault == index =>
            {
                let fate = effective.entry((*flow, *forward, *segment)).or_default();
                fate.lost |= lost;
                fate.late += *extra;
            }
            Event::SegmentCorrupted { fault, flow, forward, segment, bit } if *fault == index => {
                effective.entry((*flow, *forward, *segment)).or_default().corrupted.push(*bit);
            }
            _ => {}
        }
    }
    let name = |host: crate::trace::HostId| recording.hosts.get(host.index()).cloned().unwrap_or_default();
    let fate = |((flow, forward, segment), fate): ((FlowKey, bool, u32), Fate)| SegmentFate {
        from: name(flow.from),
        to: name(flow.to),
        port: flow.port,
        connect: flow.ordinal,
        back: !forward,
        segment,
        lost: (0..u32::BITS).filter(|transmission| fate.lost >> transmission & 1 == 1).collect(),
        late: fate.late,
        corrupted: fate.corrupted,
    };
    effective.into_iter().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::prelude::*;
    use crate::run::{Detail, run};

    fn chatter(generators: [fault::FaultGenerator; 2]) -> Scenario {
        let serve = |cx: HostContext| async move {
            let listener = cx.listener(80);
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
                });
            }
            #[allow(unreachable_code)]
            std::io::Result::Ok(())
        };
        let ask = |cx: HostContext| async move {
            for _ in 0..20 {
                let mut stream = cx.connector().connect("server", 80).await?;
                for number in 0..10 {
                    stream.write_all(&[number]).await?;
                    stream.read_exact(&mut [0]).await?;
                }
            }
            std::io::Result::Ok(())
        };
        let [first, second] = generators;
        Scenario::new("chatter")
            .host("server", serve)
            .host("client", ask)
            .fault(first.once(millis(100)..millis(200)).lasting(secs(5)..secs(9)))
            .fault(second.once(secs(1)..secs(2)).lasting(secs(4)..secs(5)))
            .run_for(secs(15))
            .settle_for(secs(15))
    }

    #[test]
    fn without_chance_it_is_the_same_run() {
        let mild = fault::latency(millis(0)..millis(90), "*", "server");
        check([fault::loss(0.1, "client", one("server")), mild.clone()]);
        check([fault::burst_loss(millis(200), millis(50), 0.7, "client", one("server")).one_way(), mild]);
        check([fault::corrupt(0.2, "client", one("server")).one_way(), fault::loss(0.1, "client", "server")]);
        check([fault::corrupt(0.1, "client", "server"), fault::trickle(1, millis(700), "client", "server")]);
        let narrow = fault::bandwidth(2_000, 200, "client", "server");
        check([fault::latency_wave(millis(300), all(), "server"), narrow]);
    }

    #[test]
    fn what_begins_with_a_message_still_does() {
        let scenario = chatter([fault::loss(0.0, "client", "server"), fault::hold("client", "server")]);
        for seed in (0..4).map(Seed) {
            let loss = fault::loss(0.4, "client", all()).at_nth_message(all(), "server", "", 20).lasting(secs(9));
            let late = fault::latency(millis(1)..millis(90), fault::here(), "client");
            let late = late.at_nth_message("server", "client", "", 20).lasting(secs(9));
            let case = Case { plan: Plan::new(vec![loss, late]), ..scenario.case(seed) };
            assert_explicit_is_the_same(&scenario, case);
        }
    }

    fn check(generators: [fault::FaultGenerator; 2]) {
        let scenario = chatter(generators);
        let mut total = [0; 2];
        for seed in (0..4).map(Seed) {
            let case = Case { plan: whole_plan(&scenario, seed), ..scenario.case(seed) };
            let counts = assert_explicit_is_the_same(&scenario, case);
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        }
        // A fault that is not written as segments is the last one.
        assert!(total[0] > 12 && (total[1] > 12 || total[1] == 0), "{total:?} segments");
    }

    /// The faults of both generators, whatever the seed draws.
    fn whole_plan(scenario: &Scenario, seed: Seed) -> Plan {
        scenario.case_on(&scenario.topology(), seed, &fault::Swarm::whole()).plan
    }

    /// Returns how many segments each fault names.
    fn assert_explicit_is_the_same(scenario: &Scenario, case: Case) -> Vec<usize> {
        let seed = case.seed;
        let recording = run(scenario, &case, Detail::Rich).into_recording(case);
        let explicit = explicit(scenario, &recording);
        assert_eq!(scenario.defect(&explicit), None);
        let counts: Vec<usize> = explicit
            .plan
            .faults
            .iter()
            .filter_map(|fault| {
                let count = fault.kind.segments().map(<[SegmentFate]>::len);
                assert!(count.is_some() || fault.kind.name() == "trickle", "{fault} is left to chance");
                count
            })
            .collect();
        let outcome = run(scenario, &explicit, Detail::Lean).outcome;
        assert_eq!(outcome.fingerprint, recording.outcome.fingerprint, "seed {seed}");
        assert_eq!(outcome.fault_effects, recording.outcome.fault_effects);
        counts
    }
}
