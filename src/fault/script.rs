//! Faults written by hand: a generator given a fixed beginning becomes one fault.

use std::time::Duration;

use super::{EventPoint, Fault, FaultGenerator, MessagePoint, Selector, Trigger, secs};

impl FaultGenerator {
    /// One such fault, which begins at this virtual time since the start of the run.
    pub fn at(self, begins: Duration) -> Fault {
        self.triggered(Trigger::At(begins))
    }

    /// One such fault, which begins with the run.
    pub fn at_start(self) -> Fault {
        self.at(Duration::ZERO)
    }

    /// One such fault, which begins just before the `nth` message from one side to the other whose bytes contain this
    /// text leaves, counted from 1. Every message contains the empty text.
    pub fn at_nth_message(
        self,
        from: impl Into<Selector>,
        to: impl Into<Selector>,
        containing: &str,
        nth: u32,
    ) -> Fault {
        let (from, to, containing) = (from.into(), to.into(), containing.to_owned());
        self.triggered(Trigger::Message(MessagePoint { from, to, containing, nth }))
    }

    /// One such fault, which begins just after the `nth` event with this name at these hosts, counted from 1.
    pub fn at_nth_event(self, host: impl Into<Selector>, named: &str, nth: u32) -> Fault {
        self.triggered(Trigger::Event(EventPoint { host: host.into(), named: named.to_owned(), nth }))
    }

    fn triggered(self, trigger: Trigger) -> Fault {
        let FaultGenerator { kind, target, .. } = self;
        Fault { trigger, kind, target, lasting: secs(1), generator: "by hand".to_owned() }
    }
}

impl Fault {
    /// The same fault, lasting this long.
    pub fn lasting(mut self, lasting: Duration) -> Fault {
        self.lasting = lasting;
        self
    }
}

/// Exactly the hosts with these names.
impl<const COUNT: usize> From<[&str; COUNT]> for Selector {
    fn from(names: [&str; COUNT]) -> Selector {
        Selector::Names(names.map(str::to_owned).to_vec())
    }
}
