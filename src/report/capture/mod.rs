//! A run as a capture of its network, for Wireshark: each transmission as the card of its sender sees it, lost ones
//! included, with what faults do to it as comments.

mod blocks;
mod streams;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::messages::{Lost, Message, Send, messages};
use crate::fault::duration_text;
use crate::history::TLS_SECRET;
use crate::run::Recording;
use crate::trace::{Event, FlowKey, INJECTED, Mark, Record};
use crate::world::EPOCH;
use blocks::{Blocks, CapturedPacket};
use streams::Streams;

/// A pcapng file of what was sent in a run. The recording must hold the bytes of segments.
///
/// Times are those of the hosts' clocks without their errors. A segment that a fault made is captured where it arrives; a
/// FIN of a fault has the same number as the host's own, so that the later one looks like a repetition. Faults, the lives of
/// processes and broken promises are comments on the next packet.
pub fn capture(recording: &Recording) -> Vec<u8> {
    let messages = messages(recording);
    let mut blocks = Blocks::default();
    let outcome = &recording.outcome;
    blocks.section(&format!("{}, seed {}: {}", outcome.scenario, outcome.seed, outcome.verdict));
    let addresses = || (0..recording.hosts.len()).map(crate::net::address);
    for (name, address) in recording.hosts.iter().zip(addresses()) {
        blocks.interface(name, &format!("{name}, {address}"));
    }
    blocks.names(addresses().zip(recording.hosts.iter().map(String::as_str)));
    blocks
        .names((0..recording.hosts.len()).map(crate::net::address_v6).zip(recording.hosts.iter().map(String::as_str)));
    let secrets = key_log(recording);
    if !secrets.is_empty() {
        blocks.secrets(&secrets);
    }
    let mut writer =
        Writer { recording, blocks, streams: Streams::default(), ends: ends(&messages), news: news(recording) };
    let moments = moments(&messages);
    let last = moments.iter().rposition(|moment| moment.is_captured(&messages));
    for (place, moment) in moments.iter().enumerate() {
        writer.write(&messages[moment.message], moment, last == Some(place));
    }
    writer.blocks.into_bytes()
}

/// The secrets of TLS that programs recorded, in lines.
fn key_log(recording: &Recording) -> String {
    let secret = |record: &Record| match &record.event {
        Event::Mark(Mark::Note { name, detail }) if name == TLS_SECRET => Some(format!("{detail}\n")),
        _ => None,
    };
    recording.records.iter().filter_map(secret).collect()
}

/// A transmission of a segment, or its arrival.
struct Moment {
    at: Duration,
    message: usize,
    send: usize,
    /// How many bytes arrive; `None` for the transmission.
    arrives: Option<u32>,
}

impl Moment {
    fn is_captured(&self, messages: &[Message<'_>]) -> bool {
        self.arrives.is_none() || messages[self.message].segment == INJECTED
    }
}

/// All transmissions and arrivals in order of time. What answers an arrival is sent after it.
fn moments(messages: &[Message<'_>]) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        for (number, send) in message.sends.iter().enumerate() {
            if message.segment != INJECTED {
                moments.push(Moment { at: send.at, message: place, send: number, arrives: None });
            }
            let arrival = |(at, length): &(Duration, u32)| Moment {
                at: *at,
                message: place,
                send: number,
                arrives: Some(*length),
            };
            moments.extend(send.arrivals.iter().map(arrival));
        }
    }
    moments.sort_by_key(|moment| (moment.at, moment.arrives.is_none()));
    moments
}

/// The addresses of the client and of the server of each connection.
fn ends(messages: &[Message<'_>]) -> BTreeMap<FlowKey, (SocketAddr, SocketAddr)> {
    let of = |message: &Message<'_>| {
        let (from, to) = message.addresses?;
        Some((message.flow, if message.forward { (from, to) } else { (to, from) }))
    };
    messages.iter().filter_map(of).collect()
}

