//! Selectors: which hosts a fault or a trigger is about, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Selects hosts. A pattern is a host's name, a group's name, or either with `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// Exactly the hosts with these names.
    Names(Vec<String>),
    /// All hosts that match the pattern.
    Matching(String),
    /// One of the hosts that match the pattern.
    One(String),
    /// Some, but fewer than half, of the hosts that match the pattern (one, if at most two match).
    Minority(String),
    /// More than half of the hosts that match the pattern.
    Majority(String),
    /// Every host.
    All,
    /// The host at which the fault begins: the sender of the message, or the host of the event.
    Here,
}

/// One of the hosts that match the pattern.
pub fn one(pattern: &str) -> Selector {
    Selector::One(pattern.to_owned())
}

/// Fewer than half of the hosts that match the pattern.
pub fn minority(pattern: &str) -> Selector {
    Selector::Minority(pattern.to_owned())
}

/// More than half of the hosts that match the pattern.
pub fn majority(pattern: &str) -> Selector {
    Selector::Majority(pattern.to_owned())
}

/// Every host.
pub fn all() -> Selector {
    Selector::All
}

/// The host at which a fault begins: the sender of the message, or the host of the event.
pub fn here() -> Selector {
    Selector::Here
}

impl From<&str> for Selector {
    fn from(pattern: &str) -> Selector {
        Selector::Matching(pattern.to_owned())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Names(names) => write!(f, "{}", names.join(", ")),
            Selector::Matching(pattern) => write!(f, "{pattern}"),
            Selector::One(pattern) => write!(f, "one of {pattern}"),
            Selector::Minority(pattern) => write!(f, "a minority of {pattern}"),
            Selector::Majority(pattern) => write!(f, "a majority of {pattern}"),
            Selector::All => write!(f, "all"),
            Selector::Here => write!(f, "here"),
        }
    }
}
