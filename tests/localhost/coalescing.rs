//! Tests of coalescing: who shares a request, and what becomes of it when those who wait for it go away.
//!
//! They run with paused time and without sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use crate::shop::coalesce::Coalescing;

const LONG: Duration = Duration::from_millis(100);

/// Counts how many requests began and how many came to their end.
#[derive(Clone, Default)]
struct Upstream {
    flights: Arc<Coalescing<&'static str, u32>>,
    began: Arc<AtomicU32>,
    ended: Arc<AtomicU32>,
}

impl Upstream {
    /// Asks for this; the answer is the number of the request.
    async fn ask(&self, key: &'static str) -> u32 {
        let (began, ended) = (self.began.clone(), self.ended.clone());
        let begin = || {
            let work = async move {
                let number = began.fetch_add(1, Ordering::Relaxed) + 1;
                sleep(LONG).await;
                ended.fetch_add(1, Ordering::Relaxed);
                number
            };
            work.boxed()
        };
        self.flights.join(key, begin).await
    }

    fn counts(&self) -> (u32, u32) {
        (self.began.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn equal_requests_at_the_same_time_are_one() {
    let upstream = Upstream::default();
    let late = async {
        sleep(LONG / 2).await;
        upstream.ask("cup").await
    };
    let answers = tokio::join!(upstream.ask("cup"), upstream.ask("cup"), upstream.ask("pot"), late);
    assert_eq!(answers, (1, 1, 2, 1));
    assert_eq!(upstream.counts(), (2, 2));
    assert_eq!(upstream.ask("cup").await, 3, "an answer that is there already is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_leaves_takes_nobody_with_it() {
    let (upstream, began) = (Upstream::default(), Instant::now());
    let follower = async {
        sleep(LONG / 4).await;
        upstream.ask("cup").await
    };
    let (leader, follower) = tokio::join!(timeout(LONG / 2, upstream.ask("cup")), follower);
    assert!(leader.is_err());
    assert_eq!((follower, began.elapsed()), (1, LONG), "the follower gets the answer when the leader would have");
    assert_eq!(upstream.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_for_which_nobody_waits_is_cancelled_and_may_begin_again() {
    let upstream = Upstream::default();
    let (first, second) = tokio::join!(timeout(LONG / 2, upstream.ask("cup")), timeout(LONG / 4, upstream.ask("cup")));
    assert!(first.is_err() && second.is_err());
    sleep(2 * LONG).await;
    assert_eq!(upstream.counts(), (1, 0), "it did not go on");
    assert_eq!(upstream.ask("cup").await, 2);
}
