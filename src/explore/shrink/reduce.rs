//! The ways in which a case can be made smaller: each is a pure function from a case to candidates.

use std::time::Duration;

use serde_json::Value;

use crate::fault::{Fault, FaultKind, Plan, Selector, Target, Trigger, millis};
use crate::scenario::Case;

/// How large a case is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Faults in the plan.
    pub faults: usize,
    /// Operations of all clients whose input is a list.
    pub operations: usize,
}

impl Size {
    /// The size of a case.
    pub fn of(case: &Case) -> Size {
        Size { faults: case.plan.faults.len(), operations: operations(case).len() }
    }
}

/// The same case with other faults.
pub(super) fn with_faults(case: &Case, faults: Vec<Fault>) -> Case {
    Case { plan: Plan { faults }, ..case.clone() }
}

/// The same case with one fault replaced.
pub(in crate::explore) fn with_fault(case: &Case, index: usize, fault: Fault) -> Case {
    let mut faults = case.plan.faults.clone();
    faults[index] = fault;
    with_faults(case, faults)
}

/// The same case without one fault.
pub(in crate::explore) fn without_fault(case: &Case, index: usize) -> Case {
    let mut faults = case.plan.faults.clone();
    faults.remove(index);
    with_faults(case, faults)
}

/// A place in the input: the group of clients, the client, and the operation of that client.
pub(super) type Place = (String, usize, usize);

/// The places of all operations, client by client.
pub(super) fn operations(case: &Case) -> Vec<Place> {
    let mut places = Vec::new();
    for (group, clients) in &case.input {
        for (client, input) in clients.iter().enumerate() {
            let count = input.as_array().map_or(0, Vec::len);
            places.extend((0..count).map(|operation| (group.clone(), client, operation)));
        }
    }
    places
}

/// The clients that have operations.
pub(super) fn clients(case: &Case) -> Vec<(String, usize)> {
    let mut clients: Vec<_> = operations(case).into_iter().map(|(group, client, _)| (group, client)).collect();
    clients.dedup();
    clients
}

/// The same case with these operations alone, which must be in order.
pub(super) fn with_operations(case: &Case, kept: &[Place]) -> Case {
    retain(case, |place| kept.binary_search(place).is_ok())
}

/// The same case in which only these clients do anything.
pub(super) fn with_clients(case: &Case, kept: &[(String, usize)]) -> Case {
    retain(case, |(group, client, _)| kept.iter().any(|(kept, number)| (kept, number) == (group, client)))
}

fn retain(case: &Case, mut is_kept: impl FnMut(&Place) -> bool) -> Case {
    let mut case = case.clone();
    for (group, clients) in &mut case.input {
        for (client, input) in clients.iter_mut().enumerate() {
            if let Value::Array(list) = input {
                let mut place = (group.clone(), client, 0);
                list.retain(|_| {
                    let keep = is_kept(&place);
                    place.2 += 1;
                    keep
                });
            }
        }
    }
    case
}

/// The fault with simpler kinds that may have the same effect.
pub(super) fn simpler_kinds(fault: &Fault) -> Vec<Fault> {
    of_kinds(fault, fault.kind.simpler(fault.lasting))
}

/// The fault with smaller numbers, the smallest first.
pub(super) fn milder(fault: &Fault) -> Vec<Fault> {
    of_kinds(fault, fault.kind.milder())
}

fn of_kinds(fault: &Fault, kinds: Vec<FaultKind>) -> Vec<Fault> {
    kinds.into_iter().map(|kind| Fault { kind, ..fault.clone() }).collect()
}

/// The fault with shorter durations, the shortest first.
pub(super) fn shorter(fault: &Fault, step: Duration) -> Vec<Fault> {
    if fault.kind.segments().is_some() {
        return Vec::new();
    }
    let least = fault.kind.shortest().max(step);
    let fractions = [least, fault.lasting / 8, fault.lasting / 4, fault.lasting / 2, fault.lasting / 4 * 3];
    let mut lengths: Vec<Duration> =
        fractions.into_iter().map(|length| whole(length, step)).filter(|length| *length >= least).collect();
    lengths.sort();
    lengths.dedup();
    lengths.retain(|length| *length < fault.lasting);
    lengths.into_iter().map(|lasting| Fault { lasting, ..fault.clone() }).collect()
}

