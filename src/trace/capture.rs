//! The memory in which a rich trace keeps everything. It is reserved before the run, so that keeping more does not move
//! other allocations, and it outlives the process of a run that dies.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::event::Event;
use super::host_id::HostId;
use super::packet::{PacketEvent, PacketRecord};
use super::record::Record;
use crate::sandbox::Ledger;

/// The kinds of frame: an event, the text of the event before it, a note, a packet, or the bytes of the packet before it.
const EVENT: u8 = 1;
const TEXT: u8 = 2;
const NOTE: u8 = 3;
const PACKET: u8 = 4;
const BYTES: u8 = 5;

/// Each frame starts with its kind (one byte) and its length (four bytes, little endian).
const HEADER_BYTES: usize = 5;

/// All events with their texts, encoded into memory that was reserved before the run. Lean traces reserve as much and
/// never touch it, so that code that hashes addresses sees the same addresses in both.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    pub(super) is_rich: bool,
    /// Whether the bytes of segments are kept as well.
    pub(super) keeps_bytes: bool,
    /// Whether something did not fit. Nothing is kept after that, so that the kept part has no gaps.
    is_full: bool,
    ledger: Ledger,
}

impl Captured {
    pub(super) fn new(is_rich: bool) -> Captured {
        Captured { is_rich, keeps_bytes: false, is_full: false, ledger: Ledger::open() }
    }

    /// Appends the event and its text without allocating, or leaves both out if they do not fit. Returns the text.
    pub(super) fn push(
        &mut self,
        record: &(Duration, Option<HostId>, &Event),
        text: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) -> &str {
        let start = self.ledger.bytes().len();
        let is_event_complete = self.frame(EVENT, |out| serde_json::to_writer(out, record).is_ok());
        let event_end = self.ledger.bytes().len();
        if !is_event_complete || !self.frame(TEXT, |out| text(out).is_ok()) {
            self.ledger.truncate(start);
        }
        // The text follows the header of its frame.
        let text = self.ledger.bytes().get(event_end + HEADER_BYTES..);
        text.and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Appends data that belongs to the run but not to the trace.
    pub(super) fn note(&mut self, note: &impl Serialize) {
        let start = self.ledger.bytes().len();
        if !self.frame(NOTE, |out| serde_json::to_writer(out, note).is_ok()) {
            self.ledger.truncate(start);
        }
    }

    /// Appends what happened to a segment, with its bytes if they are kept.
    pub(super) fn packet(&mut self, packet: &PacketRecord, bytes: &[u8]) {
        let start = self.ledger.bytes().len();
        let is_whole = self.frame(PACKET, |out| serde_json::to_writer(out, packet).is_ok());
        let bytes = if self.keeps_bytes { bytes } else { &[] };
        if !is_whole || !bytes.is_empty() && !self.frame(BYTES, |out| out.0.append(bytes)) {
            self.ledger.truncate(start);
        }
    }

    /// Frees the memory.
    pub(super) fn release(&mut self) {
        self.ledger = Ledger::Own(Vec::new());
    }

    fn frame(&mut self, kind: u8, write: impl FnOnce(&mut Writer<'_>) -> bool) -> bool {
        let start = self.ledger.bytes().len();
        // A process that dies while it writes leaves a frame without a kind, at which reading stops.
        if self.is_full || !self.ledger.append(&[0; HEADER_BYTES]) || !write(&mut Writer(&mut self.ledger)) {
            self.is_full = true;
            return false;
        }
        let length = (self.ledger.bytes().len() - start - HEADER_BYTES) as u32;
        let [a, b, c, d] = length.to_le_bytes();
        self.ledger.overwrite(start, &[kind, a, b, c, d]);
        true
    }

    pub(super) fn read(&self) -> Kept<'_> {
        read(self.ledger.bytes())
    }
}

/// What a ledger holds.
#[derive(Debug, Default)]
pub(crate) struct Kept<'a> {
    pub(crate) records: Vec<Record>,
    /// The notes, as JSON.
    pub(crate) notes: Vec<&'a [u8]>,
    pub(crate) packets: Vec<PacketRecord>,
}

/// Decodes a ledger up to the first incomplete frame.
pub(crate) fn read(mut rest: &[u8]) -> Kept<'_> {
    let Kept { mut records, mut notes, mut packets } = Kept::default();
    while let Some((kind, frame)) = next_frame(&mut rest) {
        match kind {
            EVENT => {
                let Ok((at, host, event)) = serde_json::from_slice(frame) else { break };
                records.push(Record { at, host, event, text: None });
            }
            TEXT => {
                if let Some(record) = records.last_mut()
                    && !frame.is_empty()
                {
                    record.text = Some(String::from_utf8_lossy(frame).into_owned());
                }
            }
            NOTE => notes.push(frame),
            PACKET => {
                let Ok(packet) = serde_json::from_slice(frame) else { break };
                packets.push(packet);
            }
            BYTES => {
                if let Some(PacketRecord { what: PacketEvent::Sent { bytes, .. }, .. }) = packets.last_mut() {
                    *bytes = frame.to_vec();
                }
            }
            _ => break,
        }
    }
    Kept { records, notes, packets }
}

fn next_frame<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let ([kind, length @ ..], after) = rest.split_first_chunk::<HEADER_BYTES>()?;
    let (frame, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some((*kind, frame))
}

/// Writes into the reserved memory and never past its end.
struct Writer<'a>(&'a mut Ledger);

impl std::io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.append(bytes) { Ok(bytes.len()) } else { Err(std::io::ErrorKind::StorageFull.into()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.append(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_part_has_no_gaps_and_reading_stops_where_writing_stopped() {
        let mut captured = Captured::new(true);
        let event = |number: u64, text: &str, captured: &mut Captured| {
            captured.push(&(Duration::from_secs(number), None, &Event::FaultsOver), |out| out.write_str(text));
        };
        event(1, "small", &mut captured);
        captured.note(&"a note");
        let large = "x".repeat(20 << 20);
        (2..6).for_each(|number| event(number, &large, &mut captured));
        // This event would fit, but it comes after one that did not.
        event(6, "small", &mut captured);
        captured.note(&"another");
        let Kept { records, notes, .. } = read(captured.ledger.bytes());
        let times: Vec<u64> = records.iter().map(|record| record.at.as_secs()).collect();
        assert_eq!((times, notes), (vec![1, 2, 3, 4], vec![&b"\"a note\""[..]]));
        assert_eq!(records[0].text.as_deref(), Some("small"));
        // The process died while it wrote the last frame.
        let bytes = captured.ledger.bytes();
        assert_eq!(read(&bytes[..bytes.len() - 1]).records.len(), 4);
        assert_eq!(read(&bytes[..bytes.len() - 1]).records[3].text, None);
        assert_eq!(read(&[bytes, &[0; HEADER_BYTES + 3]].concat()).records.len(), 4);
    }
}
