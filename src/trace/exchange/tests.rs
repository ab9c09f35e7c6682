//! Connections whose bytes are given, in one piece and in all others.

use super::*;

/// An exchange in one line.
fn line(exchange: &Exchange) -> String {
    let body = |message: &HttpMessage| {
        let whole = if message.last_sent.is_some() { "" } else { "+" };
        format!("{}{whole}", message.body_length)
    };
    let response = exchange.response.as_ref().map_or("nothing".to_owned(), body);
    let status = exchange.status.map_or("-".to_owned(), |status| status.to_string());
    let Exchange { method, path, ending, .. } = exchange;
    format!("{method} {path} {} {status} {response} {ending:?}", body(&exchange.request))
}

/// Reads pieces (`>` from the client, `<` from the server), whole and cut at each byte; the result must be the same.
fn check(pieces: &[(char, &[u8])], expected: &[&str]) -> Vec<Exchange> {
    let pieces: Vec<(bool, &[u8])> = pieces.iter().map(|(from, bytes)| (*from == '>', *bytes)).collect();
    let whole = observe_bytes(pieces.iter().copied());
    assert_eq!(whole.iter().map(line).collect::<Vec<_>>(), expected);
    let digests = |exchanges: &[Exchange]| -> Vec<(u64, Option<u64>)> {
        let digests = |exchange: &Exchange| {
            (exchange.request.body_digest, exchange.response.as_ref().map(|response| response.body_digest))
        };
        exchanges.iter().map(digests).collect()
    };
    for length in 1..=40 {
        let cut = pieces.iter().flat_map(|(from, bytes)| bytes.chunks(length).map(move |chunk| (*from, chunk)));
        let cut = observe_bytes(cut);
        assert_eq!(cut.iter().map(line).collect::<Vec<_>>(), expected, "in pieces of {length} bytes");
        assert_eq!(digests(&cut), digests(&whole), "in pieces of {length} bytes");
    }
    whole
}

