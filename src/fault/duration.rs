//! Durations: short constructors, and the text form that files and reports use, such as `1.25s`.

use std::time::Duration;

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// `n` microseconds.
pub const fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// The shortest exact text of a duration in the largest unit that fits: `1.25s`, `300ms`, `20us`, `7ns`.
pub fn text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (unit, per_unit, digits) = match nanos {
        0 => return "0s".to_owned(),
        n if n >= 1_000_000_000 => ("s", 1_000_000_000, 9),
        n if n >= 1_000_000 => ("ms", 1_000_000, 6),
        n if n >= 1_000 => ("us", 1_000, 3),
        _ => ("ns", 1, 0),
    };
    let (whole, fraction) = (nanos / per_unit, nanos % per_unit);
    if fraction == 0 {
        return format!("{whole}{unit}");
    }
    let fraction = format!("{fraction:0digits$}");
    format!("{whole}.{}{unit}", fraction.trim_end_matches('0'))
}

/// The duration that [`text`] wrote; `None` if the text is not one.
fn parse_text(text: &str) -> Option<Duration> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(number_end);
    let digits = match unit {
        "s" => 9,
        "ms" => 6,
        "us" => 3,
        "ns" => 0,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > digits || fraction.contains('.') {
        return None;
    }
    let scale = 10_u64.pow(digits as u32);
    let fraction_scale = 10_u64.pow((digits - fraction.len()) as u32);
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let nanos = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(fraction * fraction_scale)?;
    Some(Duration::from_nanos(nanos))
}

/// Serde support for durations as text: `#[serde(with = "text_duration")]`.
pub mod text_duration {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer};

    /// The duration of a text such as `1.25s`; `None` if the text is not a duration.
    pub fn parse(text: &str) -> Option<Duration> {
        parse_text(text)
    }

    /// Writes a duration as text such as `1.25s`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(*duration))
    }

    /// Reads a duration from text such as `1.25s`.
    ///
    /// # Errors
    /// If the text is not a duration in one of the units s, ms, us, ns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let written = String::deserialize(deserializer)?;
        parse_text(&written).ok_or_else(|| {
            serde::de::Error::custom(format!("`{written}` is not a duration such as 1.25s, 300ms, 20us or 7ns"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_exact_and_short() {
        let nanos = Duration::from_nanos;
        for (duration, expected) in [
            (secs(0), "0s"),
            (secs(8), "8s"),
            (millis(1_250), "1.25s"),
            (millis(300), "300ms"),
            (micros(20), "20us"),
            (nanos(7), "7ns"),
            (nanos(1_000_000_001), "1.000000001s"),
            (nanos(1_500), "1.5us"),
        ] {
            assert_eq!(text(duration), expected);
            assert_eq!(parse_text(expected), Some(duration));
        }
        for bad in ["", "s", "1", "1.5.5s", "1.0000000001s", "-1s", "1 s", "99999999999999s", "1.5ns"] {
            assert_eq!(parse_text(bad), None, "{bad}");
        }
    }
}
