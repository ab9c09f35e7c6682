//! The ports and addresses to which sockets are bound.

use std::net::IpAddr;

/// A port, and the address of the machine to which a socket is bound; `None` for all addresses.
pub(super) type Bound = (u16, Option<IpAddr>);

/// One of the listeners of a machine: what it is bound to, and its number among those that share that (`SO_REUSEPORT`).
pub(super) type ListenerId = (Bound, u32);

/// Whether two sockets cannot be bound at the same time.
pub(super) fn is_conflict((port, on): Bound, (other_port, other_on): Bound) -> bool {
    port == other_port && (on.is_none() || other_on.is_none() || on == other_on)
}

/// What a socket may be bound to that receives what is sent to this port of this address; the narrower comes first.
pub(super) fn receivers(port: u16, address: IpAddr) -> [Bound; 2] {
    [(port, Some(address)), (port, None)]
}
