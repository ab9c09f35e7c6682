//! HTTP/2 with prior knowledge (RFC 9113): frames are read here, and blocks of headers with `httlib-hpack`. gRPC is
//! recognised by its content type, and its status is read from the trailers.

use std::collections::BTreeMap;
use std::time::Duration;

use httlib_hpack::Decoder;

use super::data::{Ending, HttpVersion};
use super::draft::{Draft, MessageDraft, Point, Sender, Sides};
use super::http1::Stop;
use super::kept::KeptHeaders;

/// What a client sends first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest frame that is read, apart from frames of data, and the longest block of headers, in bytes.
const LONGEST_BLOCK: usize = 256 * 1024;

/// The most bytes that the headers of one block may have once they are decompressed.
const LONGEST_HEADERS: usize = 1024 * 1024;

/// The largest table for compressed headers that a side may ask for, in bytes.
const LARGEST_TABLE: u32 = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const HEADER_TABLE_SIZE: u16 = 1;
const REFUSED_STREAM: u32 = 7;

/// A frame whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    /// The bytes of its payload that are still to come.
    left: usize,
    /// Frames of data: whether the length of the padding has been read, and how many bytes of padding end the frame.
    is_padding_known: bool,
    padding: usize,
}

/// A block of headers whose end has not come.
#[derive(Debug)]
struct Block {
    stream: u32,
    ends_stream: bool,
    /// Whether the server promises a stream with it, which is not followed.
    is_promise: bool,
    began: Point,
    bytes: Vec<u8>,
}

/// One side of a connection.
#[derive(Debug)]
struct Reader {
    /// The bytes of the preface that are still to come.
    preface_left: usize,
    /// The header of the frame that comes next, as far as it has come.
    header: Vec<u8>,
    /// Where the frame began.
    began: Point,
    frame: Option<Frame>,
    payload: Vec<u8>,
    block: Option<Block>,
    decoder: Decoder<'static>,
}

impl Reader {
    fn new(preface_left: usize) -> Reader {
        let began = Point { at: Duration::ZERO, offset: 0 };
        let (header, payload, decoder) = (Vec::with_capacity(9), Vec::new(), Decoder::default());
        Reader { preface_left, header, began, frame: None, payload, block: None, decoder }
    }
}

/// A connection that speaks HTTP/2.
#[derive(Debug)]
pub(super) struct Http2 {
    readers: Sides<Reader>,
    streams: BTreeMap<u32, usize>,
    /// Each `GOAWAY` of the server: the point behind it, and the last stream that it will process.
    pub(super) goaways: Vec<(Point, u32)>,
}

impl Http2 {
    pub(super) fn new() -> Http2 {
        Http2 {
            readers: Sides { client: Reader::new(PREFACE.len()), server: Reader::new(0) },
            streams: BTreeMap::new(),
            goaways: Vec::new(),
        }
    }

    /// Reads bytes that one side sent; `start` is where they begin.
    pub(super) fn read(
        &mut self,
        from: Sender,
        mut bytes: &[u8],
        start: Point,
        drafts: &mut Vec<Draft>,
        kept: &KeptHeaders,
    ) -> Result<(), Stop> {
        let end = start.offset + bytes.len() as u64;
        loop {
            let reader = self.readers.of(from);
            if reader.preface_left > 0 {
                let taken = reader.preface_left.min(bytes.len());
                reader.preface_left -= taken;
                bytes = &bytes[taken..];
            }
            let Some(frame) = reader.frame else {
                if bytes.is_empty() {
                    return Ok(());
                }
                if reader.header.is_empty() {
                    reader.began = Point { at: start.at, offset: end - bytes.len() as u64 };
                }
                let taken = (9 - reader.header.len()).min(bytes.len());
                reader.header.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if reader.header.len() == 9 {
                    reader.frame = Some(frame_of(&reader.header)?);
                    reader.header.clear();
                    continue;
                }
                return Ok(());
            };
            let taken = frame.left.min(bytes.len());
            let (payload, rest) = bytes.split_at(taken);
            let reader = self.readers.of(from);
            if let Some(frame) = &mut reader.frame {
                frame.left -= taken;
            }
            if frame.kind == DATA {
                self.data(from, payload, drafts);
            } else {
                reader.payload.extend_from_slice(payload);
            }
            bytes = rest;
            if frame.left > taken {
                return Ok(());
            }
            let frame = self.readers.of(from).frame.take();
            let end_of_frame = Point { at: start.at, offset: end - bytes.len() as u64 };
            if let Some(frame) = frame {
                self.end_of_frame(from, frame, end_of_frame, drafts, kept)?;
            }
        }
    }

