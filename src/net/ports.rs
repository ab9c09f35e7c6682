//! The ephemeral ports of one machine: which are taken, and which comes next.

use std::collections::BTreeSet;
use std::io;

/// Linux's default range of ephemeral ports.
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
    /// Takes the next free port. `name` is the machine's name, for the error.
    ///
    /// # Errors
    /// `AddrNotAvailable` if every port is taken.
    pub(super) fn take(&mut self, name: &str) -> io::Result<u16> {
        if self.taken.len() == EPHEMERAL.len() {
            let text = format!(
                "{name} has no free port left: {} connections are open or being opened; drop some of them",
                EPHEMERAL.len()
            );
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        while !self.taken.insert(self.next) {
            self.next = following(self.next);
        }
        let port = self.next;
        self.next = following(port);
        Ok(port)
    }

    /// Frees the port of a connection that is gone.
    pub(super) fn release(&mut self, port: u16) {
        self.taken.remove(&port);
    }
}

fn following(port: u16) -> u16 {
    if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 }
}
