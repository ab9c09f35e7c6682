//! The watcher of a rich trace, which sees events as they happen. Only breakpoints for a debugger use it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::event::Event;
use super::host_id::HostId;
use super::record::Record;

/// Receives the names of the hosts and each event.
pub(crate) type Watcher = Box<dyn Fn(&[String], &Record)>;

thread_local! {
    /// Whether there is a watcher. The first access to `WATCHER` allocates, because it registers a destructor with the
    /// thread, and a rich trace must not allocate where a lean one does not.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// From now on, shows the events of rich traces on this thread to this watcher, or to none.
pub(crate) fn watch(watcher: Option<Watcher>) {
    IS_WATCHED.set(watcher.is_some());
    WATCHER.set(watcher);
}

pub(super) fn show(hosts: &[String], at: Duration, host: Option<HostId>, event: &Event, text: &str) {
    if !IS_WATCHED.get() {
        return;
    }
    WATCHER.with(|watcher| {
        // Events that the watcher itself causes are not shown.
        let Ok(watcher) = watcher.try_borrow() else { return };
        if let Some(watcher) = &*watcher {
            let text = (!text.is_empty()).then(|| text.to_owned());
            watcher(hosts, &Record { at, host, event: event.clone(), text });
        }
    });
}
