//! What an echo server does with a connection.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Sends back what it reads, until there is no more or the connection fails.
pub async fn send_back(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 4_096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() || stream.flush().await.is_err() {
            break;
        }
    }
}
