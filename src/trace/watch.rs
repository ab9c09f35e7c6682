//! Lets somebody see the events of a rich trace while they happen. Nobody does unless a debugger is wanted.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::event::Event;
use super::host_id::HostId;
use super::record::Record;

/// Is shown the names of the hosts, and each event.
pub(crate) type Watcher = Box<dyn Fn(&[String], &Record)>;

thread_local! {
    /// Whether there is a watcher. The watcher itself must be dropped with its thread, and so the first look at it takes
    /// memory, which no rich trace may take that a lean one does not.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// From now on, the events of rich traces on this thread are shown to this watcher, or to nobody.
pub(crate) fn watch(watcher: Option<Watcher>) {
    IS_WATCHED.set(watcher.is_some());
    WATCHER.set(watcher);
}

pub(super) fn show(hosts: &[String], at: Duration, host: Option<HostId>, event: &Event, text: &str) {
    if !IS_WATCHED.get() {
        return;
    }
    WATCHER.with(|watcher| {
        // What the watcher itself makes happen is not shown.
        let Ok(watcher) = watcher.try_borrow() else { return };
        if let Some(watcher) = &*watcher {
            let text = (!text.is_empty()).then(|| text.to_owned());
            watcher(hosts, &Record { at, host, event: event.clone(), text });
        }
    });
}
