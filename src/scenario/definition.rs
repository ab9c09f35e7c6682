//! The digest of a scenario's definition, without its code. It tells a case that was recorded for another definition
//! from one whose code has changed.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::Scenario;
use super::derived::DEFAULT_STEP;
use crate::world::Engine;

/// A digest (SipHash-1-3) of hosts, clients, generators, checks, times and limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Definition(u64);

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Definition {
    type Err = String;

    fn from_str(text: &str) -> Result<Definition, String> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = if is_hex { u64::from_str_radix(text, 16).ok() } else { None };
        digest.map(Definition).ok_or_else(|| format!("`{text}` is not a digest of 16 hexadecimal digits"))
    }
}

impl Serialize for Definition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Definition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Definition, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Scenario {
    /// The digest of everything about the scenario except its code, its name and its situations, which are not judged
    /// in each run.
    pub fn definition(&self) -> Definition {
        let mut parts = Parts(SipHasher13::new());
        for host in self.configured_hosts() {
            parts.add("host", &[&host.name, &host.group, &host.index, &host.supervised, &host.wall_offset]);
        }
        for client in &self.clients {
            parts.add("clients", &[&client.name, &client.count]);
        }
        for generator in sorted(self.generator_names()) {
            parts.add("generator", &[&generator]);
        }
        for check in sorted(self.check_names()) {
            parts.add("check", &[&check]);
        }
        parts.add("latency", &[&self.latency]);
        let mut latencies: Vec<_> = self.latencies.iter().collect();
        latencies.sort_by_key(|(a, b, _)| (a, b));
        for latency in latencies {
            parts.add("link latency", &[latency]);
        }
        let mut aliases: Vec<_> = self.aliases.iter().collect();
        aliases.sort();
        for alias in aliases {
            parts.add("alias", &[alias]);
        }
        parts.add("times", &[&self.step.unwrap_or(DEFAULT_STEP), &self.run_for, &self.settle_for]);
        parts.add("limits", &[&self.limits, &self.allows_panics, &sorted(self.allowed_escapes.iter())]);
        if self.has_plain_sockets {
            parts.add("plain sockets", &[]);
        }
        if self.engine != Engine::default() {
            parts.add("engine", &[&self.engine]);
        }
        Definition(parts.0.finish())
    }
}

/// Sorts parts, because the order of the builder's calls must not change the digest.
fn sorted<T: Ord>(parts: impl Iterator<Item = T>) -> Vec<T> {
    let mut parts: Vec<T> = parts.collect();
    parts.sort();
    parts
}

struct Parts(SipHasher13);

impl Parts {
    fn add(&mut self, label: &str, parts: &[&dyn fmt::Debug]) {
        let text = format!("{parts:?}");
        for text in [label, &text] {
            self.0.write_usize(text.len());
            self.0.write(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::fault::{kill, millis, secs};

    #[test]
    fn any_part_changes_the_digest() {
        async fn program(_: crate::host::HostContext) {}
        let base = || Scenario::new("s").host("a", program);
        let others = [
            Scenario::new("s").host("b", program),
            base().hosts("c", 2, program),
            base().clients("d", 1, proptest::strategy::Just(1_u8), |_, _| async {}),
            base().fault(kill("a")),
            base().check(crate::check::Check::new("x", |_, _| Verdict::Pass)),
            base().latency(millis(1)..millis(2)),
            base().link_latency("a", "a", millis(1)..millis(2)),
            base().alias("b", &["a"]),
            base().step(millis(2)),
            base().run_for(secs(1)),
            base().settle_for(secs(1)),
            base().supervise("a", secs(1)),
            base().wall_clock_offset("a", 7),
            base().limits(crate::scenario::RunLimits { hang_after: secs(1), memory_bytes: 1 }),
            base().allow_panics(),
            base().engine(Engine::Events),
            base().allow_escape("thread"),
        ];
        let digests: std::collections::BTreeSet<String> =
            others.iter().chain([&base()]).map(|scenario| scenario.definition().to_string()).collect();
        assert_eq!(digests.len(), others.len() + 1);
        assert_eq!(base().definition(), base().definition());
    }

    #[test]
    fn a_digest_round_trips_through_text() {
        let definition = Scenario::new("s").definition();
        assert_eq!(definition.to_string().parse(), Ok(definition));
        for bad in ["", "1234", "+23456789abcdef0", "123456789abcdefg"] {
            assert!(bad.parse::<Definition>().is_err(), "{bad}");
        }
    }
}
