//! HTTP/1.0 and HTTP/1.1 (RFC 9112): heads with `httparse`, and bodies by length, in chunks, or up to the end of the
//! connection.

use std::collections::VecDeque;

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};

use super::data::HttpVersion;
use super::draft::{Draft, MessageDraft, Point, Sender, Sides};
use super::kept::KeptHeaders;

/// The longest head that is read, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The longest line of a chunk's size or of a trailer.
const LONGEST_LINE: usize = 8 * 1024;

/// The most headers of a message.
const MOST_HEADERS: usize = 128;

/// Why a connection is no longer read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It does not speak HTTP, or not any more.
    NotHttp,
    /// It speaks another protocol from here on, as both sides agreed.
    Upgraded,
}

/// What comes next from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    /// The body, of which this many bytes are left.
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// The body, up to the end of the connection.
    UntilEnd,
    /// Bytes of another protocol, if the server agrees.
    Unknown,
}

/// One side of a connection.
#[derive(Debug)]
struct Reader {
    next: Next,
    /// The beginning of a head or line that is not whole.
    partial: Vec<u8>,
    /// Where the head began whose beginning is in `partial`.
    began: Option<Point>,
    /// The exchange whose message is being read.
    current: Option<usize>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { next: Next::Head, partial: Vec::new(), began: None, current: None }
    }
}

/// A connection that speaks HTTP/1.
#[derive(Debug, Default)]
pub(super) struct Http1 {
    readers: Sides<Reader>,
    /// The exchanges whose response has not begun, in order.
    waiting: VecDeque<usize>,
}

/// What the head of a message says about what follows.
struct Framing {
    length: Option<u64>,
    is_chunked: bool,
    has_upgrade: bool,
}

impl Framing {
    fn of(headers: &[Header<'_>]) -> Option<Framing> {
        let mut framing = Framing { length: None, is_chunked: false, has_upgrade: false };
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(header.value).ok()?.trim().parse().ok()?;
                if framing.length.is_some_and(|other| other != length) {
                    return None;
                }
                framing.length = Some(length);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                let last = header.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                framing.is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            } else if header.name.eq_ignore_ascii_case("upgrade") {
                framing.has_upgrade = true;
            }
        }
        Some(framing)
    }

    /// What follows a head if there may be a body, but a body without length is empty.
    fn next(&self) -> Next {
        match (self.is_chunked, self.length) {
            (true, _) => Next::ChunkSize,
            (false, Some(length @ 1..)) => Next::Length(length),
            (false, _) => Next::Head,
        }
    }
}

