//! Trickling bytes, corrupted bits, short reads and short writes.

use super::*;

#[test]
fn a_trickle_lets_a_few_bytes_through_at_a_time_across_segments_and_the_rest_at_its_end() {
    let got = Seen::default();
    let fault = Fault::trickle(4, millis(100), "client", "server").one_way().at(secs(1)).lasting(millis(1_000));
    let client = |cx: HostContext, _: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        stream.write_all(b"0123456").await.unwrap();
        stream.write_all(b"78").await.unwrap();
        until(&cx, 1_600).await;
        stream.write_all(b"9abcdefghijkl").await.unwrap();
        stream.shutdown().await.unwrap();
        until(&cx, 5_000).await;
    };
    let (run, _) = world_with(20, vec![fault], sharing(&got, record_all), client, |s| s);
    // Bytes that are available at the same time are read together.
    expect(
        &got,
        &[
            ("0: 0123", 1_520),
            ("0: 4567", 1_620),
            ("0: 89ab", 1_720),
            ("0: cdef", 1_820),
            ("0: ghij", 1_920),
            ("0: kl", 2_000),
            ("0: end", 2_000),
        ],
    );
    assert_eq!(run.outcome.fault_effects, vec![3]);
}

/// The positions of the bits that differ.
fn differing(a: &[u8], b: &[u8]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len() * 8).filter(|bit| (a[bit / 8] ^ b[bit / 8]) >> (bit % 8) & 1 == 1).collect()
}

#[test]
fn corruption_changes_one_bit_behind_a_head_and_nothing_after_its_end() {
    const MESSAGES: [&[u8]; 4] = [
        b"any bytes",
        b"POST /a HTTP/1.1\r\nhost: b\r\n\r\nbody",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: b",
    ];
    let fault = Fault::corrupt(1.0, "client", "server").one_way().at(secs(1)).lasting(secs(2));
    let (run, seen) = world(20, vec![fault], |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for begins in [1_500, 3_500] {
            until(&cx, begins).await;
            for message in MESSAGES {
                stream.write_all(message).await.unwrap();
                let mut answer = vec![0; message.len()];
                stream.read_exact(&mut answer).await.unwrap();
                note(&seen, &cx, differing(message, &answer).len());
                if let Some(bit) = differing(message, &answer).first() {
                    assert!(message.len() < 20 || *bit >= (message.len() - 4) * 8, "{bit}");
                }
            }
        }
    });
    assert_eq!(labels(&seen), ["1", "1", "0", "0", "0", "0", "0", "0"]);
    assert_eq!(run.outcome.fault_effects, vec![2]);
}

#[test]
fn the_corruption_rate_is_per_segment_and_keyed() {
    let corrupted = |mut faults: Vec<Fault>| {
        faults.insert(0, Fault::corrupt(0.1, "client", "server").one_way().lasting(secs(150)));
        let (_, seen) = world(20, faults, |cx, seen| async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            for number in 0..1_000 {
                stream.write_all(b"ping").await.unwrap();
                let mut answer = [0; 4];
                stream.read_exact(&mut answer).await.unwrap();
                if let Some(bit) = differing(b"ping", &answer).first() {
                    note(&seen, &cx, format!("{number} {bit}"));
                }
            }
        });
        labels(&seen)
    };
    let alone = corrupted(vec![]);
    assert!((70..=130).contains(&alone.len()), "{} of 1,000 at 10 %", alone.len());
    // Other faults, even with another corruption rate, leave each corrupted bit where it was.
    let with_others = vec![
        Fault::trickle(1, millis(2), "client", "server").lasting(secs(9)),
        Fault::loss(0.05, "client", "server").at(secs(3)).lasting(secs(9)),
        Fault::corrupt(0.05, "client", "server").one_way().lasting(secs(150)),
    ];
    assert_eq!(corrupted(with_others), alone);
}

#[test]
fn short_reads_and_writes_end_with_their_faults() {
    let faults = vec![
        Fault::short_reads("client", 3).at(secs(1)).lasting(secs(2)),
        Fault::short_writes("client", 2).at(secs(1)).lasting(secs(2)),
        // The lower limit counts.
        Fault::short_writes("client", 5).at(secs(1)).lasting(secs(3)),
    ];
    let (run, seen) = world(20, faults, |cx, seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        for begins in [500, 1_500, 3_500, 4_500] {
            until(&cx, begins).await;
            let slices = [io::IoSlice::new(b"a"), io::IoSlice::new(b"bcd"), io::IoSlice::new(b"efgh")];
            let written = stream.write_vectored(&slices).await.unwrap();
            stream.write_all(&b"abcdefgh"[written..]).await.unwrap();
            tokio::time::sleep(millis(100)).await;
            let mut buffer = [0; 100];
            let (mut answer, mut reads) = (Vec::new(), Vec::new());
            while answer.len() < 8 {
                let length = stream.read(&mut buffer).await.unwrap();
                reads.push(length);
                answer.extend_from_slice(&buffer[..length]);
            }
            assert_eq!(answer, b"abcdefgh");
            note(&seen, &cx, format!("{written} {reads:?}"));
        }
        note(&seen, &cx, "done");
    });
    assert_eq!(labels(&seen), ["8 [8]", "2 [3, 3, 2]", "5 [8]", "8 [8]", "done"]);
    // The first two faults shortened two reads and three writes, and the third fault shortened one write.
    assert_eq!(run.outcome.fault_effects, vec![2, 3, 1]);
}
