//! Parts of a fault as Rust source, for cases that are printed as tests.

use std::fmt::Write as _;
use std::time::Duration;

use super::SegmentFate;

/// The code of one segment's fate.
pub(super) fn segment_fate(fate: &SegmentFate) -> String {
    let SegmentFate { from, to, port, connect, back, segment, lost, late, corrupted } = fate;
    let mut text = format!("fault::SegmentFate::new({from:?}, {to:?}, {port}, {connect}, {segment})");
    if *back {
        text.push_str(".back()");
    }
    if !lost.is_empty() {
        let _ = write!(text, ".lost({lost:?})");
    }
    if !late.is_zero() {
        let _ = write!(text, ".late({})", duration(*late));
    }
    if !corrupted.is_empty() {
        let _ = write!(text, ".corrupted({corrupted:?})");
    }
    text
}

/// The code of a duration, in the largest unit in which it is a whole number: `millis(1_500)`.
pub(crate) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [("secs", 1_000_000_000), ("millis", 1_000_000), ("micros", 1_000)];
    match units.into_iter().find(|(_, unit)| nanos.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{name}({})", in_groups(nanos / unit)),
        None => format!("std::time::Duration::from_nanos({})", in_groups(nanos)),
    }
}

/// `-12_345_678`.
pub(super) fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// `12_345_678`.
pub(super) fn grouped(number: u64) -> String {
    in_groups(number.into())
}

fn in_groups(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
