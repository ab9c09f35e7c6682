//! The ephemeral ports of one machine: which are taken, and which comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use crate::trace::HostId;

/// Linux's default range of ephemeral ports.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// How long the side that closes first keeps its port (`TCP_TIMEWAIT_LEN`), so that late segments of the old connection
/// do not reach a new one.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// The host and port that connections go to. Connections to different ones may have the same port of their own.
pub(super) type Destination = (HostId, u16);

/// The ephemeral ports of one machine.
#[derive(Debug)]
pub(super) struct Ports {
    taken: BTreeMap<Destination, BTreeSet<u16>>,
    /// Ports of closed connections, each with the time from which it is free.
    closed: VecDeque<(Duration, Destination, u16)>,
    next: u16,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports { taken: BTreeMap::new(), closed: VecDeque::new(), next: *EPHEMERAL.start() }
    }
}

impl Ports {
    /// Takes a port that its program has chosen.
    ///
    /// # Errors
    /// `AddrNotAvailable` if it is taken for connections to this destination.
    pub(super) fn take_this(&mut self, to: Destination, port: u16, now: Duration) -> io::Result<u16> {
        self.free_closed(now);
        let is_free = self.taken.entry(to).or_default().insert(port);
        if is_free { Ok(port) } else { Err(io::ErrorKind::AddrNotAvailable.into()) }
    }

    /// Frees the ports of connections that were closed long ago.
    fn free_closed(&mut self, now: Duration) {
        while let Some(&(free_at, destination, port)) = self.closed.front()
            && free_at <= now
        {
            self.closed.pop_front();
            self.release(destination, port);
        }
    }

    /// Takes the next port that is free for connections to this destination. `name` is the machine's name, for the error.
    ///
    /// # Errors
    /// `AddrNotAvailable` if every port is taken.
    pub(super) fn take(&mut self, name: &str, to: Destination, now: Duration) -> io::Result<u16> {
        self.free_closed(now);
        let taken = self.taken.entry(to).or_default();
        // Programs may have chosen others, too.
        if taken.len() >= EPHEMERAL.len() && taken.range(EPHEMERAL).count() == EPHEMERAL.len() {
            let waiting = self.closed.iter().filter(|(_, destination, _)| *destination == to).count();
            let text = format!(
                "{name} has no port left for another connection to port {}: {} are open or being opened, and {waiting} were \
                 closed less than {} s ago; reuse connections, or drop some of them",
                to.1,
                EPHEMERAL.len() - waiting,
                TIME_WAIT.as_secs()
            );
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        while !taken.insert(self.next) {
            self.next = following(self.next);
        }
        let port = self.next;
        self.next = following(port);
        Ok(port)
    }

    /// The next port to listen on of which `is_used` is not true, and that no connection has.
    pub(super) fn take_for_listener(&mut self, is_used: impl Fn(u16) -> bool) -> Option<u16> {
        for _ in EPHEMERAL {
            let port = self.next;
            self.next = following(port);
            if !is_used(port) && !self.taken.values().any(|taken| taken.contains(&port)) {
                return Some(port);
            }
        }
        None
    }

    /// Frees the port of a connection that is gone.
    pub(super) fn release(&mut self, to: Destination, port: u16) {
        if let Some(taken) = self.taken.get_mut(&to) {
            taken.remove(&port);
        }
    }

    /// Frees the port of a connection that this machine closed first, after the usual time.
    pub(super) fn release_later(&mut self, to: Destination, port: u16, now: Duration) {
        self.closed.push_back((now + TIME_WAIT, to, port));
    }

    /// Frees all ports, as the machine loses power.
    pub(super) fn clear(&mut self) {
        *self = Ports { next: self.next, ..Ports::default() };
    }
}

fn following(port: u16) -> u16 {
    if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn each_destination_has_all_ports() {
        let mut ports = Ports::default();
        for port in EPHEMERAL {
            assert_eq!(ports.take("client", (HostId(1), 80), NOW).unwrap(), port);
        }
        let error = ports.take("client", (HostId(1), 80), NOW).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains("28232 are open or being opened, and 0 were closed"), "{error}");
        assert_eq!(ports.take("client", (HostId(1), 81), NOW).unwrap(), *EPHEMERAL.start());
        ports.release((HostId(1), 80), 40_000);
        assert_eq!(ports.take("client", (HostId(1), 80), NOW).unwrap(), 40_000);
    }

    #[test]
    fn the_port_of_a_connection_that_was_closed_first_here_waits() {
        let mut ports = Ports::default();
        let to = (HostId(1), 80);
        for _ in EPHEMERAL {
            let port = ports.take("client", to, NOW).unwrap();
            ports.release_later(to, port, NOW);
        }
        let error = ports.take("client", to, NOW).unwrap_err().to_string();
        assert!(error.contains("0 are open or being opened, and 28232 were closed"), "{error}");
        assert!(ports.take("client", to, TIME_WAIT - Duration::from_nanos(1)).is_err());
        assert!(ports.take("client", to, TIME_WAIT).is_ok());
    }

    #[test]
    fn a_program_may_choose_the_port_of_a_connection() {
        let (mut ports, to) = (Ports::default(), (HostId(1), 80));
        assert_eq!(ports.take_this(to, 40_000, NOW).unwrap(), 40_000);
        assert_eq!(ports.take_this(to, 40_000, NOW).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
        assert!(ports.take_this((HostId(2), 80), 40_000, NOW).is_ok(), "another destination has all ports");
        ports.take_this(to, 1_024, NOW).unwrap();
        for _ in 1..EPHEMERAL.len() {
            assert_ne!(ports.take("client", to, NOW).unwrap(), 40_000);
        }
        assert!(ports.take("client", to, NOW).is_err());
        assert_eq!(ports.take_for_listener(|_| false), None, "a connection has each of them");
    }

    #[test]
    fn a_listener_gets_a_port_on_which_nobody_listens() {
        let mut ports = Ports::default();
        assert_eq!(ports.take_for_listener(|port| port < 32_770), Some(32_770));
        assert_eq!(ports.take_for_listener(|_| true), None);
    }
}
