//! The gate between one life of a program and the simulated world. It knows nothing of hosts, sockets or disks.
//!
//! Dropping a crashed program runs its destructors, and a dead program must not act: whatever a program can reach
//! of the world holds a clone of its gate and does nothing once the gate is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Open while a program lives; closed, for good, at the moment it is killed. Clones share their state.
#[derive(Clone, Debug)]
pub struct AliveFlag(Arc<AtomicBool>);

impl AliveFlag {
    /// A gate for a program that starts now.
    pub fn new() -> AliveFlag {
        AliveFlag(Arc::new(AtomicBool::new(true)))
    }

    /// Closes the gate. From now on nothing that holds a clone has any effect on the world.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the program behind this gate may still act.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for AliveFlag {
    fn default() -> AliveFlag {
        AliveFlag::new()
    }
}
