//! Wrong wall clocks as programs read them; monotonic clocks always stay right.

use std::time::{Instant, SystemTime};

use squall::trace::Event;

use super::*;

/// The wall-clock time at virtual time zero: 2026-01-01, in nanoseconds since 1970.
const EPOCH: i128 = 1_767_225_600_000_000_000;

/// All clocks, read at one point of virtual time; wall clocks in nanoseconds since 1970.
#[derive(Clone, Debug)]
struct Sample {
    host: String,
    at: Duration,
    walls: [i128; 4],
    instant: Instant,
    tokio: Instant,
    kernel: [i128; 2],
}

type Samples = Arc<Mutex<Vec<Sample>>>;

/// Reads a clock of the C library.
#[allow(unsafe_code)]
fn of_kernel(clock: libc::clockid_t) -> i128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes.
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

fn sample(cx: &HostContext) -> Sample {
    let since_1970 = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    };
    Sample {
        host: cx.name().to_owned(),
        at: cx.elapsed(),
        walls: [
            since_1970(SystemTime::now()),
            chrono::Utc::now().timestamp_nanos_opt().unwrap().into(),
            jiff::Timestamp::now().as_nanosecond(),
            of_kernel(libc::CLOCK_REALTIME),
        ],
        instant: Instant::now(),
        tokio: tokio::time::Instant::now().into_std(),
        kernel: [of_kernel(libc::CLOCK_MONOTONIC), of_kernel(libc::CLOCK_BOOTTIME)],
    }
}

/// Two hosts that read all their clocks every 7 ms, from 3 ms on, for 10 s; and one that reads none.
fn readers(faults: Vec<Fault>) -> (Scenario, Samples) {
    let samples = Samples::default();
    let read = |cx: HostContext, samples: Samples| async move {
        tokio::time::sleep(millis(3)).await;
        while cx.elapsed() < secs(10) {
            samples.lock().unwrap().push(sample(&cx));
            tokio::time::sleep(millis(7)).await;
        }
    };
    let scenario = Scenario::new("clocks")
        .host("a", sharing(&samples, read))
        .host("b", sharing(&samples, read))
        .host("blind", |cx: HostContext| async move {
            while cx.elapsed() < secs(10) {
                tokio::time::sleep(millis(7)).await;
            }
        })
        .wall_clock_offset("b", -3)
        .fault(fault::scripted("script", faults))
        .run_for(secs(9))
        .settle_for(secs(2));
    (scenario, samples)
}

fn read_by(faults: Vec<Fault>) -> (Run, Vec<Sample>) {
    let (scenario, samples) = readers(faults);
    let run = passing(&scenario);
    let samples = samples.lock().unwrap().clone();
    (run, samples)
}

/// The error of a wall clock in nanoseconds, without the host's own offset.
fn error(sample: &Sample) -> i128 {
    let [wall, rest @ ..] = sample.walls;
    assert_eq!(rest, [wall; 3], "all wall clocks agree");
    let offset = if sample.host == "b" { -3_000_000 } else { 0 };
    wall - EPOCH - offset - sample.at.as_nanos() as i128
}

fn is_within(at: Duration, from_ms: u64, to_ms: u64) -> bool {
    (millis(from_ms)..millis(to_ms)).contains(&at)
}

const MS: i128 = 1_000_000;

#[test]
fn a_skewed_clock_jumps_and_jumps_back_and_skews_add_up() {
    let day = 86_400_000;
    let (run, samples) = read_by(vec![
        Fault::clock_skew(-day, "a").at(secs(1)).lasting(secs(4)),
        Fault::clock_skew(250, ["a", "blind"]).at(secs(3)).lasting(secs(4)),
        Fault::clock_skew(7, "blind").at(secs(3)).lasting(secs(1)),
    ]);
    let mut reads = [0, 0];
    for sample in &samples {
        let mut expected = 0;
        if sample.host == "a" && is_within(sample.at, 1_000, 5_000) {
            expected -= i128::from(day) * MS;
            reads[0] += 4;
        }
        if sample.host == "a" && is_within(sample.at, 3_000, 7_000) {
            expected += 250 * MS;
            reads[1] += 4;
        }
        assert_eq!(error(sample), expected, "{sample:?}");
    }
    assert!(reads[0] > 2_000, "{reads:?}");
    // The fault is effective at each read; on a host that reads no clock it is never effective.
    assert_eq!(run.outcome.fault_effects, [reads[0], reads[1], 0]);
}

