//! The ephemeral ports of one machine: which are taken, and which comes next.

use std::collections::BTreeSet;
use std::io;

/// Linux's default ephemeral ports.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// The ephemeral ports of one machine.
#[derive(Debug)]
pub(super) struct Ports {
    taken: BTreeSet<u16>,
    next: u16,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports { taken: BTreeSet::new(), next: *EPHEMERAL.start() }
    }
}

impl Ports {
    /// Takes the next free port of the machine with this name.
    ///
    /// # Errors
    /// `AddrNotAvailable` if there is none.
    pub(super) fn take(&mut self, name: &str) -> io::Result<u16> {
        if self.taken.len() == EPHEMERAL.len() {
            let text =
                format!("{name} has no free port left: {} connections are open or being opened", EPHEMERAL.len());
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        while !self.taken.insert(self.next) {
            self.next = following(self.next);
        }
        let port = self.next;
        self.next = following(port);
        Ok(port)
    }

    /// A connection is gone, and its port is free.
    pub(super) fn release(&mut self, port: u16) {
        self.taken.remove(&port);
    }
}

fn following(port: u16) -> u16 {
    if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 }
}
