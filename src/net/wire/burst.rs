//! Burst loss: the spans of time in which one direction of a link is in a burst.
//!
//! A chain of two states (Gilbert, "Capacity of a burst-noise channel", 1960) advances by one state each
//! [`BURST_SLOT`]. Whether it changes in a slot is a hash of the seed, the link and the slot's number since the start
//! of the run, never of the traffic: the bursts of a link are the same whatever is sent on it.

use std::time::Duration;

use crate::fault::BURST_SLOT;
use crate::seed::Seed;
use crate::trace::HostId;

/// The states of one direction of a link, from the beginning of its fault on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chain {
    link: u64,
    first_slot: u64,
    /// Probability that a burst begins in a slot.
    begins: f64,
    /// Probability that a burst ends in a slot.
    ends: f64,
    /// Whether there is a burst, for each slot computed so far.
    bursts: Vec<bool>,
}

impl Chain {
    pub(crate) fn new(from: HostId, to: HostId, begins_at: Duration, gap: Duration, burst: Duration) -> Chain {
        Chain {
            link: (u64::from(from.0) << 16) | u64::from(to.0),
            first_slot: slot(begins_at),
            begins: BURST_SLOT.div_duration_f64(gap),
            ends: BURST_SLOT.div_duration_f64(burst),
            bursts: Vec::new(),
        }
    }

    /// Whether there is a burst at this time, which must not be before the beginning of the fault.
    pub(super) fn is_in_burst(&mut self, seed: Seed, at: Duration) -> bool {
        let index = slot(at).saturating_sub(self.first_slot) as usize;
        while self.bursts.len() <= index {
            let number = self.first_slot + self.bursts.len() as u64;
            let unit = seed.decide_unit("burst", &[self.link, number]);
            let next = match self.bursts.last() {
                // The fault begins at a random point of the chain's life: the probability that it begins in a burst is
                // the share of time that bursts fill.
                None => unit < self.begins / (self.begins + self.ends),
                Some(true) => unit >= self.ends,
                Some(false) => unit < self.begins,
            };
            self.bursts.push(next);
        }
        self.bursts[index]
    }
}

fn slot(at: Duration) -> u64 {
    (at.as_nanos() / BURST_SLOT.as_nanos()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_have_their_mean_length_whatever_is_queried() {
        let ms = Duration::from_millis;
        let chain = || Chain::new(HostId(0), HostId(1), ms(500), ms(900), ms(100));
        let mut queried_in_order = chain();
        let states: Vec<bool> =
            (50..100_050).map(|slot| queried_in_order.is_in_burst(Seed(3), ms(slot * 10))).collect();
        let mut queried_once = chain();
        assert_eq!(queried_once.is_in_burst(Seed(3), ms(90_000 * 10 + 9)), states[90_000 - 50]);
        let runs = states.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        let bad = states.iter().filter(|state| **state).count();
        let (mean, share) = (bad as f64 / runs as f64, bad as f64 / states.len() as f64);
        assert!((9.0..11.0).contains(&mean), "bursts of {mean} slots on average");
        assert!((0.09..0.11).contains(&share), "bursts fill {share} of the time");
    }

    #[test]
    fn each_direction_has_its_own_bursts_and_begins_in_either_state() {
        let ms = Duration::from_millis;
        let chain = |from: u16, to: u16| Chain::new(HostId(from), HostId(to), ms(0), ms(100), ms(100));
        let states =
            |mut chain: Chain| (0..200).map(|slot| chain.is_in_burst(Seed(3), ms(slot * 10))).collect::<Vec<_>>();
        assert_ne!(states(chain(0, 1)), states(chain(1, 0)));
        assert_ne!(states(chain(0, 1)), states(chain(0, 2)));
        // Bursts fill half of the time, and so half of the first slots.
        let at_first = (0..400).filter(|seed| chain(0, 1).is_in_burst(Seed(*seed), ms(0))).count();
        assert!((150..250).contains(&at_first), "{at_first} of 400 begin in a burst");
    }
}
