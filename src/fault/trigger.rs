//! Triggers: when a fault begins, at a virtual time or with a message or an event of the run, as data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Selector, duration_text, text_duration};

/// When a fault begins.
///
/// Messages and events happen inside a step of the world. Faults of links and disks, kills and power offs begin exactly
/// there. A fault of the sockets, the clock, the memory or the names of a host that goes on running, and a request to
/// stop, begin when the step is over. A host that goes down because of a message or an event of another host may
/// already have run through the step; what it did in the rest of the step is not undone. Code on plain turmoil sockets
/// is dropped when the step is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// At this virtual time since the start of the run. It takes effect at the start of the step that contains this
    /// time.
    At(#[serde(with = "text_duration")] Duration),
    /// Just before a message leaves. That message is the first that the fault affects. A killed process does not send
    /// it.
    Message(MessagePoint),
    /// Just after an event. A killed process does nothing that comes after it.
    Event(EventPoint),
}

/// The n-th message from some hosts to others. A message is what one write of a program passes to the network: with
/// HTTP/1 and short bodies, a whole request or response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagePoint {
    /// The sender.
    pub from: Selector,
    /// The receiver.
    pub to: Selector,
    /// Text that its bytes contain; empty if every message counts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub containing: String,
    /// The number of the message among these, from 1.
    pub nth: u32,
}

/// The n-th event with a given name at some hosts: a mark (`applied`, `ready`, `health-changed` and so on), a note, by
/// the name it was given, or an event of a host's life (`started`, `stopping`, `killed`, `powered-off`, `returned`,
/// `failed`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventPoint {
    /// The host at which it happens.
    pub host: Selector,
    /// The name of the event.
    pub named: String,
    /// The number of the event among these, from 1.
    pub nth: u32,
}

impl Trigger {
    /// The number of the message or event, from 1; `None` for a time.
    pub fn nth(&self) -> Option<u32> {
        match self {
            Trigger::At(_) => None,
            Trigger::Message(trigger_point) => Some(trigger_point.nth),
            Trigger::Event(trigger_point) => Some(trigger_point.nth),
        }
    }

    /// The same message or event with another number; a time is unchanged.
    pub fn with_nth(&self, nth: u32) -> Trigger {
        match self {
            Trigger::At(at) => Trigger::At(*at),
            Trigger::Message(trigger_point) => Trigger::Message(MessagePoint { nth, ..trigger_point.clone() }),
            Trigger::Event(trigger_point) => Trigger::Event(EventPoint { nth, ..trigger_point.clone() }),
        }
    }

    /// Its selectors. Each has a number that distinguishes it from the other selectors of the fault, whose target has 0
    /// and 1.
    pub(crate) fn selectors(&self) -> Vec<(u64, &Selector)> {
        match self {
            Trigger::At(_) => Vec::new(),
            Trigger::Message(trigger_point) => vec![(2, &trigger_point.from), (3, &trigger_point.to)],
            Trigger::Event(trigger_point) => vec![(2, &trigger_point.host)],
        }
    }

    /// Whether it waits for something at `here`, which is known only once that has happened.
    pub(crate) fn waits_for_here(&self) -> bool {
        self.selectors().into_iter().any(|(_, selector)| *selector == Selector::Here)
    }

    /// The same trigger with other selectors; `change` gets the number of each, as in [`Trigger::selectors`].
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

    /// Why it can never be reached, in one line; `None` if it can.
    pub(super) fn defect(&self) -> Option<String> {
        match self {
            Trigger::Message(_) | Trigger::Event(_) if self.nth() == Some(0) => {
                Some("messages and events are counted from 1: `nth` must not be 0".to_owned())
            }
            Trigger::Event(trigger_point) if trigger_point.named.is_empty() => {
                Some("an event needs a name (`named`)".to_owned())
            }
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
