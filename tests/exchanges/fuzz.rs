//! Nothing that passes over the wire makes the reader panic or hang: arbitrary bytes, and real traffic that is cut and
//! corrupted anywhere. `SQUALL_FUZZ=N cargo test --release --test exchanges fuzz` reads N inputs.

use squall::prelude::*;
use squall::trace::exchange::observe_bytes;

/// Traffic of both versions, as pieces of the client (`true`) and the server.
fn samples() -> Vec<Vec<(bool, Vec<u8>)>> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let text = |texts: &[(bool, &str)]| texts.iter().map(|(from, text)| (*from, text.as_bytes().to_vec())).collect();
    // `:method: GET`, `:scheme: http`, `:path: /`, `:authority: www.example.com`, as in appendix C of RFC 7541.
    let huffman = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    let plain = b"\x82\x86\x84\xbe\x58\x08no-cache";
    vec![
        text(&[
            (true, "POST /a?b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nidempotency-key: k\r\n\r\nhello"),
            (false, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            (false, "0\r\nx-trailer: 1\r\n\r\n"),
            (true, "GET /ws HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
            (false, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\u{1}\u{2}"),
        ]),
        text(&[
            (true, "PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
            (false, "HTTP/1.0 200 OK\r\n\r\nto the end"),
        ]),
        vec![
            (true, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[0, 1, 0, 0, 1, 0])].concat()),
            (true, [frame(1, 4, 1, huffman), frame(0, 9, 1, b"\x02body\x00\x00")].concat()),
            (true, [frame(1, 0x25, 3, &[b"\x00\x00\x00\x00\x01".as_slice(), plain].concat())].concat()),
            (false, [frame(4, 0, 0, &[]), frame(1, 4, 1, b"\x88"), frame(0, 0, 1, b"answer")].concat()),
            (false, [frame(1, 5, 1, b"\x00\x0bgrpc-status\x010"), frame(3, 0, 3, &[0, 0, 0, 7])].concat()),
            (false, frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])),
        ],
    ]
}

#[test]
fn no_input_makes_the_reader_panic() {
    let inputs = std::env::var("SQUALL_FUZZ").ok().and_then(|inputs| inputs.parse().ok()).unwrap_or(20_000_u64);
    let samples = samples();
    let (mut exchanges, mut read) = (0, 0);
    for number in 0..inputs {
        let draw = |what: &str, index: u64, below: u64| Seed(number).decide(what, &[index]) % below.max(1);
        let mut pieces = samples[draw("sample", 0, samples.len() as u64) as usize].clone();
        match draw("how", 0, 4) {
            // Bytes that mean nothing, behind a beginning that does.
            0 => {
                for (index, (_, bytes)) in pieces.iter_mut().enumerate() {
                    let keep = draw("keep", index as u64, bytes.len() as u64 + 1) as usize;
                    bytes.truncate(keep);
                    let more = draw("more", index as u64, 60);
                    bytes.extend((0..more).map(|at| draw("byte", (index as u64) << 32 | at, 256) as u8));
                }
            }
            // Bits that flipped.
            1 => {
                for flip in 0..=draw("flips", 0, 8) {
                    let piece = draw("piece", flip, pieces.len() as u64) as usize;
                    let length = pieces[piece].1.len() as u64;
                    if length > 0 {
                        let at = draw("at", flip, length) as usize;
                        pieces[piece].1[at] ^= 1 << draw("bit", flip, 8);
                    }
                }
            }
            // Pieces that are missing, repeated or in another order.
            2 => {
                let from = draw("from", 0, pieces.len() as u64) as usize;
                let to = draw("to", 0, pieces.len() as u64) as usize;
                let piece = pieces[from].clone();
                pieces[to] = piece;
            }
            _ => {}
        }
        // All of it in pieces of any size.
        let size = 1 + draw("size", 0, 64) as usize;
        let cut = pieces.iter().flat_map(|(from, bytes)| bytes.chunks(size).map(move |chunk| (*from, chunk)));
        exchanges += observe_bytes(cut).len();
        read += 1;
    }
    assert!(read == inputs && exchanges as u64 > inputs / 2, "{exchanges} exchanges in {read} inputs");
    println!("{read} inputs, {exchanges} exchanges");
}
