//! Graceful shutdown: a server that is asked to stop accepts until balancers have noticed, answers what it has begun, and
//! stops in time, whatever its clients do.

use squall::check;
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::shop::simulated::{Setup, shop_without_retries};
use crate::shop::situations;

/// Rolling restarts, while somebody has begun a request to each server and says nothing more.
pub fn scenario() -> Scenario {
    with(Setup::default())
}

/// The same with another setup.
pub fn with(setup: Setup) -> Scenario {
    // The promised times, not those of a server that makes a mistake.
    let promised = Setup::default().api.serve;
    let (delay, limit) = (promised.drain_delay, promised.drain_limit.unwrap_or_default());
    shop_without_retries("graceful_shutdown", setup)
        .host("silent", stay_silent)
        .fault(
            fault::rolling_stop("api", secs(20))
                .begins(secs(1)..secs(4))
                .down(millis(200)..secs(2))
                .pause(secs(2)..secs(4)),
        )
        .fault(
            fault::latency(millis(20)..millis(200), "gateway", one("api"))
                .every(secs(4)..secs(12))
                .lasting(secs(1)..secs(4)),
        )
        .check(check::servers_stop_within(delay + limit + millis(100)))
        .check(check::stopping_servers_accept_for(delay))
        .check(check::no_operation_fails())
        .sometimes(
            "a request was sent to a server that was stopping",
            situations::a_request_was_sent_to_a_stopping_server,
        )
        .run_for(secs(60))
}

/// Connects to every server, again whenever it is left, begins a request, and waits.
async fn stay_silent(cx: HostContext) {
    let wait = |server: &'static str| {
        let connector = cx.connector();
        async move {
            loop {
                if let Ok(mut stream) = connector.connect(server, 80).await
                    && stream.write_all(b"GET /orders HTTP/1.1\r\nhost: ").await.is_ok()
                {
                    let _ = stream.read(&mut [0]).await;
                }
                tokio::time::sleep(millis(500)).await;
            }
        }
    };
    tokio::join!(wait("api-1"), wait("api-2"), wait("api-3"));
}
