//! A world whose hosts run by events: it jumps from one moment to the next.

use std::cmp::Reverse;
use std::time::Duration;

use super::engine::{Events, Hosts};
use super::state::World;
use crate::sandbox;

/// The shortest time: what is due at a moment is due before this much later.
const INSTANT: Duration = Duration::from_nanos(1);

impl World<'_> {
    fn events(&mut self) -> &mut Events {
        match &mut self.hosts {
            Hosts::Events(events) => events,
            Hosts::Turmoil(_) => unreachable!("only worlds that run by events jump"),
        }
    }

    /// Goes on to the next moment at which something happens, and lets that happen; or to `end`, if nothing does before.
    pub(super) fn jump(&mut self, end: Duration) {
        let next = self.next_moment();
        if next >= end {
            self.now = end;
            return;
        }
        self.now = next.max(self.now);
        let now = self.now;
        sandbox::set_step(now);
        self.do_what_is_due();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let action = entry.remove();
            self.perform(action);
            if self.agenda.first_key_value().is_none_or(|((at, _), _)| *at > now) {
                self.apply_changed_faults();
            }
            self.is_settled = false;
            self.do_what_is_due();
        }
        if self.wire.closes_idle() {
            self.wire.close_idle(&mut self.net.lock(), now);
            self.is_settled = false;
        }
        self.do_what_is_due();
        loop {
            while let Some((host, waker)) = self.events().take_kernel(now) {
                let next = self.net.lock().run_kernel(host, now, &waker);
                self.events().kernel_waits(host, next);
                self.is_settled = false;
            }
            self.do_what_is_due();
            let Some(host) = self.events().run_next(now) else { break };
            self.recording.lock().trace.counters.steps += 1;
            if !self.wrong_clocks.is_empty() {
                self.count_wrong_reads(host);
            }
            self.is_settled = false;
            self.do_what_is_due();
        }
    }

    fn next_moment(&mut self) -> Duration {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let timer = self.net.lock().timers.peek().map(|Reverse((due, _))| *due);
        let idle = self.wire.next_idle().map(|idle| idle.max(self.now + INSTANT));
        let hosts = self.events().next();
        let next = agenda.into_iter().chain(timer).chain(idle).chain(hosts).min().unwrap_or(Duration::MAX);
        if timer.is_some_and(|due| due <= next.max(self.now)) {
            self.is_settled = false;
        }
        next
    }

    /// Does what follows at once from what hosts and faults have just done, if they have done anything.
    fn do_what_is_due(&mut self) {
        if self.is_settled {
            return;
        }
        let now = self.now;
        let has_exited = self.has_exited.load(std::sync::atomic::Ordering::Relaxed);
        let has_work = has_exited || self.net.lock().has_work(now + INSTANT);
        if has_work {
            self.begin_triggered_faults();
            self.wire.decide(&mut self.net.lock(), now + INSTANT);
            self.handle_exits();
            self.kill_exhausted();
        }
        // What this has done may itself have consequences.
        self.is_settled = !has_work && self.paused.is_empty();
        self.freeze_hosts();
        self.events().look(now);
    }
}
