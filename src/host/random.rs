//! Random numbers of a program, which depend on the seed alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::seed::Seed;

/// A generator of random numbers. It depends on the seed, the host, the client and the life alone, so neither other hosts nor
/// other faults change what it draws; and it is no generator for secrets (SipHash-1-3 of a counter).
///
/// ```
/// use squall::prelude::*;
///
/// async fn sends_now_and_then(cx: HostContext) -> std::io::Result<()> {
///     let random = cx.random();
///     while cx.elapsed() < secs(10) {
///         tokio::time::sleep(random.duration(millis(10)..millis(200))).await;
///         let path = random.choose(&["/a", "/b"]).unwrap_or(&"/");
///         if random.chance(0.5) {
///             tracing::info!("{path} {}", random.between(0..1_000));
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Random {
    seed: Seed,
    drawn: AtomicU64,
}

impl Random {
    pub(crate) fn new(seed: Seed, host: u64, client: u64, life: u64, number: u64) -> Random {
        Random { seed: seed.child("program", &[host, client, life, number]), drawn: AtomicU64::new(0) }
    }

    /// 64 uniform bits.
    pub fn bits(&self) -> u64 {
        self.seed.decide("bits", &[self.drawn.fetch_add(1, Ordering::Relaxed)])
    }

    /// A number of this range, each as likely as the others (to one part in 2^64 / length).
    ///
    /// # Panics
    /// If the range is empty.
    pub fn between(&self, range: Range<u64>) -> u64 {
        assert!(range.start < range.end, "the range {range:?} is empty, so no number is in it");
        // The upper half of a product is uniform up to the number of 64-bit values per result (Lemire, 2019).
        let length = u128::from(range.end - range.start);
        range.start + ((u128::from(self.bits()) * length) >> 64) as u64
    }

    /// A length of time in this range, to the nanosecond.
    ///
    /// # Panics
    /// If the range is empty, or ends after more than 584 years.
    pub fn duration(&self, range: Range<Duration>) -> Duration {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).expect("a range below 584 years");
        Duration::from_nanos(self.between(nanoseconds(range.start)..nanoseconds(range.end)))
    }

    /// True with this probability.
    pub fn chance(&self, probability: f64) -> bool {
        // An f64's mantissa holds exactly the upper 53 bits.
        ((self.bits() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// One of these, or `None` if there is none.
    pub fn choose<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { Some(&items[self.between(0..items.len() as u64) as usize]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(number: u64) -> Random {
        Random::new(Seed(7), 1, 0, 0, number)
    }

    #[test]
    fn the_same_place_draws_the_same_and_another_does_not() {
        let drawn = |random: Random| (0..8).map(|_| random.bits()).collect::<Vec<_>>();
        assert_eq!(drawn(random(0)), drawn(random(0)));
        assert_ne!(drawn(random(0)), drawn(random(1)));
        assert_ne!(drawn(random(0)), drawn(Random::new(Seed(8), 1, 0, 0, 0)));
    }

    #[test]
    fn every_value_of_a_range_is_drawn_and_no_other() {
        let (random, mut seen) = (random(0), [0; 5]);
        for _ in 0..5_000 {
            seen[random.between(10..15) as usize - 10] += 1;
        }
        assert!(seen.iter().all(|count| (900..1_100).contains(count)), "{seen:?}");
        let true_ones = (0..10_000).filter(|_| random.chance(0.3)).count();
        assert!((2_850..3_150).contains(&true_ones), "{true_ones}");
        let second = Duration::from_secs(1);
        assert!((0..100).all(|_| (second..second * 2).contains(&random.duration(second..second * 2))));
        assert!(random.choose::<u8>(&[]).is_none() && random.choose(&[3]) == Some(&3));
        assert_eq!(random.between(u64::MAX - 1..u64::MAX), u64::MAX - 1);
    }
}
