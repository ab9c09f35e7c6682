//! Puts `tracing` events of the code under test into the trace, with their host and virtual time.

use std::fmt::{self, Write as _};
use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, Subscriber};
use tracing::{Level, Metadata};

use crate::history::SharedTape;
use crate::sandbox;
use crate::trace::{Event, HostId};

/// Captures this thread's events until the guard is dropped. The same filter holds whether or not texts are kept:
/// levels up to INFO, and nothing of turmoil's own.
pub(crate) fn capture(tape: &SharedTape) -> DefaultGuard {
    tracing::subscriber::set_default(Capture { tape: tape.clone() })
}

struct Capture {
    tape: SharedTape,
}

fn is_captured(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= Level::INFO && !metadata.target().starts_with("turmoil")
}

impl Subscriber for Capture {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Deciding once for each place in the code keeps the many spans of turmoil's step loop free of cost.
        if is_captured(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_captured(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::INFO)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut place = SipHasher13::new();
        place.write(metadata.target().as_bytes());
        place.write(metadata.file().unwrap_or_default().as_bytes());
        place.write_u32(metadata.line().unwrap_or_default());
        let host = sandbox::current_host().map(|index| HostId(index as u16));
        let at = sandbox::now();
        let text = || {
            let mut text = String::new();
            event.record(&mut Words(&mut text));
            Some(format!("{} {text}", metadata.level()))
        };
        // The text is made before the tape is taken: a value's own formatting may log, too.
        let text = if self.tape.lock().trace.is_rich() { text() } else { None };
        self.tape.lock().trace.push_with(at, host, Event::Log { callsite: place.finish() }, || text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
