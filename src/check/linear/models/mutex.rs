//! A lock.

use super::super::Model;

/// A lock that one process at a time may hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex {
    is_held: bool,
}

impl Mutex {
    /// A lock that is held initially, by nobody in particular.
    pub fn held() -> Mutex {
        Mutex { is_held: true }
    }
}

/// An operation on a lock. Whoever may release it: the model does not know who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutexOp {
    /// Takes the lock, which must be free.
    Acquire,
    /// Gives it back; it must be held.
    Release,
}

impl Model for Mutex {
    type State = bool;
    type Op = MutexOp;
    type Output = ();
    type Key = ();

    fn key(&self, _: &MutexOp) {}

    fn init(&self) -> bool {
        self.is_held
    }

    fn step(&self, is_held: &bool, op: &MutexOp, _: Option<&()>) -> Option<bool> {
        match op {
            MutexOp::Acquire => (!is_held).then_some(true),
            MutexOp::Release => is_held.then_some(false),
        }
    }

    fn needs(&self, op: &MutexOp, (): &()) -> Option<bool> {
        Some(*op == MutexOp::Release)
    }

    fn leads_to(&self, op: &MutexOp) -> Option<bool> {
        Some(*op == MutexOp::Acquire)
    }
}