/// What happens in the world, in lines for comments, the latest first.
fn news(recording: &Recording) -> Vec<(Duration, String)> {
    let mut news: Vec<(Duration, String)> = Vec::new();
    for record in &recording.records {
        let name = record.host.and_then(|host| recording.hosts.get(host.index())).map_or("?", String::as_str);
        let text = match &record.event {
            Event::FaultBegan { fault } => format!("begins: {}", fault_text(recording, *fault)),
            Event::FaultEnded { fault } => format!("ends: {}", fault_text(recording, *fault)),
            Event::FaultsOver => "the faults are over".to_owned(),
            Event::Started if record.at.is_zero() => continue,
            Event::Started => format!("{name} starts"),
            Event::Returned => format!("the program of {name} returns"),
            Event::Failed => format!("the program of {name} fails"),
            Event::Killed => format!("{name} is killed"),
            Event::PoweredOff => format!("{name} loses power"),
            Event::Stopping => format!("{name} is asked to stop"),
            Event::Paused => format!("{name} is paused"),
            Event::Resumed => format!("{name} goes on"),
            Event::OutputStalled => format!("the output of {name} stalls"),
            Event::OutputResumed => format!("the output of {name} flows again"),
            _ => continue,
        };
        news.push((record.at, format!("{} {text}", duration_text(record.at))));
    }
    for finding in &recording.outcome.findings {
        if let Some(at) = finding.verdict.breach().and_then(|breach| breach.moment()) {
            let why = finding.verdict.why().unwrap_or_default();
            news.push((at, format!("{} broken promise: {}: {why}", duration_text(at), finding.check)));
        }
    }
    news.sort_by_key(|(at, _)| Reverse(*at));
    news
}

fn fault_text(recording: &Recording, fault: u32) -> String {
    let text = recording.case.plan.faults.get(fault as usize).map(ToString::to_string).unwrap_or_default();
    format!("f{} {text}", fault + 1)
}

struct Writer<'a> {
    recording: &'a Recording,
    blocks: Blocks,
    streams: Streams,
    ends: BTreeMap<FlowKey, (SocketAddr, SocketAddr)>,
    /// What no packet has told yet, the latest first.
    news: Vec<(Duration, String)>,
}

impl Writer<'_> {
    /// Writes a transmission, or takes in an arrival. The last packet also tells all that happens after it.
    fn write(&mut self, message: &Message<'_>, moment: &Moment, is_last: bool) {
        let is_injected = message.segment == INJECTED;
        let packets = match moment.arrives {
            Some(_) if is_injected => {
                let unknown = SocketAddr::new(IpAddr::from([0, 0, 0, 0]), 0);
                let ends = self.ends.get(&message.flow).copied().unwrap_or((unknown, unknown));
                vec![self.streams.injected(message, ends)]
            }
            Some(length) => return self.streams.arrives(message, length),
            None => self.streams.sent(message),
        };
        let mut comments = Vec::new();
        while self.news.last().is_some_and(|(at, _)| *at <= moment.at || is_last) {
            comments.extend(self.news.pop().map(|(_, text)| text));
        }
        comments.extend(self.fate(message, &message.sends[moment.send]));
        let host = if is_injected { message.to() } else { message.from() };
        for bytes in &packets {
            self.blocks.packet(&CapturedPacket {
                interface: u32::from(host.0),
                at: EPOCH + moment.at,
                bytes,
                is_inbound: is_injected,
                comments: &comments,
            });
            comments.clear();
        }
    }

    /// What faults do to a transmission.
    fn fate(&self, message: &Message<'_>, send: &Send) -> Vec<String> {
        let text = |fault: u32| fault_text(self.recording, fault);
        let mut fates = Vec::new();
        match send.lost {
            Some(Lost::ByFault(fault)) => fates.push(format!("lost on the way by {}", text(fault))),
            Some(Lost::Unpowered) => fates.push("lost, as the other machine has no power".to_owned()),
            None if send.arrivals.is_empty() => fates.push("never arrives".to_owned()),
            None => {}
        }
        if message.segment == INJECTED {
            fates.push("made by a fault on the way: no host sent it".to_owned());
        }
        fates.extend(message.blocked_by.iter().map(|fault| format!("held back or stopped by {}", text(*fault))));
        let delayed = message.delayed_by.iter();
        fates.extend(delayed.map(|(fault, by)| format!("delayed by {} by {}", duration_text(*by), text(*fault))));
        let corrupted = message.corrupted_by.iter();
        let inverted = |(fault, bit): &(u32, u32)| {
            format!("bit {} of byte {} is inverted on the way by {}", bit % 8, bit / 8, text(*fault))
        };
        fates.extend(corrupted.map(inverted));
        fates
    }
}
