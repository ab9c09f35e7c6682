//! Lets somebody see the events of a rich trace while they happen. Nobody does unless a debugger is wanted.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::{Event, HostId, Record};

/// Is shown the names of the hosts, and each event.
pub(crate) type Watcher = Box<dyn Fn(&[String], &Record)>;

thread_local! {
    // Apart, as the first look at what has a destructor allocates, and keeping more of a run must not move its memory.
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
