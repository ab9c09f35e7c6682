//! Seeds, and the keyed decisions and random generators derived from them.
//!
//! A decision is a pure function of the seed, a label and the numbers that identify what is decided. It is never a draw
//! from a shared stream, so leaving one decision out leaves all others as they were.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;

/// One `u64` from which everything random in a run is derived. Printed as hexadecimal, read as hexadecimal or decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl Seed {
    /// Draws 64 uniform bits for the decision identified by `label` and `parts` (SipHash-1-3 keyed by the seed).
    pub fn decide(self, label: &str, parts: &[u64]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, 0x5157_4141_4c4c_0001);
        hasher.write(label.as_bytes());
        for part in parts {
            hasher.write_u64(*part);
        }
        hasher.finish()
    }

    /// Draws a uniform number in `[0, 1)` for the decision identified by `label` and `parts`.
    pub fn decide_unit(self, label: &str, parts: &[u64]) -> f64 {
        // An f64's mantissa holds exactly the upper 53 bits.
        (self.decide(label, parts) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Derives a separate seed for the part of a run identified by `label` and `parts`.
    pub fn child(self, label: &str, parts: &[u64]) -> Seed {
        Seed(self.decide(label, parts))
    }

    /// Creates a proptest runner whose draws depend only on this seed and `label`.
    pub fn runner(self, label: &str) -> TestRunner {
        let mut bytes = [0_u8; 32];
        for (i, chunk) in bytes.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&self.decide(label, &[i as u64]).to_le_bytes());
        }
        let config = Config { failure_persistence: None, ..Config::default() };
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The error for a text that is neither a decimal nor a hexadecimal `u64`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a seed: expected a decimal number or a hexadecimal one such as 0x51f3, at most 64 bits")]
pub struct ParseSeedError(String);

impl FromStr for Seed {
    type Err = ParseSeedError;

    fn from_str(text: &str) -> Result<Seed, ParseSeedError> {
        let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            // `from_str_radix` would accept a sign, which a seed does not have.
            Some(hex) if !hex.starts_with(['+', '-']) => u64::from_str_radix(hex, 16).ok(),
            Some(_) => None,
            None if text.starts_with('+') => None,
            None => text.parse().ok(),
        };
        parsed.map(Seed).ok_or_else(|| ParseSeedError(text.to_owned()))
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seed, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimal_and_hexadecimal() {
        for (text, expected) in [
            ("0", Some(0)),
            ("20979", Some(0x51f3)),
            ("0x51f3", Some(0x51f3)),
            ("0X51F3", Some(0x51f3)),
            ("18446744073709551615", Some(u64::MAX)),
        ] {
            assert_eq!(text.parse::<Seed>().ok().map(|s| s.0), expected, "{text}");
        }
        for text in ["", "0x", "-1", "+1", "0x+1", "18446744073709551616", "0x10000000000000000", "seed"] {
            assert!(text.parse::<Seed>().is_err(), "{text}");
        }
    }

    #[test]
    fn decisions_depend_on_every_part() {
        let seed = Seed(7);
        let base = seed.decide("loss", &[1, 2, 3]);
        assert_eq!(base, seed.decide("loss", &[1, 2, 3]));
        assert_ne!(base, Seed(8).decide("loss", &[1, 2, 3]));
        assert_ne!(base, seed.decide("latency", &[1, 2, 3]));
        assert_ne!(base, seed.decide("loss", &[1, 2, 4]));
        assert_ne!(base, seed.decide("loss", &[1, 2]));
    }
}