impl Http1 {
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
        while !bytes.is_empty() {
            let here = Point { at: start.at, offset: end - bytes.len() as u64 };
            let reader = self.readers.of(from);
            let taken = match reader.next {
                Next::Head => self.read_head(from, bytes, here, drafts, kept)?,
                Next::Length(left) | Next::Chunk(left) => {
                    let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let is_chunk = matches!(reader.next, Next::Chunk(_));
                    let left = left - taken as u64;
                    reader.next = match (is_chunk, left) {
                        (true, 0) => Next::ChunkEnd,
                        (true, left) => Next::Chunk(left),
                        (false, left) => Next::Length(left),
                    };
                    let is_over = reader.next == Next::Length(0);
                    if let Some(message) = message(drafts, reader.current, from) {
                        message.body(&bytes[..taken]);
                    }
                    if is_over {
                        self.finish(from, here.offset + taken as u64, here, drafts);
                    }
                    taken
                }
                Next::ChunkSize | Next::ChunkEnd | Next::Trailers => self.read_line(from, bytes, here, drafts)?,
                Next::UntilEnd => {
                    if let Some(message) = message(drafts, reader.current, from) {
                        message.body(bytes);
                    }
                    bytes.len()
                }
                Next::Unknown => return Ok(()),
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// One side sends nothing more.
    pub(super) fn end(&mut self, from: Sender, end: Point, drafts: &mut [Draft]) {
        if self.readers.of(from).next == Next::UntilEnd {
            self.finish(from, end.offset, end, drafts);
        }
    }

    /// Reads a head, or the part of it that is there. Returns how many of the bytes belong to it.
    fn read_head(
        &mut self,
        from: Sender,
        bytes: &[u8],
        here: Point,
        drafts: &mut Vec<Draft>,
        kept: &KeptHeaders,
    ) -> Result<usize, Stop> {
        let reader = self.readers.of(from);
        let began = *reader.began.get_or_insert(here);
        let mut partial = std::mem::take(&mut reader.partial);
        let known = partial.len();
        let room = LONGEST_HEAD.saturating_sub(known).min(bytes.len());
        // Most heads are whole at once, and are read where they are.
        let head = match known {
            0 => bytes,
            _ => {
                partial.extend_from_slice(&bytes[..room]);
                &partial
            }
        };
        // A head ends with a line, so only then is it worth a look.
        let is_worth_a_look = bytes.contains(&b'\n');
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let length = match from {
            _ if !is_worth_a_look => None,
            Sender::Client => self.read_request(head, began, &mut headers, drafts, kept)?,
            Sender::Server => self.read_response(head, began, &mut headers, drafts, kept)?,
        };
        if let Some(length) = length {
            self.readers.of(from).began = None;
            if self.readers.of(from).next == Next::Head {
                self.finish(from, began.offset + length as u64, here, drafts);
            }
            return Ok(length.saturating_sub(known).min(bytes.len()));
        }
        if head.len() >= LONGEST_HEAD {
            return Err(Stop::NotHttp);
        }
        self.readers.of(from).partial = if known == 0 { head.to_vec() } else { partial };
        Ok(bytes.len())
    }

    fn read_request<'b>(
        &mut self,
        head: &'b [u8],
        began: Point,
        headers: &mut [Header<'b>],
        drafts: &mut Vec<Draft>,
        kept: &KeptHeaders,
    ) -> Result<Option<usize>, Stop> {
        let mut request = Request::new(headers);
        let Status::Complete(length) = request.parse(head).map_err(|_| Stop::NotHttp)? else { return Ok(None) };
        let (Some(method), Some(path)) = (request.method, request.path) else { return Err(Stop::NotHttp) };
        let framing = Framing::of(request.headers).ok_or(Stop::NotHttp)?;
        let mut message = MessageDraft::new(began);
        keep(&mut message, request.headers, kept);
        let number = drafts.len();
        drafts.push(Draft {
            version: if request.version == Some(0) { HttpVersion::Http10 } else { HttpVersion::Http11 },
            stream: number as u32,
            method: method.to_owned(),
            path: path_of(path).to_owned(),
            status: None,
            grpc_status: None,
            is_grpc: false,
            request: message,
            response: None,
            reset: None,
        });
        self.waiting.push_back(number);
        self.readers.client.current = Some(number);
        self.readers.client.next = framing.next();
        if method == "CONNECT" {
            self.readers.client.next = Next::Unknown;
            drafts[number].request.finish(Point { offset: began.offset + length as u64, ..began });
        }
        Ok(Some(length))
    }

    fn read_response<'b>(
        &mut self,
        head: &'b [u8],
        began: Point,
        headers: &mut [Header<'b>],
        drafts: &mut [Draft],
        kept: &KeptHeaders,
    ) -> Result<Option<usize>, Stop> {
        let mut response = Response::new(headers);
        let Status::Complete(length) = response.parse(head).map_err(|_| Stop::NotHttp)? else { return Ok(None) };
        let status = response.code.ok_or(Stop::NotHttp)?;
        let framing = Framing::of(response.headers).ok_or(Stop::NotHttp)?;
        if (100..200).contains(&status) && status != 101 {
            // An interim response, such as 100 Continue: the final one is still to come.
            self.readers.server.current = None;
            return Ok(Some(length));
        }
        // A server may answer without a request, for example with 408 on an idle connection.
        let number = self.waiting.pop_front();
        self.readers.server.current = number;
        let draft = number.and_then(|number| drafts.get_mut(number));
        let mut message = MessageDraft::new(began);
        keep(&mut message, response.headers, kept);
        let method = draft.as_ref().map_or("", |draft| draft.method.as_str());
        let is_tunnel = status == 101 && framing.has_upgrade || method == "CONNECT" && (200..300).contains(&status);
        let has_no_body = method == "HEAD" || matches!(status, 101 | 204 | 304);
        self.readers.server.next = match framing.next() {
            _ if has_no_body => Next::Head,
            Next::Head if framing.length.is_none() => Next::UntilEnd,
            next => next,
        };
        if let Some(draft) = draft {
            draft.status = Some(status);
            draft.response = Some(message);
            if is_tunnel && let Some(response) = &mut draft.response {
                response.finish(Point { offset: began.offset + length as u64, ..began });
            }
        }
        if is_tunnel { Err(Stop::Upgraded) } else { Ok(Some(length)) }
    }

    /// Reads a line: the size of a chunk, the end of one, or a trailer.
    fn read_line(&mut self, from: Sender, bytes: &[u8], here: Point, drafts: &mut [Draft]) -> Result<usize, Stop> {
        let reader = self.readers.of(from);
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            if reader.partial.len() + bytes.len() > LONGEST_LINE {
                return Err(Stop::NotHttp);
            }
            reader.partial.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        let mut line = std::mem::take(&mut reader.partial);
        line.extend_from_slice(&bytes[..end]);
        let line = line.trim_ascii_end();
        match reader.next {
            Next::ChunkSize => {
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
                reader.next = match size.ok_or(Stop::NotHttp)? {
                    0 => Next::Trailers,
                    size => Next::Chunk(size),
                };
            }
            Next::ChunkEnd if line.is_empty() => reader.next = Next::ChunkSize,
            Next::ChunkEnd => return Err(Stop::NotHttp),
            // An empty line ends the trailers, and the message.
            _ if line.is_empty() => self.finish(from, here.offset + end as u64 + 1, here, drafts),
            _ => {}
        }
        Ok(end + 1)
    }

    /// The message that one side sends is whole.
    fn finish(&mut self, from: Sender, offset: u64, here: Point, drafts: &mut [Draft]) {
        let reader = self.readers.of(from);
        reader.next = Next::Head;
        if let Some(message) = message(drafts, reader.current.take(), from) {
            message.finish(Point { offset, ..here });
        }
    }
}

/// The path and query of a request's target, which a proxy is given with scheme and authority.
fn path_of(target: &str) -> &str {
    let Some(rest) = target.strip_prefix("http://") else { return target };
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn message(drafts: &mut [Draft], number: Option<usize>, from: Sender) -> Option<&mut MessageDraft> {
    drafts.get_mut(number?)?.message(from)
}

fn keep(message: &mut MessageDraft, headers: &[Header<'_>], kept: &KeptHeaders) {
    let headers = headers.iter().filter_map(|header| kept.keep(header.name.as_bytes(), header.value));
    message.message.headers.extend(headers);
}
