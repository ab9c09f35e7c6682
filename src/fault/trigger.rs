//! When a fault begins: at a time, or at a moment inside a step that the run itself brings about. It knows nothing of how
//! the moment is noticed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Selector, duration_text, text_duration};

/// When a fault begins.
///
/// At a moment inside a step, links, disks and the deaths of hosts are exact. What acts on the sockets, the clock, the memory or
/// the names of a host that goes on running, or asks it to stop, begins when the step is over. A host that goes down by a
/// moment of another may have run through the step already: what it did in the rest of it is not undone. Code on plain
/// turmoil sockets is dropped when the step is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// At this virtual time since the start of the run. It takes effect at the start of the step that holds it.
    At(#[serde(with = "text_duration")] Duration),
    /// Just before a message leaves: it is the first to meet the fault. A process that is killed does not send it any more.
    Message(MessagePoint),
    /// Just after an event: a process that is killed does nothing that comes after it.
    Event(EventPoint),
}

/// The n-th message from some hosts to others. A message is what one write of a program hands to the network: with
/// HTTP/1 and short bodies, a whole request or answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagePoint {
    /// Who sends it.
    pub from: Selector,
    /// Who is to receive it.
    pub to: Selector,
    /// What its bytes contain; nothing if any message counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub containing: String,
    /// Which of these messages it is, from 1.
    pub nth: u32,
}

/// The n-th event of some hosts with a name: that of a mark (`applied`, `ready`, `health-changed`, and so on, or the own name of
/// a note) or of a host's life (`started`, `stopping`, `killed`, `powered-off`, `returned`, `failed`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventPoint {
    /// Where it happens.
    pub host: Selector,
    /// Its name.
    pub named: String,
    /// Which of these events it is, from 1.
    pub nth: u32,
}

impl Trigger {
    /// Which of its messages or events it is, from 1; none for a time.
    pub fn nth(&self) -> Option<u32> {
        match self {
            Trigger::At(_) => None,
            Trigger::Message(trigger_point) => Some(trigger_point.nth),
            Trigger::Event(trigger_point) => Some(trigger_point.nth),
        }
    }

    /// The same moment with another number; a time stays what it is.
    pub fn with_nth(&self, nth: u32) -> Trigger {
        match self {
            Trigger::At(at) => Trigger::At(*at),
            Trigger::Message(trigger_point) => Trigger::Message(MessagePoint { nth, ..trigger_point.clone() }),
            Trigger::Event(trigger_point) => Trigger::Event(EventPoint { nth, ..trigger_point.clone() }),
        }
    }

    /// Its selectors, each with a number that tells it from the other selectors of a fault.
    pub(crate) fn selectors(&self) -> Vec<(u64, &Selector)> {
        match self {
            Trigger::At(_) => Vec::new(),
            Trigger::Message(trigger_point) => vec![(2, &trigger_point.from), (3, &trigger_point.to)],
            Trigger::Event(trigger_point) => vec![(2, &trigger_point.host)],
        }
    }

    /// Whether it waits for something at a host that only its coming would tell.
    pub(crate) fn is_of_here(&self) -> bool {
        self.selectors().into_iter().any(|(_, selector)| *selector == Selector::Here)
    }

    /// The same moment with other selectors.
    pub(crate) fn map(&self, change: impl Fn(u64, &Selector) -> Selector) -> Trigger {
        match self {
            Trigger::At(at) => Trigger::At(*at),
            Trigger::Message(trigger_point) => Trigger::Message(MessagePoint {
                from: change(2, &trigger_point.from),
                to: change(3, &trigger_point.to),
                ..trigger_point.clone()
            }),
            Trigger::Event(trigger_point) => {
                Trigger::Event(EventPoint { host: change(2, &trigger_point.host), ..trigger_point.clone() })
            }
        }
    }

    /// What is wrong with it, in one line; none if it can come.
    pub(super) fn defect(&self) -> Option<String> {
        match self {
            Trigger::Message(_) | Trigger::Event(_) if self.nth() == Some(0) => {
                Some("messages and events are counted from 1".to_owned())
            }
            Trigger::Event(trigger_point) if trigger_point.named.is_empty() => Some("an event needs a name".to_owned()),
            Trigger::At(_) | Trigger::Message(_) | Trigger::Event(_) => None,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::At(at) => write!(f, "at {}", duration_text(*at)),
            Trigger::Message(MessagePoint { from, to, containing, nth }) => {
                write!(f, "at message {nth} {from} → {to}")?;
                if containing.is_empty() { Ok(()) } else { write!(f, " with {containing:?}") }
            }
            Trigger::Event(EventPoint { host, named, nth }) => write!(f, "at event {nth} `{named}` of {host}"),
        }
    }
}