/// The fault at rounder times, the roundest first.
pub(super) fn rounder(fault: &Fault, step: Duration) -> Vec<Fault> {
    if fault.kind.segments().is_some() {
        return Vec::new();
    }
    let Some(at) = fault.begins_at() else { return earlier_trigger_points(fault) };
    let grains = [millis(1_000), millis(500), millis(100), millis(50), millis(10)];
    let mut rounded = Vec::new();
    for grain in grains.into_iter().filter(|grain| *grain >= step) {
        for begins in [whole(at, grain), whole(at, grain) + grain] {
            let better =
                begins.as_nanos().is_multiple_of(grain.as_nanos()) && !at.as_nanos().is_multiple_of(grain.as_nanos());
            if better {
                rounded.push(Fault { trigger: Trigger::At(begins), ..fault.clone() });
            }
        }
    }
    rounded
}

/// The fault at earlier messages or events of the same sort, the earliest first.
pub(super) fn earlier_trigger_points(fault: &Fault) -> Vec<Fault> {
    let Some(nth) = fault.trigger.nth() else { return Vec::new() };
    let mut earlier = vec![1, nth / 8, nth / 4, nth / 2, nth / 4 * 3, nth.saturating_sub(1)];
    earlier.retain(|candidate| (1..nth).contains(candidate));
    earlier.sort_unstable();
    earlier.dedup();
    earlier.into_iter().map(|nth| Fault { trigger: fault.trigger.with_nth(nth), ..fault.clone() }).collect()
}

fn whole(duration: Duration, grain: Duration) -> Duration {
    let grain = grain.as_nanos().max(1);
    Duration::from_nanos((duration.as_nanos() / grain * grain) as u64)
}

/// Which side of a target is narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    First,
    Second,
}

/// The hosts on one side of a fault's target, by name.
pub(super) fn hosts_of(fault: &Fault, side: Side) -> Vec<String> {
    if fault.kind.segments().is_some() {
        // Segments name their hosts themselves, whatever the target says.
        return Vec::new();
    }
    let selector = match (&fault.target, side) {
        (Target::Hosts(hosts), Side::First) => hosts,
        (Target::Links { from, .. } | Target::OneWay { from, .. }, Side::First) => from,
        (Target::Links { to, .. } | Target::OneWay { to, .. }, Side::Second) => to,
        (Target::Hosts(_), Side::Second) => return Vec::new(),
    };
    match selector {
        Selector::Names(names) => names.clone(),
        _ => Vec::new(),
    }
}

