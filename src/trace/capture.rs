//! Where a rich trace keeps everything: memory that is reserved before the run, so that keeping more moves nothing else.

use std::fmt;
use std::time::Duration;

use super::{Event, HostId, Record};

/// How much a rich trace may hold; what comes later is left out. Lean traces reserve as much and never touch it, so that
/// code which hashes addresses finds everything at the same place in both.
const CAPTURED_BYTES: usize = 64 << 20;

/// Everything that happened, with texts, encoded into memory that was reserved beforehand.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    pub(super) is_rich: bool,
    bytes: Vec<u8>,
}

impl Captured {
    pub(super) fn new(is_rich: bool) -> Captured {
        Captured { is_rich, bytes: Vec::with_capacity(CAPTURED_BYTES) }
    }

    /// Appends the event and its text, each behind its length, without any allocation. Returns the text.
    pub(super) fn push(
        &mut self,
        record: &(Duration, Option<HostId>, &Event),
        text: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) -> &str {
        let start = self.bytes.len();
        let is_event_whole = self.frame(|bounded| serde_json::to_writer(bounded, record).is_ok());
        let event_end = self.bytes.len();
        if !is_event_whole || !self.frame(|bounded| text(bounded).is_ok()) {
            self.bytes.truncate(start);
        }
        // Behind its length, which takes 4 bytes.
        self.bytes.get(event_end + 4..).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        self.bytes = Vec::new();
    }

    fn frame(&mut self, write: impl FnOnce(&mut Bounded<'_>) -> bool) -> bool {
        let start = self.bytes.len();
        if !Bounded(&mut self.bytes).append(&[0; 4]) || !write(&mut Bounded(&mut self.bytes)) {
            return false;
        }
        let length = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        true
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let (Some(event), Some(text)) = (next_frame(&mut rest), next_frame(&mut rest)) {
            let Ok((at, host, event)) = serde_json::from_slice(event) else { break };
            let text = (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned());
            records.push(Record { at, host, event, text });
        }
        records
    }
}

fn next_frame<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (frame, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(frame)
}

/// Writes into what was reserved and never beyond.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Bounded<'_> {
    fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.0.len() + bytes.len() <= CAPTURED_BYTES;
        if fits {
            self.0.extend_from_slice(bytes);
        }
        fits
    }
}

impl std::io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.append(bytes) { Ok(bytes.len()) } else { Err(std::io::ErrorKind::StorageFull.into()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.append(text.as_bytes()) { Ok(()) } else { Err(fmt::Error) }
    }
}