    fn draft<'d>(&self, stream: u32, drafts: &'d mut [Draft]) -> Option<&'d mut Draft> {
        drafts.get_mut(*self.streams.get(&stream)?)
    }

    /// Takes in a part of a frame of data.
    fn data(&mut self, from: Sender, mut payload: &[u8], drafts: &mut [Draft]) {
        let Some(frame) = &mut self.readers.of(from).frame else { return };
        if frame.flags & PADDED != 0
            && !frame.is_padding_known
            && let Some((padding, rest)) = payload.split_first()
        {
            (frame.is_padding_known, frame.padding) = (true, usize::from(*padding));
            payload = rest;
        }
        // The last bytes of the frame are padding.
        let real = (payload.len() + frame.left).saturating_sub(frame.padding).min(payload.len());
        let stream = frame.stream;
        if let Some(message) = self.draft(stream, drafts).and_then(|draft| draft.message(from)) {
            message.body(&payload[..real]);
        }
    }

    fn end_of_frame(
        &mut self,
        from: Sender,
        frame: Frame,
        end: Point,
        drafts: &mut Vec<Draft>,
        kept: &KeptHeaders,
    ) -> Result<(), Stop> {
        let payload = std::mem::take(&mut self.readers.of(from).payload);
        if self.readers.of(from).block.is_some() != (frame.kind == CONTINUATION) {
            return Err(Stop::NotHttp);
        }
        match frame.kind {
            DATA if frame.flags & END_STREAM != 0 => self.end_of_stream(from, frame.stream, end, drafts),
            HEADERS | PUSH_PROMISE => {
                let is_promise = frame.kind == PUSH_PROMISE;
                let fields = fields_of(frame, &payload)?;
                let began = self.readers.of(from).began;
                let ends_stream = !is_promise && frame.flags & END_STREAM != 0;
                let block = Block { stream: frame.stream, ends_stream, is_promise, began, bytes: fields.to_vec() };
                self.readers.of(from).block = Some(block);
                self.block_if_whole(from, frame, end, drafts, kept)?;
            }
            CONTINUATION => {
                let reader = self.readers.of(from);
                let Some(block) = reader.block.as_mut().filter(|block| block.stream == frame.stream) else {
                    return Err(Stop::NotHttp);
                };
                if block.bytes.len() + payload.len() > LONGEST_BLOCK {
                    return Err(Stop::NotHttp);
                }
                block.bytes.extend_from_slice(&payload);
                self.block_if_whole(from, frame, end, drafts, kept)?;
            }
            RST_STREAM => {
                let code = number(&payload, 0).ok_or(Stop::NotHttp)?;
                if let Some(draft) = self.draft(frame.stream, drafts) {
                    let ending = match from {
                        Sender::Client => Ending::Abandoned,
                        Sender::Server if code == REFUSED_STREAM => Ending::Refused,
                        Sender::Server => Ending::Reset,
                    };
                    draft.reset.get_or_insert((end.at, ending));
                }
            }
            SETTINGS if frame.flags & ACK == 0 => {
                // What one side allows holds for the blocks of the other.
                let other = if from == Sender::Client { Sender::Server } else { Sender::Client };
                for setting in payload.chunks_exact(6) {
                    if setting[..2] == HEADER_TABLE_SIZE.to_be_bytes() {
                        let size = number(setting, 2).unwrap_or_default().min(LARGEST_TABLE);
                        self.readers.of(other).decoder.set_max_dynamic_size(size);
                    }
                }
            }
            GOAWAY if from == Sender::Server => {
                let last = number(&payload, 0).ok_or(Stop::NotHttp)? & 0x7fff_ffff;
                self.goaways.push((end, last));
                for (_, draft) in self.streams.range(last.saturating_add(1)..) {
                    if let Some(draft) = drafts.get_mut(*draft) {
                        draft.reset.get_or_insert((end.at, Ending::Refused));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn block_if_whole(
        &mut self,
        from: Sender,
        frame: Frame,
        end: Point,
        drafts: &mut Vec<Draft>,
        kept: &KeptHeaders,
    ) -> Result<(), Stop> {
        if frame.flags & END_HEADERS == 0 {
            return Ok(());
        }
        let reader = self.readers.of(from);
        let Some(block) = reader.block.take() else { return Ok(()) };
        // Every block changes the decoder's table, so none may be left out.
        let fields = decode(&mut reader.decoder, &block.bytes)?;
        if block.is_promise {
            return Ok(());
        }
        match from {
            Sender::Client => self.request_fields(&block, &fields, drafts, kept),
            Sender::Server => self.response_fields(&block, &fields, drafts, kept),
        }
        if block.ends_stream {
            self.end_of_stream(from, block.stream, end, drafts);
        }
        Ok(())
    }

    fn request_fields(&mut self, block: &Block, fields: &Fields, drafts: &mut Vec<Draft>, kept: &KeptHeaders) {
        if let Some(draft) = self.draft(block.stream, drafts) {
            // Trailers.
            keep(&mut draft.request, fields, kept);
            return;
        }
        let text = |name: &[u8]| {
            let field = fields.iter().find(|(known, _)| known == name);
            field.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
        };
        let mut request = MessageDraft::new(block.began);
        keep(&mut request, fields, kept);
        self.streams.insert(block.stream, drafts.len());
        drafts.push(Draft {
            version: HttpVersion::Http2,
            stream: block.stream,
            method: text(b":method"),
            path: text(b":path"),
            status: None,
            grpc_status: None,
            is_grpc: text(b"content-type").starts_with("application/grpc"),
            request,
            response: None,
            reset: None,
        });
    }

    fn response_fields(&self, block: &Block, fields: &Fields, drafts: &mut [Draft], kept: &KeptHeaders) {
        let Some(draft) = self.draft(block.stream, drafts) else { return };
        let value = |name: &[u8]| {
            let field = fields.iter().find(|(known, _)| known == name);
            field.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<u32>().ok())
        };
        if let Some(status) = value(b":status") {
            if (100..200).contains(&status) {
                return;
            }
            draft.status = u16::try_from(status).ok();
        }
        draft.grpc_status = value(b"grpc-status").or(draft.grpc_status);
        keep(draft.response.get_or_insert_with(|| MessageDraft::new(block.began)), fields, kept);
    }

    fn end_of_stream(&self, from: Sender, stream: u32, end: Point, drafts: &mut [Draft]) {
        if let Some(message) = self.draft(stream, drafts).and_then(|draft| draft.message(from)) {
            message.finish(end);
        }
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn keep(message: &mut MessageDraft, fields: &Fields, kept: &KeptHeaders) {
    message.message.headers.extend(fields.iter().filter_map(|(name, value)| kept.keep(name, value)));
}

fn frame_of(header: &[u8]) -> Result<Frame, Stop> {
    let left = (usize::from(header[0]) << 16) | (usize::from(header[1]) << 8) | usize::from(header[2]);
    let stream = number(header, 5).unwrap_or_default() & 0x7fff_ffff;
    let frame = Frame { kind: header[3], flags: header[4], stream, left, is_padding_known: false, padding: 0 };
    if frame.kind != DATA && left > LONGEST_BLOCK { Err(Stop::NotHttp) } else { Ok(frame) }
}

/// The part of a frame of headers that is compressed.
fn fields_of(frame: Frame, mut payload: &[u8]) -> Result<&[u8], Stop> {
    let mut padding = 0;
    if frame.flags & PADDED != 0 {
        let (length, rest) = payload.split_first().ok_or(Stop::NotHttp)?;
        (padding, payload) = (usize::from(*length), rest);
    }
    let before = match frame.kind {
        PUSH_PROMISE => 4,
        _ if frame.flags & PRIORITY != 0 => 5,
        _ => 0,
    };
    let end = payload.len().checked_sub(padding).ok_or(Stop::NotHttp)?;
    payload.get(before..end).ok_or(Stop::NotHttp)
}

/// Decompresses a block of headers (RFC 7541).
fn decode(decoder: &mut Decoder<'_>, mut block: &[u8]) -> Result<Fields, Stop> {
    let (mut fields, mut length) = (Fields::new(), 0);
    let mut next = Vec::with_capacity(1);
    while !block.is_empty() {
        // One field at a time, so that a small block cannot become large without notice, and only whole ones, as the
        // decoder reads past the end of others.
        let (field, rest) = block.split_at_checked(field_length(block).ok_or(Stop::NotHttp)?).ok_or(Stop::NotHttp)?;
        block = rest;
        let mut field = field.to_vec();
        decoder.decode_exact(&mut field, &mut next).map_err(|_| Stop::NotHttp)?;
        length += next.iter().map(|(name, value, _)| name.len() + value.len() + 32).sum::<usize>();
        if length > LONGEST_HEADERS || !field.is_empty() {
            return Err(Stop::NotHttp);
        }
        fields.extend(next.drain(..).map(|(name, value, _)| (name, value)));
    }
    Ok(fields)
}

/// The length of the field at the beginning of a block; `None` if it is cut off within a number.
fn field_length(block: &[u8]) -> Option<usize> {
    let first = *block.first()?;
    let string = |at: usize| {
        let (length, bytes) = integer(block.get(at..)?, 7)?;
        Some(at + bytes + length)
    };
    let prefix = match first {
        0x80.. => return integer(block, 7).map(|(_, bytes)| bytes),
        0x40.. => 6,
        0x20.. => return integer(block, 5).map(|(_, bytes)| bytes),
        _ => 4,
    };
    let (index, bytes) = integer(block, prefix)?;
    string(if index == 0 { string(bytes)? } else { bytes })
}

/// The number at the beginning of these bytes, of which the first holds so many bits, and its length in bytes.
fn integer(bytes: &[u8], bits: u32) -> Option<(usize, usize)> {
    let most = (1 << bits) - 1;
    let first = usize::from(*bytes.first()?) & most;
    if first < most {
        return Some((first, 1));
    }
    let (mut value, mut shift) = (first, 0);
    for (place, byte) in bytes.iter().enumerate().skip(1).take(4) {
        value += usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}

/// The four bytes at this place, as a number.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
