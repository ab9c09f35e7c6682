//! The shop on the real sockets and the real disk of this machine: what the simulation claims about it must be true
//! here first. Knows nothing of Squall.

#[path = "../sims/shop/mod.rs"]
mod shop;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use shop::client::{CallError, Effect, ShopClient};
use shop::client_config::ClientConfig;
use shop::localhost::{Shop, ShopConfig};
use shop::message::{Order, OrderReceipt};
use shop::net::{Connect, TokioConnector};
use shop::observe::{Observe, RetrySafety};
use shop::pool::{PoolConfig, Protocol};
use shop::pricing::cents_of;

type Client = ShopClient<TokioConnector>;

/// Notes the events that the tests wait for or count.
#[derive(Default)]
struct Notes {
    events: Mutex<Vec<String>>,
}

impl Notes {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn count(&self, event: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|noted| *noted == event).count()
    }

    /// Forgets what was noted so far.
    fn clear(&self) {
        self.events.lock().unwrap().clear();
    }

    async fn wait_for(&self, event: &str) {
        let patience = Instant::now() + Duration::from_secs(20);
        while self.count(event) == 0 {
            assert!(Instant::now() < patience, "waited in vain for: {event}");
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

/// A shop with quick health checks, in a directory of its own.
struct Fixture {
    shop: Shop,
    notes: Arc<Notes>,
    protocol: Protocol,
    _directory: TempDir,
}

impl Fixture {
    async fn start() -> Fixture {
        Fixture::start_speaking(Protocol::Http1).await
    }

    async fn start_speaking(protocol: Protocol) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let notes = Arc::new(Notes::default());
        let mut config = ShopConfig::new(directory.path().join("store.redb"));
        config.observer = notes.clone();
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
        Fixture { protocol, shop: Shop::start(config).await.unwrap(), notes, _directory: directory }
    }

    /// A client of the gateway or of one api server, patient enough for a busy machine.
    fn client_of(&self, name: &str) -> Client {
        let config = ClientConfig {
            gateway: name.to_owned(),
            deadline: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(5),
            max_attempts: 6,
            retry_burst: 100.0,
            pool: PoolConfig { protocol: self.protocol, ..PoolConfig::default() },
            ..ClientConfig::default()
        };
        self.shop.client(config, self.notes.clone())
    }
}

/// Users who buy without pause until they are told to stop.
struct Traffic {
    stop: Arc<AtomicBool>,
    users: Vec<JoinHandle<Result<Vec<OrderReceipt>, CallError>>>,
}

impl Traffic {
    fn start(client: &Client, users: u32) -> Traffic {
        let stop = Arc::new(AtomicBool::new(false));
        let users = (0..users).map(|user| tokio::spawn(buy_until(stop.clone(), client.clone(), user)));
        Traffic { users: users.collect(), stop }
    }

    /// Stops the users and returns their receipts. Every one of their calls must have succeeded.
    async fn stop(self) -> Vec<OrderReceipt> {
        self.stop.store(true, Ordering::Relaxed);
        let mut receipts = Vec::new();
        for user in self.users {
            receipts.extend(user.await.unwrap().expect("every call succeeds"));
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

fn order(sku: &str, quantity: u32) -> Order {
    Order { sku: sku.to_owned(), quantity }
}

/// Each receipt is in the shop's books exactly once, and no call is in them twice.
fn assert_booked_once(receipts: &[OrderReceipt], books: &[OrderReceipt]) {
    let calls: BTreeSet<&str> = books.iter().map(|booked| booked.call.as_str()).collect();
    assert_eq!(calls.len(), books.len(), "a call was done twice");
    for receipt in receipts {
        assert_eq!(books.iter().filter(|booked| *booked == receipt).count(), 1, "{receipt:?}");
    }
}

#[tokio::test]
async fn a_key_makes_one_order() {
    let fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");

    let receipt = client.place_order(&order("teapot", 2)).await.unwrap();
    assert_eq!((receipt.id, receipt.sku.as_str(), receipt.quantity), (1, "teapot", 2));
    assert_eq!(client.get_order(1).await.unwrap(), receipt);

    let first = client.place_order_with_key(&order("cup", 4), "one key").await.unwrap();
    let second = client.place_order_with_key(&order("cup", 4), "one key").await.unwrap();
    assert_eq!(first, second);
    let other = client.place_order_with_key(&order("cup", 5), "one key").await.unwrap_err();
    assert_eq!(other, CallError::Rejected { status: 422, effect: Effect::None });
    assert_eq!(fixture.notes.count("applied one key"), 1);

    assert_eq!(client.list_orders().await.unwrap(), [receipt, first]);
    let absent = client.get_order(99).await.unwrap_err();
    assert_eq!(absent, CallError::Rejected { status: 404, effect: Effect::None });
    let nonsense = client.place_order(&order("cup", 0)).await.unwrap_err();
    assert_eq!(nonsense, CallError::Rejected { status: 400, effect: Effect::None });
}

#[tokio::test]
async fn every_api_server_accepts_a_token_and_none_a_forged_one() {
    let fixture = Fixture::start().await;
    let token = fixture.client_of("gateway").login("ann").await.unwrap();
    let (claim, signature) = token.rsplit_once('.').unwrap();
    let forged = [
        format!("{}.{signature}", claim.replacen("616e6e", "626f62", 1)),
        format!("{claim}0.{signature}"),
        format!("{claim}.{}", "0".repeat(signature.len())),
        claim.to_owned(),
        String::new(),
    ];
    for api in ["api-1", "api-2", "api-3"] {
        let client = fixture.client_of(api);
        assert_eq!(client.whoami(&token).await.unwrap(), "ann");
        for token in &forged {
            let refusal = client.whoami(token).await.unwrap_err();
            assert_eq!(refusal, CallError::Rejected { status: 401, effect: Effect::None }, "{token}");
        }
    }
}

#[tokio::test]
async fn a_killed_api_server_fails_no_call_and_comes_back() {
    let mut fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");
    let (shop, notes) = (&mut fixture.shop, &fixture.notes);
    let traffic = Traffic::start(&client, 6);
    notes.wait_for("dispatched to api-2").await;

    shop.kill("api-2").await;
    notes.wait_for("api-2 ejected").await;
    // From the decision on, no ordinary request goes there.
    notes.clear();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(notes.count("dispatched to api-2"), 0);
    assert!(notes.count("dispatched to api-1") > 0);

    shop.start_program("api-2").await.unwrap();
    notes.wait_for("api-2 returned").await;
    notes.wait_for("dispatched to api-2").await;

    let receipts = traffic.stop().await;
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn a_stopped_api_server_fails_no_call() {
    let mut fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");
    let traffic = Traffic::start(&client, 6);
    fixture.notes.wait_for("dispatched to api-1").await;

    fixture.shop.stop("api-1").await.unwrap();
    assert!(fixture.notes.count("api-1 ejected") > 0, "the gateway looked away before the server was gone");
    fixture.shop.start_program("api-1").await.unwrap();
    fixture.notes.wait_for("api-1 returned").await;

    let receipts = traffic.stop().await;
    assert_eq!(fixture.notes.count("retry"), 0, "a drained server costs nobody even a retry");
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn without_pricing_a_remembered_price_is_marked() {
    let mut fixture = Fixture::start().await;
    // Each server remembers for itself, so one server is asked.
    let client = fixture.client_of("api-1");
    let fresh = client.price("teapot").await.unwrap();
    assert_eq!((fresh.cents, fresh.degraded), (cents_of("teapot"), false));

    fixture.shop.kill("pricing").await;
    for _ in 0..3 {
        let stale = client.price("teapot").await.unwrap();
        assert_eq!((stale.cents, stale.degraded), (cents_of("teapot"), true));
    }
    fixture.notes.wait_for("breaker opened").await;
    assert!(client.price("teapot").await.unwrap().degraded, "an open breaker falls back too");
    assert_eq!(client.price("no such path!").await.unwrap_err().effect(), Effect::None);

    fixture.shop.start_program("pricing").await.unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    while client.price("teapot").await.unwrap().degraded {
        assert!(Instant::now() < patience, "the breaker never closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fixture.notes.count("breaker closed"), 1);
}

#[tokio::test]
async fn orders_outlive_the_store() {
    let mut fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");
    let mut receipts = vec![client.place_order_with_key(&order("teapot", 1), "before").await.unwrap()];

    // Killed under its users' hands: their calls go on when the store is back.
    let traffic = Traffic::start(&client, 2);
    fixture.notes.wait_for("dispatched to api-3").await;
    fixture.shop.kill("store").await;
    fixture.notes.wait_for("retry").await;
    fixture.shop.start_program("store").await.unwrap();
    receipts.extend(traffic.stop().await);

    let again = client.place_order_with_key(&order("teapot", 1), "before").await.unwrap();
    assert_eq!(again, receipts[0], "the key is remembered as well");
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());

    fixture.shop.stop("store").await.unwrap();
    fixture.shop.start_program("store").await.unwrap();
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn all_hops_speak_http2_when_told_to() {
    let mut fixture = Fixture::start_speaking(Protocol::Http2).await;
    let client = fixture.client_of("gateway");
    let traffic = Traffic::start(&client, 6);
    fixture.notes.wait_for("dispatched to api-1").await;
    fixture.shop.stop("api-1").await.unwrap();
    let receipts = traffic.stop().await;
    assert_eq!(client.price("teapot").await.unwrap().cents, cents_of("teapot"));
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_one_answer_and_the_end() {
    let fixture = Fixture::start().await;
    let address = fixture.shop.address("gateway").unwrap();
    let mut stream = TokioConnector::new().connect("127.0.0.1", address.port()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
    assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
}
