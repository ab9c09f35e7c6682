//! The vocabulary: `tracing` events with the target `squall`, by which programs tell the checks what the wire does not show.
//!
//! Owns the names of events and fields, which `docs/vocabulary.md` lists, and what each stands for as a mark.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tracing::Event;
use tracing::field::{Field, Visit};

use crate::net;
use crate::trace::{AttemptOutcome, HostId, Mark, RetrySafety, Trace};

/// The target of all events of the vocabulary.
pub(super) const TARGET: &str = "squall";

/// The names of all events.
const NAMES: [&str; 12] = [
    "call.started",
    "attempt.started",
    "attempt.ended",
    "call.ended",
    "request.dispatched",
    "probe.ended",
    "backend.health_changed",
    "backend.ejected",
    "effect.applied",
    "breaker.changed",
    "readiness.changed",
    "note",
];

/// An event of the vocabulary that has been read, and of which hosts are not looked up yet.
pub(super) struct Fields {
    event: &'static str,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Flag(bool),
    Count(u64),
    Real(f64),
    Text(String),
}

impl Fields {
    /// Reads the fields of an event, which may run code of the program that logs.
    pub(super) fn of(event: &Event<'_>) -> Fields {
        let mut fields = Fields { event: event.metadata().name(), fields: Vec::with_capacity(4) };
        event.record(&mut fields);
        fields
    }