#[test]
fn a_drifting_clock_deviates_slowly_and_is_corrected_at_the_end() {
    let (run, samples) = read_by(vec![
        Fault::clock_drift(200_000, "b").at(secs(1)).lasting(secs(4)),
        Fault::clock_drift(-500, "b").at(secs(3)).lasting(secs(5)),
        Fault::clock_skew(40, "b").at(secs(4)).lasting(millis(500)),
    ]);
    let drift = |at: Duration, since: u64, parts_per_million: i128| {
        (at - secs(since)).as_nanos() as i128 * parts_per_million / 1_000_000
    };
    for sample in &samples {
        let (at, mut expected) = (sample.at, 0);
        if sample.host == "b" && is_within(at, 1_000, 5_000) {
            expected += drift(at, 1, 200_000);
        }
        if sample.host == "b" && is_within(at, 3_000, 8_000) {
            expected += drift(at, 3, -500);
        }
        if sample.host == "b" && is_within(at, 4_000, 4_500) {
            expected += 40 * MS;
        }
        assert_eq!(error(sample), expected, "{sample:?}");
    }
    let last = samples.iter().rfind(|sample| sample.host == "b" && sample.at < secs(5)).unwrap();
    assert!(error(last) > 790 * MS, "a fifth of four seconds: {last:?}");
    assert!(run.outcome.fault_effects.iter().all(|effects| *effects > 200), "{:?}", run.outcome.fault_effects);
}

#[test]
fn a_clock_stays_wrong_over_kills_and_power_offs_and_monotonic_time_never_goes_back() {
    let (_, samples) = read_by(vec![
        Fault::clock_skew(-3_600_000, "*").at(secs(1)).lasting(secs(6)),
        Fault::clock_drift(-900_000, "a").at(secs(2)).lasting(secs(2)),
        Fault::kill("a").at(millis(1_503)).lasting(millis(700)),
        Fault::power_off("a").at(secs(3)).lasting(millis(1_201)),
        Fault::power_off("b").at(millis(6_999)).lasting(millis(900)),
        Fault::clock_skew(3_600_000, "b").at(secs(7)).lasting(millis(950)),
    ]);
    let first = &samples[0];
    for host in ["a", "b"] {
        let of: Vec<&Sample> = samples.iter().filter(|sample| sample.host == host).collect();
        let mut lives = 0;
        for pair in of.windows(2) {
            let [one, next] = pair else { unreachable!("windows of two") };
            let passed = next.at - one.at;
            lives += u32::from(passed > millis(500));
            assert!(passed >= millis(7));
            assert_eq!(next.instant - one.instant, passed, "{pair:?}");
            assert_eq!(next.tokio - one.tokio, passed, "{pair:?}");
            for clock in [0, 1] {
                assert_eq!(next.kernel[clock] - one.kernel[clock], passed.as_nanos() as i128, "{pair:?}");
            }
        }
        assert_eq!(lives, if host == "a" { 2 } else { 1 });
        // All machines share one monotonic clock.
        assert!(of.iter().all(|sample| sample.instant - first.instant == sample.at - first.at));
    }
    let errors = |host: &str, from_ms: u64, to_ms: u64| {
        let of = samples.iter().filter(|sample| sample.host == host && is_within(sample.at, from_ms, to_ms));
        of.map(error).collect::<Vec<i128>>()
    };
    let hour = 3_600_000 * MS;
    // Across the kill, and after power on.
    assert!(errors("a", 1_000, 2_000).iter().all(|error| *error == -hour));
    assert!(errors("a", 4_190, 7_000).len() > 300);
    assert!(errors("a", 4_190, 7_000).iter().all(|error| *error == -hour));
    assert!(errors("a", 2_200, 3_000).is_sorted_by(|a, b| a > b), "the clock runs at a tenth of its speed");
    // The machine comes back with a wrong clock, which is right again when the fault ends.
    let after = errors("b", 7_890, 7_950);
    assert!(!after.is_empty() && after.iter().all(|error| *error == hour), "{after:?}");
    assert!(errors("b", 7_950, 11_000).iter().all(|error| *error == 0));
}

#[test]
fn reading_a_wrong_clock_is_recorded_once() {
    let (scenario, _) = readers(vec![
        Fault::clock_skew(500, "a").at(secs(1)).lasting(secs(1)),
        Fault::clock_drift(500, "*").at(secs(3)).lasting(secs(1)),
    ]);
    let recording = recorded(&scenario);
    let reported = recording.records.iter().filter_map(|record| match record.event {
        Event::HostAffected { fault } => {
            assert_eq!(record.text.as_deref(), Some("reads a wall clock that is wrong"));
            Some((record.at.as_secs(), recording.hosts[record.host?.index()].as_str(), fault))
        }
        _ => None,
    });
    assert_eq!(reported.collect::<Vec<_>>(), [(1, "a", 0), (3, "a", 1), (3, "b", 1)]);
}
