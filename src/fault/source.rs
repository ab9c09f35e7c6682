//! Where plans come from: proptest strategies that draw faults for a stage.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::pace::{Moment, Pace, paced, uniform};
use super::{
    DiskCalls, EventMoment, Fault, FaultKind, MessageMoment, Plan, Selector, Stage, Target, Trigger, place, secs,
};

type Draw = dyn Fn(&Stage) -> BoxedStrategy<Vec<Fault>> + Send + Sync;

/// The number of a moment that stands for any of its sort.
const ANY: u32 = 1;
/// No source draws more faults at moments than these for a run, however many it may.
const MOST_MOMENTS: usize = 3;

/// Draws faults of one sort. Bites are counted per source.
#[derive(Clone)]
pub struct Source {
    name: String,
    moment: Option<Trigger>,
    draw: Arc<Draw>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source {
    /// A source of one's own: `draw` makes a strategy over faults for a stage. The drawn faults bear the source's name.
    pub fn new<S>(name: &str, draw: impl Fn(&Stage) -> S + Send + Sync + 'static) -> Source
    where
        S: Strategy<Value = Vec<Fault>> + 'static,
    {
        Source { name: name.to_owned(), moment: None, draw: Arc::new(move |stage| draw(stage).boxed()) }
    }

    /// The moment that its faults wait for, whatever its number: a run without faults is to count how often it comes.
    pub fn moment(&self) -> Option<&Trigger> {
        self.moment.as_ref()
    }

    /// The name under which its bites are counted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The strategy over the faults that it adds to a plan on this stage.
    pub fn strategy(&self, stage: &Stage) -> BoxedStrategy<Vec<Fault>> {
        let name = self.name.clone();
        let named = move |mut faults: Vec<Fault>| {
            for fault in &mut faults {
                fault.source.clone_from(&name);
            }
            faults
        };
        (self.draw)(stage).prop_map(named).boxed()
    }
}

/// The strategy over plans with the faults of all `sources`, for a scenario or for a plain `proptest!` test.
pub fn plan(stage: &Stage, sources: &[Source]) -> BoxedStrategy<Plan> {
    let drawn: Vec<_> = sources.iter().map(|source| source.strategy(stage)).collect();
    drawn.prop_map(|faults| Plan::new(faults.into_iter().flatten().collect())).boxed()
}

/// Describes repeated faults of one kind; becomes a [`Source`].
#[derive(Clone, Debug)]
pub struct FaultSource {
    kind: FaultKind,
    target: Target,
    pace: Pace,
    /// What its faults begin with, if not at a time.
    moment: Option<Trigger>,
}

paced!(FaultSource);

impl FaultSource {
    fn new(kind: FaultKind, target: Target) -> FaultSource {
        FaultSource { kind, target, pace: Pace::default(), moment: None }
    }

    /// Only what goes from the first side to the second is befallen. A fault of hosts stays as it is.
    pub fn one_way(mut self) -> FaultSource {
        self.target = self.target.one_way();
        self
    }

    /// Its faults begin each with a message from the one side to the other whose bytes contain this text. Which of them
    /// is drawn from those that a fault-free run of the same seed showed. What is said of when and how often faults happen
    /// means nothing then, but for [`FaultSource::at_most`]; there are one to three in a run.
    pub fn at_message(mut self, from: impl Into<Selector>, to: impl Into<Selector>, containing: &str) -> FaultSource {
        let (from, to, containing) = (from.into(), to.into(), containing.to_owned());
        self.moment = Some(Trigger::Message(MessageMoment { from, to, containing, nth: ANY }));
        self
    }

    /// Its faults begin each with an event of these hosts that has this name (see [`EventMoment`]), as with
    /// [`FaultSource::at_message`].
    pub fn at_event(mut self, host: impl Into<Selector>, named: &str) -> FaultSource {
        self.moment = Some(Trigger::Event(EventMoment { host: host.into(), named: named.to_owned(), nth: ANY }));
        self
    }

    fn name(&self) -> String {
        let place = place(&self.kind, &self.target);
        let name = match self.kind {
            // Clocks that are fast and clocks that are slow are wanted side by side.
            FaultKind::ClockSkew { .. } | FaultKind::ClockDrift { .. } => format!("{} {place}", self.kind),
            _ => format!("{} {place}", self.kind.name()),
        };
        match &self.moment {
            None | Some(Trigger::At(_)) => name,
            Some(Trigger::Message(MessageMoment { from, to, containing, .. })) if containing.is_empty() => {
                format!("{name} at a message {from} → {to}")
            }
            Some(Trigger::Message(MessageMoment { from, to, containing, .. })) => {
                format!("{name} at a message {from} → {to} with {containing:?}")
            }
            Some(Trigger::Event(EventMoment { host, named, .. })) => format!("{name} at an event `{named}` of {host}"),
        }
    }

    /// Faults at moments that came in a run without faults.
    fn at_moments(&self, stage: &Stage, moment: &Trigger) -> BoxedStrategy<Vec<Fault>> {
        let seen = stage.seen.iter().find(|(seen, _)| seen == moment).map_or(0, |(_, count)| *count);
        if seen == 0 {
            return Just(Vec::new()).boxed();
        }
        let most = self.pace.at_most.min(MOST_MOMENTS);
        let draws = vec((1..=seen, uniform(&self.pace.lasting), any::<[u64; 2]>()), most.min(1)..=most);
        let (this, stage, moment) = (self.clone(), stage.clone(), moment.clone());
        let kind = self.kind.scaled(stage.intensity);
        let faults = move |mut draws: Vec<(u32, Duration, [u64; 2])>| {
            draws.sort_by_key(|(nth, ..)| *nth);
            draws.dedup_by_key(|(nth, ..)| *nth);
            let fault = |(nth, lasting, picks): (u32, Duration, [u64; 2])| Fault {
                trigger: moment.with_nth(nth),
                kind: kind.clone(),
                target: this.target.map(|side, hosts| hosts.named(&stage, picks[side as usize])),
                lasting: lasting.min(stage.run_for),
                source: String::new(),
            };
            draws.into_iter().map(fault).collect::<Vec<Fault>>()
        };
        draws.prop_map(faults).boxed()
    }

    fn strategy(&self, stage: &Stage) -> BoxedStrategy<Vec<Fault>> {
        if let Some(moment) = &self.moment {
            return self.at_moments(stage, moment);
        }
        let (this, own) = (self.clone(), stage.clone());
        let kind = self.kind.scaled(stage.intensity);
        let fault = move |Moment { at, lasting, picks }: Moment| Fault {
            trigger: Trigger::At(at),
            kind: kind.clone(),
            target: this.target.map(|side, hosts| hosts.named(&own, picks[side as usize])),
            lasting,
            source: String::new(),
        };
        let faults = move |moments: Vec<Moment>| moments.into_iter().map(&fault).collect::<Vec<Fault>>();
        self.pace.moments(stage).prop_map(faults).boxed()
    }
}

impl From<FaultSource> for Source {
    fn from(source: FaultSource) -> Source {
        let (name, moment) = (source.name(), source.moment.clone());
        Source { moment, ..Source::new(&name, move |stage| source.strategy(stage)) }
    }
}

/// Draws faults of this kind, at this target; when and for how long is drawn.
impl From<Fault> for FaultSource {
    fn from(fault: Fault) -> FaultSource {
        FaultSource::new(fault.kind, fault.target)
    }
}

/// Processes that die at once and are restarted at the end of the fault.
pub fn kill(hosts: impl Into<Selector>) -> FaultSource {
    Fault::kill(hosts).into()
}

/// Machines that lose power, and unsynced data with it, and are powered on at the end of the fault.
pub fn power_off(hosts: impl Into<Selector>) -> FaultSource {
    Fault::power_off(hosts).into()
}

/// Programs that are asked to stop, killed after `grace`, and restarted at the end of the fault.
pub fn stop(hosts: impl Into<Selector>, grace: Duration) -> FaultSource {
    Fault::stop(hosts, grace).into()
}

/// Calls of the machines' disks that fail with an I/O error, with probability `rate` each.
pub fn disk_errors(rate: f64, calls: DiskCalls, hosts: impl Into<Selector>) -> FaultSource {
    Fault::disk_errors(rate, calls, hosts).into()
}

/// Disks on which files cannot grow by more than `free_bytes` in all.
pub fn disk_full(free_bytes: u64, hosts: impl Into<Selector>) -> FaultSource {
    Fault::disk_full(free_bytes, hosts).into()
}

/// Disks whose reads, writes and syncs take so much longer, each.
pub fn disk_slow(read: Duration, write: Duration, sync: Duration, hosts: impl Into<Selector>) -> FaultSource {
    Fault::disk_slow(read, write, sync, hosts).into()
}

/// Disks whose reads return one wrong bit, with probability `rate` each.
pub fn disk_flips(rate: f64, hosts: impl Into<Selector>) -> FaultSource {
    Fault::disk_flips(rate, hosts).into()
}

/// Disks whose syncs do nothing and say that they did.
pub fn lost_syncs(hosts: impl Into<Selector>) -> FaultSource {
    Fault::lost_syncs(hosts).into()
}

/// No segment passes between the two sides, either way.
pub fn partition(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::partition(from, to).into()
}

/// No segment passes from the first side to the second.
pub fn partition_one_way(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::partition_one_way(from, to).into()
}

/// Segments between the two sides wait until the end of the fault, then arrive all at once.
pub fn hold(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::hold(from, to).into()
}

/// Segments between the two sides are lost with probability `rate` per transmission.
pub fn loss(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::loss(rate, from, to).into()
}

/// Segments between the two sides are lost in runs: in bursts of mean length `burst`, which come a mean time of `gap`
/// apart, a transmission is lost with probability `rate`.
pub fn burst_loss(
    gap: Duration,
    burst: Duration,
    rate: f64,
    from: impl Into<Selector>,
    to: impl Into<Selector>,
) -> FaultSource {
    Fault::burst_loss(gap, burst, rate, from, to).into()
}

/// Segments between the two sides take longer by a time that rises to `peak` and falls again.
pub fn latency_wave(peak: Duration, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::latency_wave(peak, from, to).into()
}

/// Each direction between two hosts carries `bytes_per_second`, and up to `queue_bytes` wait.
pub fn bandwidth(
    bytes_per_second: u64,
    queue_bytes: u64,
    from: impl Into<Selector>,
    to: impl Into<Selector>,
) -> FaultSource {
    Fault::bandwidth(bytes_per_second, queue_bytes, from, to).into()
}

/// No segment passes between the two sides, and each sender is answered with a reset.
pub fn reject(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::reject(from, to).into()
}

/// No segment passes between these hosts and any other, either way.
pub fn isolate(hosts: impl Into<Selector>) -> FaultSource {
    partition(hosts, Selector::All)
}

/// Segments between the two sides take longer by a time drawn from `extra`.
pub fn latency(extra: Range<Duration>, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    Fault::latency(extra, from, to).into()
}

/// These faults in every run: a scripted plan as a source.
pub fn scripted(name: &str, faults: Vec<Fault>) -> Source {
    Source::new(name, move |_| Just(faults.clone()))
}

/// Stops the matching hosts one after the other, as a deployment does; becomes a [`Source`].
#[derive(Clone, Debug)]
pub struct RollingStop {
    hosts: Selector,
    grace: Duration,
    begins: Range<Duration>,
    down: Range<Duration>,
    pause: Range<Duration>,
}

/// Stops the matching hosts one after the other: each may take `grace` to return, and is restarted before the next.
pub fn rolling_stop(hosts: impl Into<Selector>, grace: Duration) -> RollingStop {
    RollingStop {
        hosts: hosts.into(),
        grace,
        begins: secs(1)..secs(3),
        down: secs(1)..secs(2),
        pause: secs(2)..secs(4),
    }
}

impl RollingStop {
    /// When the first host is asked to stop.
    pub fn begins(mut self, range: Range<Duration>) -> RollingStop {
        self.begins = range;
        self
    }

    /// How long a host is down beyond its grace.
    pub fn down(mut self, range: Range<Duration>) -> RollingStop {
        self.down = range;
        self
    }

    /// The time from the restart of one host to the stop of the next.
    pub fn pause(mut self, range: Range<Duration>) -> RollingStop {
        self.pause = range;
        self
    }

    fn strategy(&self, stage: &Stage) -> BoxedStrategy<Vec<Fault>> {
        let hosts = self.hosts.resolve(stage, 0);
        let draws = vec((uniform(&self.down), uniform(&self.pause)), hosts.len()..=hosts.len());
        let (this, stage) = (self.clone(), stage.clone());
        let spread = move |(begins, draws): (Duration, Vec<(Duration, Duration)>)| {
            let mut at = begins;
            let mut faults = Vec::new();
            for (host, (down, pause)) in hosts.iter().zip(draws) {
                let lasting = this.grace + down;
                if at + lasting > stage.run_for {
                    break;
                }
                let name = stage.hosts[host.index()].name.clone();
                faults.push(Fault {
                    trigger: Trigger::At(at),
                    kind: FaultKind::Stop { grace: this.grace },
                    target: Target::Hosts(Selector::Names(vec![name])),
                    lasting,
                    source: String::new(),
                });
                at += lasting + pause;
            }
            faults
        };
        (uniform(&self.begins), draws).prop_map(spread).boxed()
    }
}

impl From<RollingStop> for Source {
    fn from(rolling: RollingStop) -> Source {
        Source::new(&format!("rolling stop {}", rolling.hosts), move |stage| rolling.strategy(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::one;

    fn stage() -> Stage {
        Stage::of(&["client", "server"], secs(60))
    }

    proptest! {
        #[test]
        fn faults_begin_and_end_within_the_run(drawn in plan(&stage(), &[
            kill("server").every(secs(5)..secs(9)).lasting(secs(1)..secs(4)).into(),
            partition(one("*"), "server").into(),
        ])) {
            prop_assert!(drawn.faults.len() >= 4);
            for fault in &drawn.faults {
                prop_assert!(fault.begins_at() < Some(secs(60)) && fault.ends_at() <= Some(secs(60)));
                prop_assert_eq!(fault.defect(), None);
            }
            prop_assert!(drawn.faults.is_sorted_by_key(Fault::begins_at));
            let text = serde_json::to_string(&drawn).unwrap();
            prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), drawn);
        }
    }

    #[test]
    fn a_rolling_stop_never_has_two_hosts_down() {
        let stage = Stage::of(&["api-1", "api-2", "api-3"], secs(60));
        let source: Source = rolling_stop("api-*", secs(2)).into();
        let mut runner = crate::seed::Seed(1).runner("test");
        let faults = source.strategy(&stage).new_tree(&mut runner).unwrap().current();
        assert_eq!(faults.len(), 3);
        assert!(faults.windows(2).all(|pair| pair[0].ends_at() < pair[1].begins_at()));
    }
}
