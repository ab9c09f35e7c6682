//! The intensity of faults: a factor on how often they happen and how much they lose or delay.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The intensity of faults, as a percentage of what their generators specify: how often they happen, and how much they
/// lose or delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Intensity {
    percent: u32,
}

impl Intensity {
    /// Faults exactly as their generators specify them.
    pub const FULL: Intensity = Intensity { percent: 100 };

    /// The intensities from which a run draws one for each of its generators.
    pub(super) const CHOICES: [Intensity; 3] = [Intensity::FULL, Intensity { percent: 50 }, Intensity { percent: 25 }];

    /// The number times this intensity.
    pub fn times(self, number: f64) -> f64 {
        if self == Intensity::FULL { number } else { number * f64::from(self.percent) / 100.0 }
    }

    /// The time divided by this intensity, for gaps: the higher the intensity, the shorter.
    pub(crate) fn shorten(self, time: std::time::Duration) -> std::time::Duration {
        if self == Intensity::FULL { time } else { (time * 100).checked_div(self.percent).unwrap_or(time) }
    }

    /// The time multiplied by this intensity, for delays: the higher the intensity, the longer.
    pub(crate) fn lengthen(self, time: std::time::Duration) -> std::time::Duration {
        if self == Intensity::FULL { time } else { time * self.percent / 100 }
    }
}

impl Default for Intensity {
    fn default() -> Intensity {
        Intensity::FULL
    }
}

impl fmt::Display for Intensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.percent) / 100.0)
    }
}

/// The error for a text that is not an intensity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an intensity: give a number between 0.01 and 10, such as 0.5 or 2")]
pub struct ParseIntensityError(String);

impl FromStr for Intensity {
    type Err = ParseIntensityError;

    fn from_str(text: &str) -> Result<Intensity, ParseIntensityError> {
        let percent = text.parse::<f64>().ok().map(|number| (number * 100.0).round());
        let percent = percent.filter(|percent| (1.0..=1_000.0).contains(percent)).map(|percent| percent as u32);
        percent.map(|percent| Intensity { percent }).ok_or_else(|| ParseIntensityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intensities_round_trip_as_text() {
        for (text, expected) in [("1", Some(100)), ("0.25", Some(25)), ("10", Some(1_000)), ("0.01", Some(1))] {
            assert_eq!(text.parse::<Intensity>().ok().map(|intensity| intensity.percent), expected, "{text}");
            assert_eq!(text.parse::<Intensity>().unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "11", "NaN", "inf", "half"] {
            assert!(text.parse::<Intensity>().is_err(), "{text}");
        }
    }
}