/// The fault with these hosts alone on one side.
pub(super) fn with_hosts(fault: &Fault, side: Side, names: Vec<String>) -> Fault {
    let mut fault = fault.clone();
    match (&mut fault.target, side) {
        (Target::Hosts(hosts), Side::First) => *hosts = Selector::Names(names),
        (Target::Links { from, .. } | Target::OneWay { from, .. }, Side::First) => *from = Selector::Names(names),
        (Target::Links { to, .. } | Target::OneWay { to, .. }, Side::Second) => *to = Selector::Names(names),
        (Target::Hosts(_), Side::Second) => {}
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::kinds::Partition;
    use crate::fault::{self, DiskCalls, kill, secs};
    use crate::seed::Seed;

    fn fault(at_ms: u64, lasting_ms: u64) -> Fault {
        kill(["a", "b"]).at(millis(at_ms)).lasting(millis(lasting_ms))
    }

    fn case() -> Case {
        let input = [("buyer".to_owned(), vec![serde_json::json!([1, 2, 3]), serde_json::json!({"not": "a list"})])];
        Case { plan: Plan::new(vec![fault(3_127, 895)]), input: input.into(), ..Case::new("s", Seed(1)) }
    }

    #[test]
    fn operations_are_the_items_of_lists() {
        assert_eq!(Size::of(&case()), Size { faults: 1, operations: 3 });
        let kept = with_operations(&case(), &[("buyer".to_owned(), 0, 1)]);
        assert_eq!(kept.input["buyer"], [serde_json::json!([2]), serde_json::json!({"not": "a list"})]);
        assert_eq!(operations(&with_clients(&case(), &[])).len(), 0);
    }

    #[test]
    fn a_one_way_fault_is_narrowed_and_stays_one_way() {
        let fault = fault::partition_with_reset(["a", "b"], ["c"]).one_way().at_start();
        assert_eq!(simpler_kinds(&fault), [Fault { kind: Partition {}.into(), ..fault.clone() }]);
        let cut = fault::close(7, "a", "b").one_way().at_start();
        let resets = [fault::reset(0, "a", "b").one_way().at_start(), fault::reset(7, "a", "b").one_way().at_start()];
        assert_eq!(simpler_kinds(&cut)[..2], resets);
        assert_eq!(simpler_kinds(&fault::stall(0, "a", "b").at_start()), [fault::hold("a", "b").at_start()]);
        assert_eq!(simpler_kinds(&fault::reset(0, "a", "b").at_start()), []);
        assert_eq!(hosts_of(&fault, Side::First), ["a", "b"]);
        let narrow = with_hosts(&fault, Side::First, vec!["b".to_owned()]);
        assert_eq!(narrow, fault::partition_with_reset(["b"], ["c"]).one_way().at_start());
    }

    #[test]
    fn troubles_of_disks_lose_their_chance() {
        let check = |fault: Fault, simpler: &[Fault]| assert_eq!(simpler_kinds(&fault), simpler);
        let syncs = |rate| fault::disk_errors(rate, DiskCalls::Syncs, "a").at_start();
        let (writes, reads) = (
            |rate| fault::disk_errors(rate, DiskCalls::Writes, "a").at_start(),
            |rate| fault::disk_errors(rate, DiskCalls::Reads, "a").at_start(),
        );
        let all = |rate| fault::disk_errors(rate, DiskCalls::All, "a").at_start();
        check(all(0.1), &[syncs(1.0), writes(1.0), reads(1.0), syncs(0.1), writes(0.1), reads(0.1)]);
        check(all(1.0), &[syncs(1.0), writes(1.0), reads(1.0)]);
        check(syncs(0.1), &[syncs(1.0)]);
        check(syncs(1.0), &[]);
        check(fault::disk_full(7, "a").at_start(), &[fault::disk_full(0, "a").at_start()]);
        check(fault::disk_full(0, "a").at_start(), &[]);
        check(fault::disk_corruption(0.1, "a").at_start(), &[fault::disk_corruption(1.0, "a").at_start()]);
        let slow = |read, sync| fault::disk_slow(millis(read), millis(0), millis(sync), "a").at_start();
        check(slow(1, 2), &[slow(0, 2), slow(1, 0)]);
        check(slow(0, 2), &[]);
        check(fault::lost_syncs("a").at_start(), &[]);
    }

    #[test]
    fn faults_of_machines_become_simpler_and_milder() {
        let kinds = |faults: Vec<Fault>| faults.iter().map(|fault| fault.kind.to_string()).collect::<Vec<_>>();
        assert_eq!(kinds(simpler_kinds(&fault::out_of_memory(3, secs(1), "a").at_start())), ["kill"]);
        let drift = fault::clock_drift(-500, "a").at_start().lasting(secs(10));
        assert_eq!(kinds(simpler_kinds(&drift)), ["clock skew -5ms"]);
        assert!(simpler_kinds(&drift.clone().lasting(secs(1))).is_empty(), "half a millisecond");
        assert_eq!(kinds(milder(&drift)), ["clock drift -5 ppm", "clock drift -50 ppm", "clock drift -250 ppm"]);
        assert_eq!(kinds(milder(&fault::clock_skew(30, "a").at_start())), ["clock skew +3ms", "clock skew +15ms"]);
        assert!(milder(&fault::clock_skew(-1, "a").at_start()).is_empty());
        let slow = milder(&fault::slow_start(millis(5), "a").at_start());
        assert_eq!(kinds(slow), ["slow start by 1ms", "slow start by 2ms"]);
        let late = milder(&fault::dns_slow(secs(8), "a", "b").at_start());
        assert_eq!(late[0], fault::dns_slow(secs(1), "a", "b").at_start());
    }

    #[test]
    fn shorter_and_rounder_faults_come_in_order() {
        let lengths: Vec<Duration> = shorter(&fault(0, 895), millis(10)).iter().map(|fault| fault.lasting).collect();
        assert_eq!(lengths, [10, 110, 220, 440, 670].map(millis));
        assert!(shorter(&fault(0, 10), millis(10)).is_empty());
        let begins: Vec<Duration> =
            rounder(&fault(3_127, 10), millis(10)).iter().filter_map(Fault::begins_at).collect();
        assert_eq!(begins[..2], [secs(3), secs(4)]);
        assert_eq!(begins.last(), Some(&millis(3_130)));
        assert!(rounder(&fault(3_000, 10), millis(10)).is_empty());
    }

    #[test]
    fn a_moment_is_tried_earlier_from_the_first_on() {
        let check = |nth, expected: &[u32]| {
            let fault = fault::kill("a").at_nth_event("a", "applied", nth);
            let earlier = earlier_trigger_points(&fault);
            assert_eq!(earlier.iter().filter_map(|fault| fault.trigger.nth()).collect::<Vec<_>>(), expected);
            assert_eq!(rounder(&fault, millis(10)), earlier);
        };
        check(1, &[]);
        check(2, &[1]);
        check(40, &[1, 5, 10, 20, 30, 39]);
    }
}
