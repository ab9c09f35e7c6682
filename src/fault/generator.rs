//! Generators: proptest strategies that draw the faults of a plan for a topology.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::draw_key;
use super::outline::Outline;
use super::schedule::{Occurrence, Schedule, scheduled, uniform};
use super::{
    EventPoint, Fault, FaultKind, MessagePoint, Plan, Selector, Target, Topology, Trigger, partition, place, secs, stop,
};

type Draw = dyn Fn(&Topology) -> BoxedStrategy<Vec<Fault>> + Send + Sync;

/// The number in a trigger point that stands for every number.
const ANY: u32 = 1;
/// The most faults with a trigger point that a generator draws for one run.
const MAX_TRIGGER_POINTS: usize = 3;

/// Draws related faults for a plan. Effects are counted per generator.
///
/// ```
/// use proptest::prelude::Just;
/// use squall::fault::Generator;
/// use squall::prelude::*;
///
/// // Every fault of the catalog becomes a generator, and `new` makes one of any strategy.
/// let crash_at_noon = Generator::new("crash at noon", |_| Just(vec![fault::kill("api").at(secs(12)).lasting(secs(3))]));
/// let scenario = Scenario::new("noon").fault(crash_at_noon).fault(fault::loss(0.1, "api", "store").named("a bad cable"));
/// assert_eq!(scenario.generator_names().collect::<Vec<_>>(), ["crash at noon", "a bad cable"]);
/// ```
#[derive(Clone)]
pub struct Generator {
    name: String,
    /// The text under which a seed draws its faults.
    draw_key: String,
    /// The words that select all generators like it.
    kinds: Vec<&'static str>,
    trigger_point: Option<Trigger>,
    /// The facts about its faults that are known before any is drawn; `None` for a custom generator.
    outline: Option<Outline>,
    draw: Arc<Draw>,
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Generator {
    /// A custom generator: `draw` makes a strategy over faults for a topology. The drawn faults get the generator's
    /// name.
    pub fn new<S>(name: &str, draw: impl Fn(&Topology) -> S + Send + Sync + 'static) -> Generator
    where
        S: Strategy<Value = Vec<Fault>> + 'static,
    {
        let draw: Arc<Draw> = Arc::new(move |topology| draw(topology).boxed());
        let (name, draw_key) = (name.to_owned(), name.to_owned());
        Generator { name, draw_key, kinds: Vec::new(), trigger_point: None, outline: None, draw }
    }

    /// The same generator under another name, for example to distinguish two generators that would share one.
    pub fn named(mut self, name: &str) -> Generator {
        name.clone_into(&mut self.name);
        name.clone_into(&mut self.draw_key);
        self
    }

    pub(super) fn of_kinds(mut self, kinds: &[&'static str]) -> Generator {
        self.kinds = kinds.to_vec();
        self
    }

    pub(super) fn outlined(mut self, outline: Outline) -> Generator {
        self.outline = Some(outline);
        self
    }

    /// The facts about its faults that are known before any is drawn; `None` for a custom generator.
    pub(crate) fn outline(&self) -> Option<&Outline> {
        self.outline.as_ref()
    }

    /// Whether a word such as `kill` selects all generators like this one.
    pub(crate) fn is_of_kind(&self, word: &str) -> bool {
        self.kinds.contains(&word)
    }

    /// The trigger point of its faults, whatever its number. A run without faults counts how often it is reached.
    pub fn trigger_point(&self) -> Option<&Trigger> {
        self.trigger_point.as_ref()
    }

    /// The name under which its effects are counted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text under which a seed draws its faults.
    pub(super) fn draw_key(&self) -> &str {
        &self.draw_key
    }

    /// The strategy over the faults that it adds to a plan on this topology.
    pub fn strategy(&self, topology: &Topology) -> BoxedStrategy<Vec<Fault>> {
        let name = self.name.clone();
        let named = move |mut faults: Vec<Fault>| {
            for fault in &mut faults {
                fault.generator.clone_from(&name);
            }
            faults
        };
        (self.draw)(topology).prop_map(named).boxed()
    }
}

/// The strategy over plans with the faults of all `generators`, for a scenario or for a plain `proptest!` test.
pub fn plan(topology: &Topology, generators: &[Generator]) -> BoxedStrategy<Plan> {
    let drawn: Vec<_> = generators.iter().map(|generator| generator.strategy(topology)).collect();
    drawn.prop_map(|faults| Plan::new(faults.into_iter().flatten().collect())).boxed()
}

/// Specifies what goes wrong and where. It becomes a [`Generator`], which draws faults for each run, or one [`Fault`]
/// when it is given a beginning ([`FaultGenerator::at`] and similar methods). That one fault lasts a second unless
/// [`Fault::lasting`] changes it; the generator's own schedule applies to drawn faults only.
///
/// ```
/// use squall::prelude::*;
///
/// // Drawn for each run: when, and for how long.
/// let drawn = fault::loss(0.3, "client-*", "gateway").every(secs(5)..secs(10)).lasting(secs(1)..secs(2)).at_most(3);
/// // At a moment of the protocol, drawn from those that a run without faults has.
/// let aimed = fault::kill("store").at_message("api-*", "store", "PUT /orders").lasting(secs(1)..secs(2));
/// // One fault, at a fixed time.
/// let fixed = fault::power_off("store").at(secs(3)).lasting(secs(2));
/// assert_eq!(fixed.ends_at(), Some(secs(5)));
/// let scenario = Scenario::new("store").fault(drawn).fault(aimed).fault(fault::scripted("the outage", vec![fixed]));
/// ```
#[derive(Clone, Debug)]
pub struct FaultGenerator {
    pub(super) kind: FaultKind,
    pub(super) target: Target,
    schedule: Schedule,
    /// The message or event with which its faults begin; `None` if they begin at a time.
    trigger_point: Option<Trigger>,
    /// The most faults at trigger points that follow each other; `None` if each is drawn by itself.
    in_turn: Option<usize>,
}

scheduled!(FaultGenerator);

impl FaultGenerator {
    pub(super) fn on_hosts(kind: impl Into<FaultKind>, hosts: impl Into<Selector>) -> FaultGenerator {
        FaultGenerator::new(kind.into(), Target::Hosts(hosts.into()))
    }

    pub(super) fn on_links(
        kind: impl Into<FaultKind>,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
    ) -> FaultGenerator {
        FaultGenerator::new(kind.into(), Target::Links { from: from.into(), to: to.into() })
    }

    fn new(kind: FaultKind, target: Target) -> FaultGenerator {
        FaultGenerator { kind, target, schedule: Schedule::default(), trigger_point: None, in_turn: None }
    }

    /// Affects only the direction from the first side to the second. A fault of hosts is unchanged.
    pub fn one_way(mut self) -> FaultGenerator {
        self.target = self.target.one_way();
        self
    }

    /// Each of its faults begins with a message from one side to the other whose bytes contain this text. The message
    /// is drawn from those of a run of the same seed without faults. Of the schedule, only [`FaultGenerator::lasting`]
    /// and [`FaultGenerator::at_most`] apply; a run has one to three such faults.
    pub fn at_message(
        mut self,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
        containing: &str,
    ) -> FaultGenerator {
        let (from, to, containing) = (from.into(), to.into(), containing.to_owned());
        self.trigger_point = Some(Trigger::Message(MessagePoint { from, to, containing, nth: ANY }));
        self
    }

    /// Each of its faults begins with an event of this name at these hosts (see [`EventPoint`]), drawn as with
    /// [`FaultGenerator::at_message`].
    pub fn at_event(mut self, host: impl Into<Selector>, named: &str) -> FaultGenerator {
        self.trigger_point = Some(Trigger::Event(EventPoint { host: host.into(), named: named.to_owned(), nth: ANY }));
        self
    }

    /// Its faults begin at messages or events that follow each other, `most` of them at most, from a drawn one on. They are
    /// counted as the run goes, so faults also begin at those that only earlier faults bring about: each new leader is cut
    /// off in turn.
    ///
    /// ```
    /// use squall::prelude::*;
    ///
    /// let cut_off_each_leader = fault::partition(fault::here(), "node-*").at_event("node-*", "leader").in_turn(4);
    /// ```
    pub fn in_turn(mut self, most: usize) -> FaultGenerator {
        self.in_turn = Some(most.max(1));
        self
    }

    fn name(&self) -> String {
        let place = place(&self.kind, &self.target);
        let name = match self.kind.facts().generators_differ_by_parameters {
            true => format!("{} {place}", self.kind),
            false => format!("{} {place}", self.kind.name()),
        };
        match &self.trigger_point {
            None | Some(Trigger::At(_)) => name,
            Some(Trigger::Message(MessagePoint { from, to, containing, .. })) if containing.is_empty() => {
                format!("{name} at a message {from} → {to}")
            }
            Some(Trigger::Message(MessagePoint { from, to, containing, .. })) => {
                format!("{name} at a message {from} → {to} with {containing:?}")
            }
            Some(Trigger::Event(EventPoint { host, named, .. })) => format!("{name} at an event `{named}` of {host}"),
        }
    }

    /// Faults that begin at trigger points that were reached in a run without faults.
    fn at_trigger_points(&self, topology: &Topology, trigger_point: &Trigger) -> BoxedStrategy<Vec<Fault>> {
        let seen = topology.seen.iter().find(|(seen, _)| seen == trigger_point).map_or(0, |(_, count)| *count);
        if seen == 0 {
            return Just(Vec::new()).boxed();
        }
        let max = self.schedule.at_most.min(self.in_turn.unwrap_or(MAX_TRIGGER_POINTS));
        let draws = vec((1..=seen, uniform(&self.schedule.lasting), any::<[u64; 2]>()), max.min(1)..=max);
        let follow_each_other = self.in_turn.is_some();
        let (this, topology, trigger_point) = (self.clone(), topology.clone(), trigger_point.clone());
        let kind = self.kind.scaled(topology.intensity);
        let faults = move |mut draws: Vec<(u32, Duration, [u64; 2])>| {
            if follow_each_other {
                let first = draws.first().map_or(1, |(nth, ..)| *nth);
                draws.iter_mut().zip(first..).for_each(|(draw, nth)| draw.0 = nth);
            }
            draws.sort_by_key(|(nth, ..)| *nth);
            draws.dedup_by_key(|(nth, ..)| *nth);
            let fault = |(nth, lasting, picks): (u32, Duration, [u64; 2])| Fault {
                trigger: trigger_point.with_nth(nth),
                kind: kind.clone(),
                target: this.target.map(|side, hosts| hosts.named(&topology, picks[side as usize])),
                lasting: lasting.min(topology.run_for),
                generator: String::new(),
            };
            draws.into_iter().map(fault).collect::<Vec<Fault>>()
        };
        draws.prop_map(faults).boxed()
    }

    fn strategy(&self, topology: &Topology) -> BoxedStrategy<Vec<Fault>> {
        if let Some(trigger_point) = &self.trigger_point {
            return self.at_trigger_points(topology, trigger_point);
        }
        let (this, own) = (self.clone(), topology.clone());
        let kind = self.kind.scaled(topology.intensity);
        let fault = move |Occurrence { at, lasting, picks }: Occurrence| Fault {
            trigger: Trigger::At(at),
            kind: kind.clone(),
            target: this.target.map(|side, hosts| hosts.named(&own, picks[side as usize])),
            lasting,
            generator: String::new(),
        };
        let faults = move |occurrences: Vec<Occurrence>| occurrences.into_iter().map(&fault).collect::<Vec<Fault>>();
        self.schedule.occurrences(topology).prop_map(faults).boxed()
    }
}

impl From<FaultGenerator> for Generator {
    fn from(generator: FaultGenerator) -> Generator {
        let (name, trigger_point) = (generator.name(), generator.trigger_point.clone());
        let kind = generator.kind.name();
        let draw_key = draw_key::of(&generator.kind, &generator.target, trigger_point.as_ref());
        let example = Fault {
            trigger: trigger_point.clone().unwrap_or(Trigger::At(Duration::ZERO)),
            kind: generator.kind.clone(),
            target: generator.target.clone(),
            lasting: secs(1),
            generator: name.clone(),
        };
        let new = Generator::new(&name, move |topology| generator.strategy(topology));
        Generator { draw_key, trigger_point, ..new.of_kinds(&[kind]).outlined(Outline::of_faults(&[example])) }
    }
}

/// No segment passes between these hosts and any other, either way.
pub fn isolate(hosts: impl Into<Selector>) -> FaultGenerator {
    partition(hosts, Selector::All)
}

/// A generator of exactly these faults in every run.
pub fn scripted(name: &str, faults: Vec<Fault>) -> Generator {
    let outline = Outline::of_faults(&faults);
    Generator::new(name, move |_| Just(faults.clone())).outlined(outline)
}

/// Stops the matching hosts one after another, as a deployment does. It becomes a [`Generator`].
///
/// ```
/// use squall::prelude::*;
///
/// let deployment = fault::rolling_stop("api-*", secs(5)).begins(secs(2)..secs(4)).pause(millis(500)..secs(1));
/// let scenario = Scenario::new("deployment").fault(deployment.named("the deployment"));
/// ```
#[derive(Clone, Debug)]
pub struct RollingStop {
    hosts: Selector,
    grace: Duration,
    begins: Range<Duration>,
    down: Range<Duration>,
    pause: Range<Duration>,
}

/// Stops the matching hosts one after another: each may take `grace` to return, and is restarted before the next stops.
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

    /// The generator under another name.
    pub fn named(self, name: &str) -> Generator {
        Generator::from(self).named(name)
    }

    fn strategy(&self, topology: &Topology) -> BoxedStrategy<Vec<Fault>> {
        let hosts = self.hosts.resolve(topology, 0);
        let draws = vec((uniform(&self.down), uniform(&self.pause)), hosts.len()..=hosts.len());
        let (this, topology) = (self.clone(), topology.clone());
        let spread = move |(begins, draws): (Duration, Vec<(Duration, Duration)>)| {
            let mut at = begins;
            let mut faults = Vec::new();
            for (host, (down, pause)) in hosts.iter().zip(draws) {
                let lasting = this.grace + down;
                if at + lasting > topology.run_for {
                    break;
                }
                let name = topology.hosts[host.index()].name.clone();
                faults.push(stop(Selector::Names(vec![name]), this.grace).at(at).lasting(lasting));
                at += lasting + pause;
            }
            faults
        };
        (uniform(&self.begins), draws).prop_map(spread).boxed()
    }
}

impl From<RollingStop> for Generator {
    fn from(rolling: RollingStop) -> Generator {
        let (name, outline) = (format!("rolling stop {}", rolling.hosts), Outline::of([&rolling.hosts]));
        let generator = Generator::new(&name, move |topology| rolling.strategy(topology));
        generator.of_kinds(&["rolling stop"]).outlined(outline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{kill, one};

    fn topology() -> Topology {
        Topology::of(&["client", "server"], secs(60))
    }

    proptest! {
        #[test]
        fn faults_begin_and_end_within_the_run(drawn in plan(&topology(), &[
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
        let topology = Topology::of(&["api-1", "api-2", "api-3"], secs(60));
        let generator: Generator = rolling_stop("api-*", secs(2)).into();
        let mut runner = crate::seed::Seed(1).runner("test");
        let faults = generator.strategy(&topology).new_tree(&mut runner).unwrap().current();
        assert_eq!(faults.len(), 3);
        assert!(faults.windows(2).all(|pair| pair[0].ends_at() < pair[1].begins_at()));
    }
}
