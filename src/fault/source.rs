//! Where plans come from: proptest strategies that draw faults for a stage.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Fault, FaultKind, Plan, Selector, Stage, Target, Trigger, millis, secs};

type Draw = dyn Fn(&Stage) -> BoxedStrategy<Vec<Fault>> + Send + Sync;

/// Draws faults of one sort. Bites are counted per source.
#[derive(Clone)]
pub struct Source {
    name: String,
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
        Source { name: name.to_owned(), draw: Arc::new(move |stage| draw(stage).boxed()) }
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
    every: Range<Duration>,
    lasting: Range<Duration>,
    at_most: usize,
}

impl FaultSource {
    fn new(kind: FaultKind, target: Target) -> FaultSource {
        FaultSource { kind, target, every: secs(5)..secs(15), lasting: millis(500)..secs(3), at_most: usize::MAX }
    }

    /// The time from the start of the run, and then from the end of one fault, to the beginning of the next.
    pub fn every(mut self, range: Range<Duration>) -> FaultSource {
        self.every = range;
        self
    }

    /// How long each lasts.
    pub fn lasting(mut self, range: Range<Duration>) -> FaultSource {
        self.lasting = range;
        self
    }

    /// One fault in a run, beginning within `range`.
    pub fn once(mut self, range: Range<Duration>) -> FaultSource {
        self.every = range;
        self.at_most = 1;
        self
    }

    /// One fault in a run that lasts from the start until the faults are over.
    pub fn throughout(mut self) -> FaultSource {
        self.every = Duration::ZERO..Duration::ZERO;
        self.lasting = Duration::MAX..Duration::MAX;
        self.at_most = 1;
        self
    }

    /// At most this many faults in a run.
    pub fn at_most(mut self, count: usize) -> FaultSource {
        self.at_most = count;
        self
    }

    fn name(&self) -> String {
        let arrow = if self.kind == FaultKind::PartitionOneWay { "→" } else { "↔" };
        match &self.target {
            Target::Hosts(hosts) => format!("{} {hosts}", self.kind.name()),
            Target::Links { from, to } => format!("{} {from} {arrow} {to}", self.kind.name()),
        }
    }

    fn strategy(&self, stage: &Stage) -> BoxedStrategy<Vec<Fault>> {
        let shortest = self.every.start + self.lasting.start.min(stage.run_for);
        // With gaps and lengths of zero the number of faults would have no bound.
        let fits = stage.run_for.as_millis() / shortest.as_millis().max(100) + 1;
        let count = usize::try_from(fits).unwrap_or(usize::MAX).min(self.at_most).min(1_000);
        let (this, stage) = (self.clone(), stage.clone());
        let draws = (uniform(&self.every), uniform(&self.lasting), any::<u64>(), any::<u64>());
        vec(draws, count..=count).prop_map(move |draws| this.spread(&stage, draws)).boxed()
    }

    fn spread(&self, stage: &Stage, draws: Vec<(Duration, Duration, u64, u64)>) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut from = Duration::ZERO;
        for (gap, lasting, pick, pick_to) in draws {
            let at = from + gap;
            if at >= stage.run_for {
                break;
            }
            let lasting = lasting.min(stage.run_for - at);
            let target = match &self.target {
                Target::Hosts(hosts) => Target::Hosts(hosts.named(stage, pick)),
                Target::Links { from, to } => {
                    Target::Links { from: from.named(stage, pick), to: to.named(stage, pick_to) }
                }
            };
            faults.push(Fault {
                trigger: Trigger::At(at),
                kind: self.kind.clone(),
                target,
                lasting,
                source: String::new(),
            });
            from = at + lasting;
        }
        faults
    }
}

impl From<FaultSource> for Source {
    fn from(source: FaultSource) -> Source {
        Source::new(&source.name(), move |stage| source.strategy(stage))
    }
}

/// Whole milliseconds, uniformly from the range; the start alone if the range is empty.
fn uniform(range: &Range<Duration>) -> BoxedStrategy<Duration> {
    let (start, end) = (range.start, range.end);
    if end <= start {
        return Just(start).boxed();
    }
    let (start, end) = (start.as_millis() as u64, (end.as_millis() as u64).max(start.as_millis() as u64 + 1));
    (start..end).prop_map(Duration::from_millis).boxed()
}

fn on_hosts(kind: FaultKind, hosts: impl Into<Selector>) -> FaultSource {
    FaultSource::new(kind, Target::Hosts(hosts.into()))
}

fn on_links(kind: FaultKind, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    FaultSource::new(kind, Target::Links { from: from.into(), to: to.into() })
}

/// Processes that die at once and are restarted at the end of the fault.
pub fn kill(hosts: impl Into<Selector>) -> FaultSource {
    on_hosts(FaultKind::Kill, hosts)
}

/// Machines that lose power, and unsynced data with it, and are powered on at the end of the fault.
pub fn power_off(hosts: impl Into<Selector>) -> FaultSource {
    on_hosts(FaultKind::PowerOff, hosts)
}

/// Programs that are asked to stop, killed after `grace`, and restarted at the end of the fault.
pub fn stop(hosts: impl Into<Selector>, grace: Duration) -> FaultSource {
    on_hosts(FaultKind::Stop { grace }, hosts)
}

/// No segment passes between the two sides, either way.
pub fn partition(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    on_links(FaultKind::Partition, from, to)
}

/// No segment passes from the first side to the second.
pub fn partition_one_way(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    on_links(FaultKind::PartitionOneWay, from, to)
}

/// Segments between the two sides wait until the end of the fault, then arrive all at once.
pub fn hold(from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    on_links(FaultKind::Hold, from, to)
}

/// Segments between the two sides are lost with probability `rate` per transmission.
pub fn loss(rate: f64, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    on_links(FaultKind::Loss { rate }, from, to)
}

/// Segments between the two sides take longer by a time drawn from `extra`.
pub fn latency(extra: Range<Duration>, from: impl Into<Selector>, to: impl Into<Selector>) -> FaultSource {
    on_links(FaultKind::Latency { at_least: extra.start, at_most: extra.end }, from, to)
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
                prop_assert!(fault.begins_at() < secs(60) && fault.ends_at() <= secs(60));
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
