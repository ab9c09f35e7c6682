//! Timerfd: a descriptor that becomes readable at a time, and again after each interval.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::ReadBuf;

use super::description::Watch;
use crate::net::SharedNet;
use crate::sandbox::{self, Errno, TimerSetting};
use crate::trace::HostId;

/// When a timer is over, in the time of the world.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    due: Option<Duration>,
    /// 0 if it is over only once.
    interval: Duration,
}

/// The state of a timerfd.
#[derive(Debug)]
pub(super) struct Timer {
    net: SharedNet,
    host: HostId,
    pub(super) clock: i32,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

impl State {
    /// How often it has been over by now.
    fn count(&self, now: Duration) -> u64 {
        match self.due {
            Some(due) if due <= now && self.interval.is_zero() => 1,
            Some(due) if due <= now => 1 + ((now - due).as_nanos() / self.interval.as_nanos()) as u64,
            _ => 0,
        }
    }

    fn intervals(&self, count: u64) -> Duration {
        Duration::from_nanos((self.interval.as_nanos() * u128::from(count)) as u64)
    }

    fn left(&self, now: Duration) -> TimerSetting {
        let next = match self.due {
            Some(due) if due > now => due - now,
            Some(due) if !self.interval.is_zero() => due + self.intervals(self.count(now)) - now,
            _ => Duration::ZERO,
        };
        TimerSetting { value: next, interval: self.interval }
    }
}

impl Timer {
    pub(super) fn new(net: SharedNet, host: HostId, clock: i32, watch: Arc<Watch>) -> Timer {
        Timer { net, host, clock, watch, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the timer to be over after `value`, and stops it if that is 0. Returns what was left.
    pub(super) fn set(&self, TimerSetting { value, interval }: TimerSetting) -> TimerSetting {
        let now = sandbox::now();
        let due = (!value.is_zero()).then(|| now + value);
        let before = std::mem::replace(&mut *self.lock(), State { due, interval }).left(now);
        self.wake_when_over();
        before
    }

    pub(super) fn left(&self) -> TimerSetting {
        self.lock().left(sandbox::now())
    }

    /// Lets the kernel wake whoever watches when the timer is over next.
    fn wake_when_over(&self) {
        let due = self.lock().due;
        if let Some(due) = due {
            self.net.alarm(self.host, due, self.watch.waker());
        }
    }

    pub(super) fn level(&self) -> u32 {
        if self.lock().count(sandbox::now()) > 0 { libc::EPOLLIN as u32 } else { 0 }
    }

    /// Reads how often the timer has been over since it was set or last read.
    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>) -> Result<(), Errno> {
        if buffer.remaining() < size_of::<u64>() {
            return Err(libc::EINVAL);
        }
        let mut state = self.lock();
        let count = state.count(sandbox::now());
        if count == 0 {
            return Err(libc::EAGAIN);
        }
        state.due = state.due.filter(|_| !state.interval.is_zero()).map(|due| due + state.intervals(count));
        drop(state);
        self.wake_when_over();
        buffer.put_slice(&count.to_ne_bytes());
        Ok(())
    }
}
