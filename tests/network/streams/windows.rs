//! Small windows: backpressure exact to the byte, and the whole window back afterwards.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Writes until the stream takes no more; returns how many bytes it took.
async fn fill(stream: &mut TcpStream) -> usize {
    let mut taken = 0;
    loop {
        match futures::poll!(std::pin::pin!(stream.write(&[7; 1 << 20]))) {
            std::task::Poll::Ready(length) => taken += length.unwrap(),
            std::task::Poll::Pending => return taken,
        }
    }
}

#[test]
fn a_small_window_stops_the_writer_until_the_reader_reads() {
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        until(&cx, 2_000).await;
        // Room is announced from half of the window on.
        stream.read_exact(&mut [0; 499]).await?;
        until(&cx, 2_100).await;
        stream.read_exact(&mut [0; 1]).await?;
        until(&cx, 9_000).await;
        let mut rest = vec![0; 1 << 20];
        read_on(&mut stream, &mut rest).await
    };
    let fault = Fault::small_window("server", 1_000).at(secs(1)).lasting(secs(2));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        until(&cx, 1_500).await;
        assert_eq!(fill(&mut stream).await, 1_000);
        let taken = stream.write(&[7; 10_000]).await.unwrap();
        note(&seen, &cx, taken);
        let taken = stream.write(&[7; 10_000]).await.unwrap();
        note(&seen, &cx, taken);
        let rest = fill(&mut stream).await;
        note(&seen, &cx, 1_500 + taken + rest);
    };
    let (run, seen) = world_with(20, vec![fault], server, client, |s| s);
    // The 500 bytes that were read are announced; the rest of the whole window is available when the fault ends.
    expect(&seen, &[("500", 2_120), ("10000", 3_000), ("262644", 3_000)]);
    assert!(run.outcome.fault_effects[0] >= 2);
}

/// Runs a connection to a host whose window changes at these times, as lists of beginning, length and size; the writes
/// and reads meanwhile are drawn, too. When the whole window is back, it is filled twice, and the reader reads
/// everything in between. Returns how many bytes each filling took.
fn fill_after(windows: &[(u64, u64, u64)], chunks: &[(u64, usize)], reads: &[(u64, usize)]) -> [usize; 2] {
    let faults = windows.iter().map(|(begins, lasting, bytes)| {
        Fault::small_window("server", *bytes).at(millis(*begins)).lasting(millis(*lasting))
    });
    let reads = reads.to_vec();
    let server = move |cx: HostContext| {
        let reads = reads.clone();
        async move {
            let (mut stream, _) = cx.listener(80).accept().await?;
            let mut buffer = vec![0; 1 << 20];
            for (begins, length) in reads {
                until(&cx, begins).await;
                let _ = futures::poll!(std::pin::pin!(stream.read(&mut buffer[..length])));
            }
            // Drains everything, waits until the window has been filled, and reads all of it at once.
            until(&cx, 12_000).await;
            while timeout(millis(500), stream.read(&mut buffer)).await.is_ok() {}
            until(&cx, 20_000).await;
            let all = stream.read(&mut buffer).await?;
            stream.write_all(&(all as u32).to_le_bytes()).await?;
            std::future::pending().await
        }
    };
    let chunks = chunks.to_vec();
    let client = move |cx: HostContext, seen: Seen| {
        let chunks = chunks.clone();
        async move {
            let mut stream = cx.connector().connect("server", 80).await.unwrap();
            for (begins, length) in chunks {
                until(&cx, begins).await;
                let _ = timeout(millis(100), stream.write_all(&vec![1; length])).await;
            }
            until(&cx, 18_000).await;
            let first = fill(&mut stream).await;
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer) as usize, first);
            tokio::time::sleep(millis(100)).await;
            let second = fill(&mut stream).await;
            seen.lock().unwrap().push((format!("{first} {second}"), cx.elapsed()));
        }
    };
    let short = |scenario: Scenario| scenario.run_for(secs(25)).settle_for(secs(1));
    let (_, seen) = world_with(20, faults.collect(), server, client, short);
    let seen = listed(&seen);
    let (first, second) = seen[0].0.split_once(' ').unwrap();
    [first.parse().unwrap(), second.parse().unwrap()]
}

const WINDOW: usize = 256 * 1024;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_whole_window_is_available_again_after_small_windows(
        windows in vec((0_u64..9_000, 1_u64..4_000, prop_oneof![1_u64..5_000, 1_u64..600_000]), 0..4),
        mut chunks in vec((100_u64..9_000, 1_usize..400_000), 0..8),
        mut reads in vec((100_u64..9_000, 1_usize..400_000), 0..8),
    ) {
        chunks.sort();
        reads.sort();
        let [first, second] = fill_after(&windows, &chunks, &reads);
        // Less than half of the window may have been read without an announcement to the sender.
        prop_assert!((WINDOW / 2 + 1..=WINDOW).contains(&first), "{}", first);
        prop_assert_eq!(second, WINDOW);
    }
}

#[test]
fn a_window_that_becomes_small_announces_the_room_that_was_read_before() {
    let server = |cx: HostContext| async move {
        let (mut stream, _) = cx.listener(80).accept().await?;
        // Less than half of the whole window, so no room is announced.
        stream.read_exact(&mut [0; 100_000]).await?;
        std::future::pending().await
    };
    let fault = Fault::small_window("server", 1_000).at(secs(1)).lasting(secs(2));
    let client = |cx: HostContext, seen: Seen| async move {
        let mut stream = cx.connector().connect("server", 80).await.unwrap();
        stream.write_all(&[7; 100_000]).await.unwrap();
        until(&cx, 1_010).await;
        assert_eq!(fill(&mut stream).await, 0, "the whole small window seems to be full");
        let taken = stream.write(&[7; 10_000]).await.unwrap();
        note(&seen, &cx, taken);
        until(&cx, 3_010).await;
        assert_eq!(fill(&mut stream).await, WINDOW - 1_000);
    };
    let (_, seen) = world_with(20, vec![fault], server, client, |s| s);
    expect(&seen, &[("1000", 1_020)]);
}

async fn read_on(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    while stream.read(buffer).await? > 0 {}
    std::future::pending().await
}
