//! The first line of an HTTP/1 message, for the trace and for faults that leave message heads intact.

/// The first line of an HTTP/1 request or response, without the protocol version; `None` for other bytes.
pub(super) fn headline(bytes: &[u8]) -> Option<&str> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line.get(..line.len().min(200))?).ok()?;
    if let Some(status) = line.strip_prefix("HTTP/1.") {
        return status.get(2..);
    }
    let (request, _) = line.split_once(" HTTP/1.")?;
    let (method, _) = request.split_once(' ')?;
    method.bytes().all(|byte| byte.is_ascii_uppercase()).then_some(request)
}
