//! The ports and addresses to which sockets are bound.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// A port, and the address of the machine to which a socket is bound; `None` for all addresses.
pub(super) type Bound = (u16, Option<IpAddr>);

/// One of the sockets of a machine that listen or receive datagrams: what it is bound to, and its number among those that
/// share that.
pub(super) type SocketId = (Bound, u32);

/// With which others a datagram socket shares what it is bound to: those that have set the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Datagrams spread over those that share by this (`SO_REUSEPORT`).
    pub(crate) spreads: bool,
    /// The one that was bound last gets all datagrams (`SO_REUSEADDR`).
    pub(crate) takes_over: bool,
}

impl Sharing {
    /// Whether two sockets can be bound to the same.
    pub(super) fn allows(self, other: Sharing) -> bool {
        self.spreads && other.spreads || self.takes_over && other.takes_over
    }
}

/// Whether two sockets cannot be bound at the same time.
pub(super) fn is_conflict((port, on): Bound, (other_port, other_on): Bound) -> bool {
    port == other_port && (on.is_none() || other_on.is_none() || on == other_on)
}

/// What a socket may be bound to that receives what is sent to this port of this address; the narrower comes first.
pub(super) fn receivers(port: u16, address: IpAddr) -> [Bound; 2] {
    [(port, Some(address)), (port, None)]
}

/// A number that spreads what has different keys over the sockets that share what they are bound to.
pub(super) fn digest(key: impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    key.hash(&mut hasher);
    hasher.finish()
}
