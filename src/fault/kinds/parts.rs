//! Helpers that several kinds of faults share: probabilities, text for numbers of bytes, and smaller numbers for
//! shrinking.

use std::time::Duration;

use crate::fault::Intensity;

/// Whether the number is a probability.
pub(super) fn is_rate(rate: f64) -> bool {
    (0.0..=1.0).contains(&rate)
}

/// The probability at this intensity, at most 1.
pub(super) fn scaled_rate(rate: f64, intensity: Intensity) -> f64 {
    intensity.times(rate).min(1.0)
}

/// The text of a number of bytes, in the largest unit in which it is whole: `64 kB`.
pub(super) fn bytes_text(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        bytes if bytes.is_multiple_of(1_000_000) => format!("{} MB", bytes / 1_000_000),
        bytes if bytes.is_multiple_of(1_000) => format!("{} kB", bytes / 1_000),
        bytes => format!("{bytes} B"),
    }
}

/// An eighth, a quarter and a half of a duration, in whole milliseconds.
pub(super) fn smaller_times(duration: Duration) -> impl Iterator<Item = Duration> {
    let shares = [8, 4, 2].map(|part| Duration::from_millis((duration / part).as_millis() as u64));
    shares.into_iter().filter(|share| !share.is_zero())
}

/// Numbers of the same sign that are closer to zero, the closest first.
pub(super) fn smaller_numbers(number: i64) -> impl Iterator<Item = i64> {
    [number / 1_000, number / 100, number / 10, number / 2].into_iter().filter(|smaller| *smaller != 0)
}
