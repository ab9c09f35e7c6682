//! The fixture of the localhost tests: a shop, users that buy in it, and notes of what happens inside.
//!
//! Owns the generous deadlines and short intervals that keep tests in real time reliable and quick.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::shop::client::{CallError, ShopClient};
use crate::shop::client_config::ClientConfig;
use crate::shop::localhost::{Shop, ShopConfig};
use crate::shop::message::{Order, OrderReceipt};
use crate::shop::net::TokioConnector;
use crate::shop::observe::{Observe, RetrySafety};
use crate::shop::pool::{PoolConfig, Protocol};

/// A client on real sockets.
pub(crate) type Client = ShopClient<TokioConnector>;

/// Records the events that the tests wait for or count.
#[derive(Default)]
pub(crate) struct Notes {
    events: Mutex<Vec<String>>,
}

impl Notes {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|noted| *noted == event).count()
    }

    /// Forgets all events so far.
    pub(crate) fn clear(&self) {
        self.events.lock().unwrap().clear();
    }

    pub(crate) async fn wait_for(&self, event: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.count(event) == 0 {
            assert!(Instant::now() < deadline, "no event \"{event}\" within 20 seconds");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Observe for Notes {
    fn attempt_started(&self, _: u64, attempt: u32, _: Duration, safety: RetrySafety) {
        if attempt > 1 {
            assert_ne!(safety, RetrySafety::Unsafe);
            self.note("retry".to_owned());
        }
    }

    fn dispatched(&self, to: &str) {
        self.note(format!("dispatched to {to}"));
    }

    fn health_changed(&self, to: &str, healthy: bool) {
        self.note(format!("{to} {}", if healthy { "returned" } else { "ejected" }));
    }

    fn order_applied(&self, key: &str, _: u64) {
        self.note(format!("applied {key}"));
    }

    fn breaker_changed(&self, open: bool) {
        self.note(format!("breaker {}", if open { "opened" } else { "closed" }));
    }
}

/// A shop with quick health checks, in its own temporary directory.
pub(crate) struct Fixture {
    pub(crate) shop: Shop,
    pub(crate) notes: Arc<Notes>,
    protocol: Protocol,
    _directory: TempDir,
}

impl Fixture {
    pub(crate) async fn start() -> Fixture {
        Fixture::start_speaking(Protocol::Http1).await
    }

    pub(crate) async fn start_speaking(protocol: Protocol) -> Fixture {
        Fixture::start_with(protocol, |_| {}).await
    }

    pub(crate) async fn start_with(protocol: Protocol, change: impl FnOnce(&mut ShopConfig)) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let notes = Arc::new(Notes::default());
        let mut config = ShopConfig::new(directory.path().join("store.redb"));
        let observer = notes.clone();
        config.observer_of = Arc::new(move |_| observer.clone().into());
        config.gateway.health_interval = Duration::from_millis(100);
        config.gateway.health_timeout = Duration::from_millis(500);
        config.gateway.fall = 2;
        // Longer than the gateway needs to notice: 2 x (100 ms + 500 ms).
        config.api.serve.drain_delay = Duration::from_millis(1_500);
        config.api.breaker.failures = 3;
        config.api.breaker.backoff_min = Duration::from_millis(100);
        config.api.breaker.backoff_max = Duration::from_millis(200);
        let servers =
            [&mut config.gateway.serve, &mut config.api.serve, &mut config.store.serve, &mut config.pricing.serve];
        servers.into_iter().for_each(|serve| serve.protocol = protocol);
        (config.gateway.pool.protocol, config.api.pool.protocol) = (protocol, protocol);
        change(&mut config);
        Fixture { protocol, shop: Shop::start(config).await.unwrap(), notes, _directory: directory }
    }

    /// A client of the gateway or of one api server, with deadlines that suit a busy machine.
    pub(crate) fn client_of(&self, name: &str) -> Client {
        let config = ClientConfig {
            gateway: name.to_owned(),
            deadline: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(5),
            max_attempts: 6,
            retry_burst: 100.0,
            pool: PoolConfig { protocol: self.protocol, ..PoolConfig::default() },
            ..ClientConfig::default()
        };
        self.shop.client(config, self.notes.clone().into())
    }
}

/// Users that buy continuously until they are stopped.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    users: Vec<JoinHandle<Result<Vec<OrderReceipt>, CallError>>>,
}

impl Traffic {
    pub(crate) fn start(client: &Client, users: u32) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let users = (0..users).map(|user| tokio::spawn(buy_until(stop.clone(), client.clone(), user)));
        Traffic { users: users.collect(), stop }
    }

    /// Stops the users and returns their receipts.
    ///
    /// # Panics
    /// If any of their calls failed.
    pub(crate) async fn stop(self) -> Vec<OrderReceipt> {
        self.stop.store(true, Ordering::Relaxed);
        let mut receipts = Vec::new();
        for user in self.users {
            receipts.extend(user.await.unwrap().expect("every call must succeed"));
        }
        receipts
    }
}

async fn buy_until(stop: Arc<AtomicBool>, client: Client, user: u32) -> Result<Vec<OrderReceipt>, CallError> {
    let mut receipts = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        receipts.push(client.place_order(&order(&format!("sku-{user}"), 1)).await?);
        client.login("ann").await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(receipts)
}

/// An order for this many pieces of an article.
pub(crate) fn order(sku: &str, quantity: u32) -> Order {
    Order::new(sku, quantity)
}

/// Asserts that each receipt is in the shop's books exactly once, and that no call is in them twice.
pub(crate) fn assert_booked_once(receipts: &[OrderReceipt], books: &[OrderReceipt]) {
    let calls: BTreeSet<&str> = books.iter().map(|booked| booked.call.as_str()).collect();
    assert_eq!(calls.len(), books.len(), "a call placed two orders");
    for receipt in receipts {
        assert_eq!(books.iter().filter(|booked| *booked == receipt).count(), 1, "{receipt:?}");
    }
}
