//! The outline of a generator: the hosts that its faults select and their defects, known before any fault is drawn.

use super::{Fault, Selector};

/// The facts about a generator's faults that are known before any is drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    /// Every selector of the faults and of their triggers, each once.
    pub(crate) selectors: Vec<Selector>,
    /// Why the faults cannot be carried out, one line for each reason.
    pub(crate) defects: Vec<String>,
}

impl Outline {
    /// The outline of faults at the hosts of these selectors.
    pub(super) fn of<'a>(selectors: impl IntoIterator<Item = &'a Selector>) -> Outline {
        let mut outline = Outline::default();
        for selector in selectors {
            outline.add(selector);
        }
        outline
    }

    /// The outline of faults like these.
    pub(super) fn of_faults(faults: &[Fault]) -> Outline {
        let mut outline = Outline::default();
        for fault in faults {
            let of_trigger = fault.trigger.selectors().into_iter().map(|(_, selector)| selector);
            fault.target.selectors().into_iter().chain(of_trigger).for_each(|selector| outline.add(selector));
            if let Some(fates) = fault.kind.segments() {
                let names = fates.iter().flat_map(|fate| [&fate.from, &fate.to]);
                names.for_each(|name| outline.add(&Selector::Names(vec![name.clone()])));
            }
            outline.defects.extend(fault.defect().filter(|defect| !outline.defects.contains(defect)));
        }
        outline
    }

    fn add(&mut self, selector: &Selector) {
        // Only a run knows which host `here` is.
        if *selector != Selector::Here && !self.selectors.contains(selector) {
            self.selectors.push(selector.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{
        Generator, SegmentFate, all, bridge, flapping, here, isolate, kill, kill_several, majority, one,
        partition_groups, reset, restart_loop, rolling_stop, scripted, secs, segments, slow_host, slow_restart,
        swizzle, whole_tier,
    };

    #[test]
    fn an_outline_has_every_selector_of_its_generator() {
        let check = |generator: Generator, expected: &[&str]| {
            let outline = generator.outline().expect("generators of this crate have an outline");
            let selectors: Vec<String> = outline.selectors.iter().map(Selector::to_string).collect();
            assert_eq!(selectors, expected, "{}", generator.name());
        };
        check(kill(one("a")).into(), &["one of a"]);
        check(isolate("a").into(), &["a", "all"]);
        check(kill("a").at_message("b", majority("c"), "").into(), &["a", "b", "a majority of c"]);
        check(reset(0, here(), all()).at_event("b", "ready").into(), &["all", "b"]);
        check(rolling_stop("a", secs(1)).into(), &["a"]);
        check(partition_groups(["a", "b", "c"]).into(), &["a", "b", "c"]);
        check(bridge("a").into(), &["a"]);
        check(flapping(secs(1), "a", "b").into(), &["a", "b"]);
        check(swizzle("a").into(), &["a"]);
        check(slow_host(secs(1)..secs(2), 0.1, "a").into(), &["a"]);
        check(slow_restart(secs(1), "a").into(), &["a"]);
        check(restart_loop(2, secs(1), "a").into(), &["a"]);
        check(kill_several(2, "a").into(), &["a"]);
        check(whole_tier("a").into(), &["a"]);
        check(kill("a").named("mine"), &["a"]);
        let faults = vec![
            kill("a").at_nth_event("b", "ready", 1),
            segments("a", "c", [SegmentFate::new("d", "c", 80, 0, 0).lost([0])]).at_start(),
        ];
        // The last is the host of that name, not the pattern.
        check(scripted("script", faults), &["a", "b", "c", "d", "c"]);
        assert!(Generator::new("own", |_| proptest::strategy::Just(Vec::new())).outline().is_none());
    }
}
