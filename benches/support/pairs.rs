//! Pairs of hosts that talk, the same for each simulator: a client that asks its echo server, and then waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

/// The pairs of hosts, and for how long they talk.
pub const PAIRS: usize = 5;
pub const LENGTH: Duration = Duration::from_secs(60);

/// How long a client waits between two questions.
pub const PAUSE: Duration = Duration::from_millis(100);

/// The latencies of the network, each way.
pub const LATENCIES: [Duration; 3] = [Duration::from_millis(10), Duration::from_millis(1), Duration::from_micros(200)];

/// The echoes that clients have received.
static ECHOES: AtomicU64 = AtomicU64::new(0);

/// Asks again and again until the connection fails.
pub async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    loop {
        stream.write_all(b"ping").await?;
        stream.flush().await?;
        stream.read_exact(&mut [0; 4]).await?;
        ECHOES.fetch_add(1, Ordering::Relaxed);
        sleep(PAUSE).await;
    }
}

/// The echoes of one run. Panics unless they are as many as a network with this latency lets through, within 3 %.
pub fn echoes(latency: Duration, run: impl FnOnce()) -> u64 {
    let before = ECHOES.load(Ordering::Relaxed);
    run();
    let echoes = ECHOES.load(Ordering::Relaxed) - before;
    let expected = PAIRS as f64 * LENGTH.as_secs_f64() / (PAUSE + 2 * latency).as_secs_f64();
    let ratio = echoes as f64 / expected;
    assert!((0.97..1.03).contains(&ratio), "{echoes} echoes instead of {expected:.0}: this is not the same work");
    echoes
}
