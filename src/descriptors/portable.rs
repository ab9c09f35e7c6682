//! Descriptors where the C library's functions cannot be replaced: there are none, and scenarios that ask for them are
//! refused.

use std::time::Duration;

use crate::alive::AliveFlag;
use crate::net::SharedNet;
use crate::trace::HostId;

/// Whether descriptors can be simulated.
pub(crate) const CAN_SIMULATE: bool = false;

#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) open: u32,
    pub(crate) most: u32,
    pub(crate) ended: Vec<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct ProcessDescriptors;

impl ProcessDescriptors {
    pub(crate) fn serve(_: SharedNet, _: usize) -> ProcessDescriptors {
        ProcessDescriptors
    }

    pub(crate) fn begin_process(&self, _: HostId, _: AliveFlag) {}

    pub(crate) fn held(&self, _: HostId) -> Held {
        Held { open: 0, most: 0, ended: Vec::new() }
    }
}