    /// What the event stands for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn mark(mut self, trace: &Trace) -> Result<Mark, String> {
        Ok(match self.event {
            "call.started" => Mark::CallStarted { call: self.count("call.id")?, deadline: self.ms("call.timeout_ms")? },
            "attempt.started" => Mark::AttemptStarted {
                call: self.count("call.id")?,
                attempt: self.attempt()?,
                timeout: self.ms("attempt.timeout_ms")?,
                safety: self.safety()?,
            },
            "attempt.ended" => {
                Mark::AttemptEnded { call: self.count("call.id")?, attempt: self.attempt()?, outcome: self.outcome()? }
            }
            "call.ended" => Mark::CallEnded { call: self.count("call.id")?, ok: self.has_no_error() },
            "request.dispatched" => Mark::Dispatched { to: self.server(trace)? },
            "probe.ended" => Mark::Probed { to: self.server(trace)?, ok: self.has_no_error() },
            "backend.health_changed" => {
                Mark::HealthChanged { to: self.server(trace)?, healthy: self.flag("backend.is_healthy")? }
            }
            "backend.ejected" => Mark::Ejected { to: self.server(trace)?, lasting: self.ms("ejection.duration_ms")? },
            "effect.applied" => Mark::Applied { key: self.text("idempotency.key")?, id: self.count("effect.id")? },
            "breaker.changed" => Mark::BreakerChanged { open: self.flag("breaker.is_open")? },
            "readiness.changed" => Mark::Ready(self.flag("server.is_ready")?),
            "note" => Mark::Note { name: self.text("note.name")?, detail: self.text("message").unwrap_or_default() },
            // Tracing's own name for an event that is given none says where it is.
            other => return Err(format!("`{other}` is no name of the vocabulary; these are: {}", NAMES.join(", "))),
        })
    }

    /// The name of the event, and of its place in the code if it has no name.
    pub(super) fn event(&self) -> &'static str {
        self.event
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.fields.iter().position(|(field, _)| *field == name)?;
        Some(self.fields.swap_remove(index).1)
    }

    fn required(&mut self, name: &str) -> Result<Value, String> {
        self.take(name).ok_or_else(|| format!("`{}` lacks the field `{name}`", self.event))
    }

    fn wrong(&self, name: &str, value: &Value, expected: &str) -> String {
        format!("`{name}` of `{}` is {value}, which is not {expected}", self.event)
    }

    fn count(&mut self, name: &str) -> Result<u64, String> {
        let value = self.required(name)?;
        value.count().ok_or_else(|| self.wrong(name, &value, "a whole number"))
    }

    fn ms(&mut self, name: &str) -> Result<Duration, String> {
        let value = self.required(name)?;
        let ms = match &value {
            Value::Count(ms) => Some(Duration::from_millis(*ms)),
            Value::Real(ms) => Duration::try_from_secs_f64(ms / 1e3).ok(),
            Value::Text(text) => text.parse::<f64>().ok().and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()),
            Value::Flag(_) => None,
        };
        ms.ok_or_else(|| self.wrong(name, &value, "a number of milliseconds"))
    }

    fn flag(&mut self, name: &str) -> Result<bool, String> {
        let value = self.required(name)?;
        match &value {
            Value::Flag(flag) => Ok(*flag),
            Value::Text(text) => text.parse().map_err(|_| self.wrong(name, &value, "true or false")),
            _ => Err(self.wrong(name, &value, "true or false")),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        Ok(match self.required(name)? {
            Value::Text(text) => text,
            other => other.to_string(),
        })
    }

    /// The attempt's number, from 1.
    fn attempt(&mut self) -> Result<u32, String> {
        const RESENT: &str = "http.request.resend_count";
        let Some(value) = self.take(RESENT) else { return Ok(1) };
        let resent = value.count().and_then(|count| u32::try_from(count).ok()?.checked_add(1));
        resent.ok_or_else(|| self.wrong(RESENT, &value, "a whole number"))
    }

    fn safety(&mut self) -> Result<RetrySafety, String> {
        const SAFETY: &str = "retry.safety";
        let text = self.text(SAFETY)?;
        Ok(match text.as_str() {
            "idempotent" => RetrySafety::Idempotent,
            "keyed" => RetrySafety::Keyed,
            "unsent" => RetrySafety::Unsent,
            "unsafe" => RetrySafety::Unsafe,
            _ => return Err(self.wrong(SAFETY, &Value::Text(text), "idempotent, keyed, unsent or unsafe")),
        })
    }

    fn outcome(&mut self) -> Result<AttemptOutcome, String> {
        const STATUS: &str = "http.response.status_code";
        if let Some(value) = self.take(STATUS) {
            let status = value.count().and_then(|status| u16::try_from(status).ok());
            return status.map(AttemptOutcome::Status).ok_or_else(|| self.wrong(STATUS, &value, "a status"));
        }
        let error = self.text("error.type").map_err(|_| {
            format!("`{}` has neither `{STATUS}` nor `error.type`: one of them says how it ended", self.event)
        })?;
        Ok(match error.as_str() {
            "timeout" => AttemptOutcome::TimedOut,
            "connection_refused" => AttemptOutcome::Refused,
            _ => AttemptOutcome::Failed,
        })
    }

    fn has_no_error(&mut self) -> bool {
        self.take("error.type").is_none()
    }

    fn server(&mut self, trace: &Trace) -> Result<HostId, String> {
        let text = self.text("server.address")?;
        Ok(host_at(&text, trace).unwrap_or(HostId::UNKNOWN))
    }
}

/// The host with this name or address, with or without a port.
fn host_at(text: &str, trace: &Trace) -> Option<HostId> {
    let ip = text.parse::<IpAddr>().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    if let Some(ip) = ip {
        let is_its = |index: &usize| [net::address(*index), net::address_v6(*index)].contains(&ip);
        return (0..trace.hosts.len()).find(is_its).map(|index| HostId(index as u16));
    }
    trace.host(text).or_else(|| trace.host(text.rsplit_once(':')?.0))
}

impl Value {
    fn count(&self) -> Option<u64> {
        match self {
            Value::Count(count) => Some(*count),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Count(count) => count.fmt(f),
            Value::Real(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), Value::Real(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let value = u64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Count);
        self.fields.push((field.name(), value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Value::Count(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Flag(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), Value::Text(value.to_owned())));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Checks read no message but a note's.
        if field.name() != "message" || self.event == "note" {
            self.fields.push((field.name(), Value::Text(format!("{value:?}"))));
        }
    }
}
