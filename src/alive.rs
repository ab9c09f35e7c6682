//! The alive flag: whether one life of a program is still running.
//!
//! Dropping a crashed program runs its destructors, but a dead program must not act. Therefore every handle through
//! which a program reaches the simulated world holds a clone of its flag, and does nothing once the flag is cleared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set while a program lives, and cleared for good when it is killed. Clones share their state.
#[derive(Clone, Debug)]
pub struct AliveFlag(Arc<AtomicBool>);

impl AliveFlag {
    /// Creates a flag that is set, for a program that starts now.
    pub fn new() -> AliveFlag {
        AliveFlag(Arc::new(AtomicBool::new(true)))
    }

    /// Marks the program as dead. From now on no handle that holds a clone has any effect on the world.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the program is alive and may act.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether both belong to the same life.
    pub(crate) fn is_same(&self, other: &AliveFlag) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for AliveFlag {
    fn default() -> AliveFlag {
        AliveFlag::new()
    }
}