#[test]
fn bodies_end_by_length_in_chunks_or_with_the_connection() {
    let exchanges = check(
        &[
            ('>', b"POST /orders?x=1 HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k1\r\nContent-Length: 5\r\n\r\nhello"),
            ('<', b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nAuthorization: secret\r\n\r\nok"),
            ('>', b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nx: y\r\n\r\n"),
            ('<', b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"),
            ('>', b"GET http://proxied/b HTTP/1.0\r\n\r\n"),
            ('<', b"HTTP/1.0 200 OK\r\n\r\nup to the end"),
        ],
        &[
            "POST /orders?x=1 5 201 2 Complete",
            "PUT /a 5 200 10 Complete",
            // The test does not end the connection.
            "GET /b 0 200 13+ Open",
        ],
    );
    let first = &exchanges[0];
    assert_eq!((first.header("idempotency-key"), first.path_only(), first.stream), (Some("k1"), "/orders", 0));
    let secret = first.response.as_ref().and_then(|response| response.header("authorization"));
    assert!(secret.is_some_and(|digest| digest.len() == 16 && digest != "secret"), "{secret:?}");
    assert_eq!(exchanges[2].version, HttpVersion::Http10);
    assert_eq!(first.to_string(), "POST /orders?x=1 201");
}

#[test]
fn responses_belong_to_requests_in_order_and_some_have_no_body() {
    check(
        &[
            ('>', b"GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\n\r\nGET /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\n"),
            ('<', b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n"),
            ('<', b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
        ],
        &["GET /1 0 204 0 Complete", "HEAD /2 0 200 0 Complete", "GET /3 0 304 0 Complete", "GET /4 0 - nothing Open"],
    );
}

#[test]
fn interim_responses_upgrades_and_tunnels() {
    check(
        &[
            ('>', b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
            ('<', b"HTTP/1.1 100 Continue\r\n\r\n"),
            ('>', b"abc"),
            ('<', b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            ('>', b"GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
            ('<', b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
            ('>', b"\x81\x05hello GET /not HTTP/1.1\r\n\r\n"),
            ('<', b"\x81\x05hello"),
        ],
        &["PUT /a 3 200 0 Complete", "GET /ws 0 101 0 Complete"],
    );
    check(
        &[
            ('>', b"CONNECT a:443 HTTP/1.1\r\n\r\n"),
            ('<', b"HTTP/1.1 200 OK\r\n\r\n"),
            ('>', b"GET /not HTTP/1.1\r\n\r\n"),
        ],
        &["CONNECT a:443 0 200 0 Complete"],
    );
}

#[test]
fn what_is_not_http_or_stops_being_it_is_left_alone() {
    check(&[('>', b"\x16\x03\x01\x02\x00\x01"), ('<', b"\x16\x03\x03")], &[]);
    check(&[('>', b"\x00\x01GET / HTTP/1.1\r\n\r\n")], &[]);
    check(&[('<', b"220 mail.example.org"), ('>', b"GET / HTTP/1.1\r\n\r\n")], &[]);
    check(&[('>', b"SELECT 1;\r\n")], &[]);
    check(
        &[
            ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
            ('<', b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            ('>', b"GET /2 HTTP/1.1\r\n\r\n"),
        ],
        &["GET /1 0 - nothing Open"],
    );
    check(
        &[('>', b"PUT /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), ('>', b"GET /2 HTTP/1.1\r\n\r\n")],
        &["PUT /1 0+ - nothing Open"],
    );
    let endless = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &vec![b'y'; 100_000]].concat();
    check(&[('>', &endless)], &[]);
    // An answer that nobody asked for.
    check(
        &[
            ('>', b"GET /1 HTTP/1.1\r\n\r\n"),
            ('<', b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 408 Request Timeout\r\ncontent-length: 2\r\n\r\nno"),
            ('>', b"GET /2 HTTP/1.1\r\n\r\n"),
            ('<', b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ],
        &["GET /1 0 200 0 Complete", "GET /2 0 200 0 Complete"],
    );
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    [&[0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A block of headers without compression.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

#[test]
fn frames_of_http2_with_padding_continuations_and_trailers() {
    let settings = frame(4, 0, 0, &[0, 1, 0, 0, 16, 0]);
    let request = fields(&[(":method", "POST"), (":path", "/s/m"), ("content-type", "application/grpc+proto")]);
    let (first, second) = request.split_at(10);
    let client = [
        http2::PREFACE.to_vec(),
        settings.clone(),
        // Padding of two bytes, and a priority.
        frame(1, 0x28, 1, &[&[2, 0, 0, 0, 0, 9], first, &[0, 0]].concat()),
        frame(9, 0x4, 1, second),
        frame(6, 0, 0, &[0; 8]),
        frame(0, 0x8, 1, b"\x03hello\x00\x00\x00"),
        frame(0, 0x9, 1, b"\x01!\x00"),
    ];
    let ok = fields(&[(":status", "200")]);
    let server = [
        settings,
        frame(1, 0x4, 1, &fields(&[(":status", "103")])),
        frame(1, 0x4, 1, &ok),
        frame(0, 0, 1, b"answer"),
        frame(1, 0x5, 1, &fields(&[("grpc-status", "14"), ("grpc-message", "no")])),
    ];
    let exchanges = check(&[('>', &client.concat()), ('<', &server.concat())], &["POST /s/m 6 200 6 Complete"]);
    assert_eq!((exchanges[0].grpc_status, exchanges[0].is_grpc), (Some(14), true));
    assert!(!exchanges[0].is_answered());
    assert_eq!(exchanges[0].to_string(), "POST /s/m grpc-status 14");
}

#[test]
fn streams_are_reset_refused_and_left_behind_by_a_goaway() {
    let get = |stream: u8, path: &str| frame(1, 0x5, stream, &fields(&[(":method", "GET"), (":path", path)]));
    let client = [
        http2::PREFACE.to_vec(),
        get(1, "/1"),
        get(3, "/3"),
        get(5, "/5"),
        get(7, "/7"),
        frame(3, 0, 1, &[0, 0, 0, 8]),
    ];
    let server =
        [frame(3, 0, 3, &[0, 0, 0, 7]), frame(3, 0, 5, &[0, 0, 0, 2]), frame(7, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 0])];
    check(
        &[('>', &client.concat()), ('<', &server.concat())],
        &[
            "GET /1 0 - nothing Abandoned",
            "GET /3 0 - nothing Refused",
            "GET /5 0 - nothing Reset",
            "GET /7 0 - nothing Refused",
        ],
    );
}

#[test]
fn a_small_block_of_headers_cannot_become_large() {
    // One field of 3,000 bytes in the table, and 5,000 references to it.
    let mut block = vec![0x40, 1, b'x', 0x7f, 0xb9, 0x16];
    block.extend(vec![b'y'; 3_000]);
    block.extend(vec![0xbe; 5_000]);
    let bomb = [http2::PREFACE.to_vec(), frame(1, 0x5, 1, &block)].concat();
    check(&[('>', &bomb)], &[]);
}

fn exchange(at_ms: u64, ended_ms: u64, path: &str, status: Option<u16>, key: Option<(&str, &str)>) -> Exchange {
    let request = format!("GET {path} HTTP/1.1\r\n\r\n");
    let mut exchange = observe_bytes([(true, request.as_bytes())]).remove(0);
    let millis = std::time::Duration::from_millis;
    exchange.request.first_sent = millis(at_ms);
    exchange.ended_at = Some(millis(ended_ms));
    exchange.ending = if status.is_some() { Ending::Complete } else { Ending::Abandoned };
    exchange.status = status;
    exchange.request.headers.extend(key.map(|(name, value)| (name.to_owned(), value.to_owned())));
    exchange
}

#[test]
fn attempts_belong_to_a_call_by_key_by_trace_or_because_they_are_alike() {
    let window = std::time::Duration::from_secs(1);
    let attempts = |exchanges: &[Exchange]| -> Vec<(CallIdentity, Vec<usize>)> {
        calls(exchanges, window).into_iter().map(|call| (call.by, call.attempts)).collect()
    };
    use CallIdentity::{IdempotencyKey, Likeness, Trace};
    let key = |key| Some(("idempotency-key", key));
    let trace = |trace| Some(("traceparent", trace));
    let exchanges = [
        exchange(0, 10, "/a", Some(503), key("k")),
        exchange(1, 11, "/a", Some(503), trace("00-1111-22-01")),
        exchange(2, 12, "/a", Some(200), key("other")),
        exchange(5_000, 5_010, "/a", Some(200), key("k")),
        exchange(5_001, 5_011, "/a", Some(200), trace("00-1111-33-01")),
        exchange(5_002, 5_012, "/b", Some(200), trace("00-1111-44-01")),
    ];
    let expected = [(IdempotencyKey, vec![0, 3]), (Trace, vec![1, 4]), (IdempotencyKey, vec![2]), (Trace, vec![5])];
    assert_eq!(attempts(&exchanges), expected);
    let exchanges = [
        exchange(0, 10, "/a", Some(503), None),
        exchange(20, 40, "/a", None, None),
        // It began before the one before it had failed, so it is another call.
        exchange(30, 60, "/a", Some(200), None),
        exchange(50, 60, "/a", Some(200), None),
        exchange(70, 80, "/a", Some(500), None),
        exchange(2_000, 2_010, "/a", Some(200), None),
        exchange(2_020, 2_030, "/b", Some(200), None),
    ];
    let expected = [vec![0, 1, 3], vec![2], vec![4], vec![5], vec![6]].map(|attempts| (Likeness, attempts));
    assert_eq!(attempts(&exchanges), expected);
}

#[test]
fn a_log_that_is_full_says_so_and_keeps_its_beginning() {
    use crate::trace::{FlowKey, HostId, SegmentKind};
    let observed = |megabytes: usize| {
        let mut log = WireLog::new(true);
        let connection = FlowKey { from: HostId(0), to: HostId(1), port: 80, ordinal: 0 };
        let mut send = |bytes: &[u8]| log.sent(std::time::Duration::ZERO, connection, true, SegmentKind::Data, bytes);
        send(b"PUT / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n");
        (0..megabytes).for_each(|_| send(&[7; 1 << 20]));
        observe(&log, &[], &KeptHeaders::default())
    };
    let (some, all) = (observed(2), observed(70));
    assert_eq!((some.is_incomplete, some.exchanges[0].request.body_length), (false, 2 << 20));
    assert_eq!((all.is_incomplete, all.exchanges[0].request.body_length), (true, 63 << 20));
}
