//! The texts under which seeds draw the faults of generators. They are no words for people: none of them changes when
//! a kind, a selector or a name is worded anew, so a seed means the same plan as before.

use super::{EventPoint, FaultKind, MessagePoint, Selector, Target, Trigger};

/// The text for the faults of this kind at this target, which begin at this trigger point.
pub(super) fn of(kind: &FaultKind, target: &Target, trigger_point: Option<&Trigger>) -> String {
    let place = match target {
        Target::Hosts(hosts) => selector(hosts),
        Target::Links { from, to } if !kind.is_one_way() => format!("{} ↔ {}", selector(from), selector(to)),
        Target::Links { from, to } | Target::OneWay { from, to } => format!("{} → {}", selector(from), selector(to)),
    };
    let faults = format!("{} {place}", kind.draw_key());
    match trigger_point {
        None | Some(Trigger::At(_)) => faults,
        Some(Trigger::Message(MessagePoint { from, to, containing, nth: _ })) => {
            let sides = format!("{} → {}", selector(from), selector(to));
            match containing.is_empty() {
                true => format!("{faults} at a message {sides}"),
                false => format!("{faults} at a message {sides} with {containing:?}"),
            }
        }
        Some(Trigger::Event(EventPoint { host, named, nth: _ })) => {
            format!("{faults} at an event `{named}` of {}", selector(host))
        }
    }
}

fn selector(selector: &Selector) -> String {
    match selector {
        Selector::Names(names) => names.join(", "),
        Selector::Matching(pattern) => pattern.clone(),
        Selector::One(pattern) => format!("one of {pattern}"),
        Selector::Minority(pattern) => format!("a minority of {pattern}"),
        Selector::Majority(pattern) => format!("a majority of {pattern}"),
        Selector::All => "all".to_owned(),
        Selector::Here => "whoever that is".to_owned(),
    }
}
