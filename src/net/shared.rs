//! The shared handle to the network: the kernels, and the faults that wait for a trigger point, behind one lock.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{FlowId, Side};
use super::kernel::Net;
use super::triggered::TriggeredFaults;
use crate::history::SharedRecording;
use crate::trace::HostId;

/// The state behind the lock. The kernels do not depend on the triggered faults, so these can act on the kernels.
#[derive(Debug)]
struct Whole {
    net: Net,
    triggered_faults: TriggeredFaults,
}

/// A shared handle to the network.
#[derive(Clone, Debug)]
pub(crate) struct SharedNet(Arc<Mutex<Whole>>);

/// A lock on the network, which wakes the collected wakers when it is released.
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
        let Some(mut whole) = self.0.take() else { return };
        let wake = &mut whole.net.wake;
        // A waker may run code that locks the network again. Most often there is none, or one.
        match wake.len() {
            0 => {}
            1 => {
                let waker = wake.pop();
                drop(whole);
                waker.into_iter().for_each(Waker::wake);
            }
            _ => {
                let wakers = std::mem::take(wake);
                drop(whole);
                wakers.into_iter().for_each(Waker::wake);
            }
        }
    }
}

impl SharedNet {
    pub(crate) fn new(recording: SharedRecording, names: Vec<String>) -> SharedNet {
        let triggered_faults = TriggeredFaults::new(names.len(), recording.clone());
        SharedNet(Arc::new(Mutex::new(Whole { net: Net::new(recording, names), triggered_faults })))
    }

    /// Locks the network. A panic under the lock leaves it usable, so that the run is still reported.
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

    /// The faults that wait for a trigger point, and the alive flags that they clear.
    pub(crate) fn triggered_faults(&mut self) -> &mut TriggeredFaults {
        &mut self.whole_mut().triggered_faults
    }

    /// Whether there is anything for the world to do before the step that begins now: a segment to decide about, one to send
    /// again, a fault that was triggered, or a machine that is out of memory.
    pub(crate) fn has_work(&self, now: Duration) -> bool {
        let Whole { net, triggered_faults } = self.whole();
        !net.undecided.is_empty()
            || triggered_faults.has_triggered()
            || !net.all_host_faults.exhausted.is_empty()
            || net.timers.peek().is_some_and(|Reverse((due, _))| *due < now)
    }

    /// Triggers a fault.
    pub(crate) fn trigger(&mut self, fault: u32, here: HostId) {
        let Whole { net, triggered_faults } = self.whole_mut();
        triggered_faults.trigger(net, fault, here);
    }

    /// Sends bytes of a program, which may trigger a fault.
    pub(super) fn send_data(&mut self, flow: FlowId, side: Side, bytes: Bytes) {
        let Whole { net, triggered_faults } = self.whole_mut();
        triggered_faults.send_data(net, flow, side, bytes);
    }
}
