//! The network as everybody shares it: the kernels, and the faults that wait for a moment, behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::flow::{FlowId, Side};
use super::kernel::Net;
use super::triggered::TriggeredFaults;
use crate::history::SharedTape;
use crate::trace::HostId;

/// What stands behind the lock. The kernels know nothing of the faults, so that these can act on them.
#[derive(Debug)]
struct Whole {
    net: Net,
    triggered_faults: TriggeredFaults,
}

/// A shared handle to the network.
#[derive(Clone, Debug)]
pub(crate) struct SharedNet(Arc<Mutex<Whole>>);

/// Holds the network; wakes whom it must when it lets go.
pub(crate) struct NetGuard<'a>(Option<MutexGuard<'a, Whole>>);

impl std::ops::Deref for NetGuard<'_> {
    type Target = Net;
    fn deref(&self) -> &Net {
        &self.whole().net
    }
}

impl std::ops::DerefMut for NetGuard<'_> {
    fn deref_mut(&mut self) -> &mut Net {
        &mut self.whole_mut().net
    }
}

impl Drop for NetGuard<'_> {
    fn drop(&mut self) {
        let wake = std::mem::take(&mut self.wake);
        // A waker may run code that takes the network again.
        drop(self.0.take());
        for waker in wake {
            waker.wake();
        }
    }
}

impl SharedNet {
    pub(crate) fn new(tape: SharedTape, names: Vec<String>) -> SharedNet {
        let triggered_faults = TriggeredFaults::new(names.len(), tape.clone());
        SharedNet(Arc::new(Mutex::new(Whole { net: Net::new(tape, names), triggered_faults })))
    }

    /// The network. A panic elsewhere while it was held leaves it usable: the run is reported all the same.
    pub(crate) fn lock(&self) -> NetGuard<'_> {
        NetGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl NetGuard<'_> {
    fn whole(&self) -> &Whole {
        self.0.as_ref().expect("a guard is emptied only when it is dropped")
    }

    fn whole_mut(&mut self) -> &mut Whole {
        self.0.as_mut().expect("a guard is emptied only when it is dropped")
    }

    /// The faults that wait for a moment, and the alive that they close.
    pub(crate) fn triggered_faults(&mut self) -> &mut TriggeredFaults {
        &mut self.whole_mut().triggered_faults
    }

    /// The moment of a fault has come.
    pub(crate) fn trigger(&mut self, fault: u32, here: HostId) {
        let Whole { net, triggered_faults } = self.whole_mut();
        triggered_faults.trigger(net, fault, here);
    }

    /// A program sends bytes, which may be the moment of a fault.
    pub(super) fn send_data(&mut self, flow: FlowId, side: Side, bytes: Bytes) {
        let Whole { net, triggered_faults } = self.whole_mut();
        triggered_faults.send_data(net, flow, side, bytes);
    }
}
