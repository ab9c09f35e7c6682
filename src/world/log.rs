//! Puts `tracing` events of the code under test into the trace, with their host and virtual time: those of the vocabulary as
//! marks, all others as log lines.

use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::sync::Mutex;

use siphasher::sip::SipHasher13;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, Subscriber};
use tracing::{Level, Metadata};

use super::vocabulary::{self, Fields};
use crate::fault::duration_text;
use crate::history::SharedRecording;
use crate::sandbox;
use crate::trace::{Event, HostId};

/// Captures this thread's events until the guard is dropped: those of the vocabulary of levels up to DEBUG, and all others of
/// levels up to INFO, except turmoil's own. The filter is the same whether or not texts are kept.
pub(crate) fn capture(recording: &SharedRecording) -> DefaultGuard {
    tracing::subscriber::set_default(Capture {
        recording: recording.clone(),
        scratch: Mutex::new(String::with_capacity(LONGEST)),
    })
}

/// The longest log line that is kept, in bytes.
const LONGEST: usize = 16 * 1024;

struct Capture {
    recording: SharedRecording,
    /// The buffer in which a line is built. It is allocated whether or not texts are kept, so that keeping them does
    /// not move other allocations.
    scratch: Mutex<String>,
}

fn is_captured(metadata: &Metadata<'_>) -> bool {
    let most = if is_vocabulary(metadata) { Level::DEBUG } else { Level::INFO };
    metadata.is_event() && *metadata.level() <= most && !metadata.target().starts_with("turmoil")
}

fn is_vocabulary(metadata: &Metadata<'_>) -> bool {
    metadata.target() == vocabulary::TARGET
}

impl Subscriber for Capture {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Deciding once for each callsite makes the many spans of turmoil's step loop free.
        if is_captured(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_captured(metadata)
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::DEBUG)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if sandbox::is_dead() {
            return;
        }
        let metadata = event.metadata();
        if is_vocabulary(metadata) {
            return self.mark(event);
        }
        let mut place = SipHasher13::new();
        place.write(metadata.target().as_bytes());
        place.write(metadata.file().unwrap_or_default().as_bytes());
        place.write_u32(metadata.line().unwrap_or_default());
        let host = sandbox::current_host().map(|index| HostId(index as u16));
        let at = sandbox::now();
        // The line is built before the recording is locked, because formatting a value may log, too. Such a nested event is
        // left out.
        let is_rich = self.recording.lock().trace.is_rich();
        let mut scratch = self.scratch.try_lock().ok().filter(|_| is_rich);
        if let Some(line) = &mut scratch {
            line.clear();
            line.push_str(metadata.level().as_str());
            event.record(&mut Words(line));
        }
        let text = scratch.as_ref().map_or("", |line| line.as_str());
        let event = Event::Log { callsite: place.finish() };
        self.recording.lock().trace.push_with(at, host, event, |out| out.write_str(text));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Capture {
    /// Records what an event of the vocabulary stands for. One that cannot be read fails the run: a check that does not get it
    /// would judge less than it should.
    fn mark(&self, event: &tracing::Event<'_>) {
        let Some(host) = sandbox::current_host().map(|index| HostId(index as u16)) else { return };
        // The fields are read before the recording is locked, because formatting a value may log, too.
        let fields = Fields::of(event);
        let name = fields.event();
        let read = fields.mark(&self.recording.lock().trace);
        match read {
            Ok(mark) => self.recording.mark(host, mark),
            Err(why) => {
                let at = duration_text(sandbox::now());
                let mut recording = self.recording.lock();
                let who = recording.trace.name(host).to_owned();
                let line = format!("{who} logged `{name}` at {at}: {why}; see docs/vocabulary.md");
                recording.unrecorded.push(line);
            }
        }
    }
}

/// Writes the fields of a log line as far as they fit.
struct Words<'a>(&'a mut String);

impl fmt::Write for Words<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A line that is too long is cut.
        let _ = match field.name() {
            "message" => write!(self, " {value:?}"),
            name => write!(self, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
