//! Tests of `cargo run --example shop -- up`: its settings, its metrics, its signals and the protocols that it speaks.
//!
//! A test that needs a process of its own runs this executable again, as the test `shop_process` alone.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command;
use crate::command::settings::{Protocol, Settings};
use crate::command::up::Up;
use crate::shop::client::ShopClient;
use crate::shop::client_config::ClientConfig;
use crate::shop::message::{Order, problem};
use crate::shop::net::{Connect, TokioConnector, listen};
use crate::shop::observe::no_observer;
use crate::shop::pool::{self, PoolConfig, address, authority, exchange, http_client};
use crate::shop::serve::{ServeConfig, Shutdown, serve};

/// The variable with the arguments of the process, one in each line.
const ARGUMENTS: &str = "SHOP_ARGUMENTS";

/// Not a test: what `shop` starts.
#[test]
#[ignore = "other tests run it in a process of its own"]
fn shop_process() {
    let Some(arguments) = std::env::var_os(ARGUMENTS) else { return };
    let arguments = arguments.into_string().unwrap();
    let code = command::run(["shop"].into_iter().chain(arguments.lines()).map(OsString::from));
    std::process::exit(if code == std::process::ExitCode::SUCCESS { 0 } else { 1 });
}

/// Starts `shop` with these arguments in a process of its own.
fn shop(arguments: &[&str]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "up::shop_process", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ARGUMENTS, arguments.join("\n"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A shop in a process of its own, which is killed if its test fails.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    fn up(arguments: &[&str]) -> Running {
        let local = ["up", "--gateway", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
        let mut child = shop(&[&local, arguments].concat());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// Reads what is printed up to a line that begins so, and returns the address at its end.
    fn address(&mut self, begin: &str) -> SocketAddr {
        let line = self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(begin)).unwrap();
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
        address.parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits for the end and returns what was logged.
    fn end(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the shop did not end within 20 seconds");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut logged = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut logged).unwrap();
        (status, logged)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client_of(gateway: SocketAddr, protocol: pool::Protocol) -> ShopClient<TokioConnector> {
    let config = ClientConfig {
        gateway: gateway.ip().to_string(),
        port: gateway.port(),
        deadline: Duration::from_secs(15),
        attempt_timeout: Duration::from_secs(10),
        // Two clients of one test must not share the numbers of their calls.
        client_number: 1 + protocol as u32,
        pool: PoolConfig { protocol, ..PoolConfig::default() },
        ..ClientConfig::default()
    };
    ShopClient::new(TokioConnector::new(), config, no_observer())
}

async fn get(address_of: SocketAddr, path: &str) -> (StatusCode, String) {
    let client = http_client(TokioConnector::new(), &PoolConfig { idle_per_host: 0, ..PoolConfig::default() });
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = address(&authority(&address_of.ip().to_string(), address_of.port()), path);
    let (parts, body) = exchange(&client, request, Duration::from_secs(10)).await.unwrap();
    (parts.status, String::from_utf8(body.to_vec()).unwrap())
}

/// The value of the metric with this name and these labels.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

fn local(protocol: Protocol) -> Settings {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    // On a busy machine, any read may take long enough to be asked twice.
    Settings { gateway: any, metrics: any, protocol, hedges_reads: false, ..Settings::default() }
}

#[test]
fn a_file_has_settings_and_what_is_wrong_is_named_with_its_place() {
    assert_eq!(Settings::parse("").unwrap(), Settings::default());
    // The file that users copy states the defaults.
    assert_eq!(Settings::parse(include_str!("../../examples/shop/shop.toml")).unwrap(), Settings::default());
    let settings = Settings::parse("apis = 5\nprotocol = \"http2\"\n[health]\nfall = 2\n").unwrap();
    assert_eq!((settings.apis, settings.protocol, settings.health.fall), (5, Protocol::Http2, 2));
    assert_eq!(settings.health.rise, Settings::default().health.rise);

    let unknown = Settings::parse("apis = 5\nreplicas = 2\n").unwrap_err();
    assert!(unknown.contains("line 2") && unknown.contains("unknown field `replicas`"), "{unknown}");
    let wrong = Settings::parse("protocol = \"http3\"\n").unwrap_err();
    assert!(wrong.contains("line 1") && wrong.contains("http2"), "{wrong}");
    assert_eq!(Settings::parse("apis = 0").unwrap_err(), "apis must be at least 1");
    assert_eq!(Settings::parse("[health]\nfall = 0").unwrap_err(), "health.fall must be at least 1");
    let percent = Settings::parse("[pricing]\nfailures_percent = 101").unwrap_err();
    assert_eq!(percent, "pricing.failures_percent must be at most 100");
}

#[tokio::test]
async fn clients_of_every_version_of_http_are_served_whatever_is_spoken_inside() {
    for inside in [Protocol::Http1, Protocol::Http2] {
        let directory = tempfile::tempdir().unwrap();
        let up = Up::start(&local(inside), directory.path().join("store.redb")).await.unwrap();
        let gateway = up.shop.address("gateway").unwrap();
        for protocol in [pool::Protocol::Http10, pool::Protocol::Http1, pool::Protocol::Http2] {
            let client = client_of(gateway, protocol);
            let receipt = client.place_order(&Order::new("teapot", 2)).await.unwrap();
            assert_eq!(client.get_order(receipt.id).await.unwrap(), receipt, "{inside:?} inside, {protocol:?} outside");
        }
        up.stop().await.unwrap();
    }
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let up = Up::start(&local(Protocol::Http2), directory.path().join("store.redb")).await.unwrap();
    let client = client_of(up.shop.address("gateway").unwrap(), pool::Protocol::Http2);
    for _ in 0..3 {
        client.place_order(&Order::new("teapot", 1)).await.unwrap();
    }
    client.get_order(99).await.unwrap_err();

    let (status, text) = get(up.metrics_address, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(metric(&text, "shop_orders_total"), 3.0);
    assert_eq!(metric(&text, "shop_requests_total{program=\"gateway\",status=\"201\"}"), 3.0);
    assert_eq!(metric(&text, "shop_requests_total{program=\"gateway\",status=\"404\"}"), 1.0);
    assert_eq!(metric(&text, "shop_requests_in_flight{program=\"gateway\"}"), 0.0);
    assert_eq!(metric(&text, "shop_request_duration_seconds_count{program=\"gateway\"}"), 4.0);
    assert_eq!(metric(&text, "shop_ready{program=\"store\"}"), 1.0);
    let dispatched = |number| metric(&text, &format!("shop_dispatched_total{{backend=\"api-{number}\"}}"));
    assert_eq!((1..=3).map(dispatched).sum::<f64>(), 4.0);
    assert_eq!(metric(&text, "shop_backend_healthy{backend=\"api-2\"}"), 1.0);
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(get(up.metrics_address, "/").await.0, StatusCode::NOT_FOUND);
    // Users reach the gateway, but not the metrics.
    assert_eq!(get(up.shop.address("gateway").unwrap(), "/metrics").await.0, StatusCode::NOT_FOUND);
    up.stop().await.unwrap();
}

#[tokio::test]
async fn sigterm_ends_the_shop_after_the_request_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.toml");
    // The price takes longer than the test needs to send the signal, and less than the drain may.
    std::fs::write(&file, "log = \"warn\"\ndrain_delay_ms = 300\n[pricing]\ntimeout_ms = 5000\ndelay_ms = 1000\n")
        .unwrap();
    let orders = directory.path().join("orders.redb");
    let arguments = [
        "--config",
        file.to_str().unwrap(),
        "--log",
        "info",
        "--data",
        orders.to_str().unwrap(),
        "--protocol",
        "http2",
    ];
    let mut running = Running::up(&arguments);
    let gateway = running.address("gateway");
    let metrics = running.address("metrics");
    let client = client_of(gateway, pool::Protocol::Http2);
    let receipt = client.place_order(&Order::new("teapot", 1)).await.unwrap();

    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.price("teapot").await }
    });
    let asked = "shop_requests_in_flight{program=\"pricing\"}";
    while !get(metrics, "/metrics").await.1.contains(&format!("{asked} 1")) {
        assert!(!asking.is_finished(), "the price was answered before the signal");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal("TERM");
    assert!(!asking.await.unwrap().unwrap().degraded, "the request in flight must be answered");
    let (status, logged) = tokio::task::spawn_blocking(move || running.end()).await.unwrap();
    assert!(status.success(), "{status}: {logged}");
    // The flag replaces the file's level, under which orders are not logged.
    assert!(logged.contains("order committed program=\"store\" order=1"), "{logged}");
    assert!(logged.contains("readiness changed program=\"gateway\" ready=false"), "{logged}");

    // What was acknowledged is in the file.
    let settings = Settings { data: Some(orders), ..local(Protocol::Http1) };
    let up = Up::start(&settings, directory.path().join("unused.redb")).await.unwrap();
    let client = client_of(up.shop.address("gateway").unwrap(), pool::Protocol::Http1);
    assert_eq!(client.list_orders().await.unwrap(), [receipt]);
    up.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_the_shop_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.toml");
    std::fs::write(&file, "drain_delay_ms = 60000\n").unwrap();
    let mut running = Running::up(&["--config", file.to_str().unwrap()]);
    running.address("metrics");
    running.signal("INT");
    // The signals are told apart only if the first was received.
    assert!(running.lines.by_ref().map(Result::unwrap).any(|line| line == "stopping after SIGINT"));
    running.signal("TERM");
    let (status, logged) = tokio::task::spawn_blocking(move || running.end()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(logged.contains("stopped by a second signal, SIGTERM"), "{logged}");
}

#[test]
fn a_file_that_is_wrong_ends_the_shop_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.toml");
    std::fs::write(&file, "apis = 0\n").unwrap();
    let (status, logged) = Running::up(&["--config", file.to_str().unwrap()]).end();
    assert_eq!(status.code(), Some(1));
    assert!(logged.contains(&format!("error: {}: apis must be at least 1", file.display())), "{logged}");
}

#[tokio::test]
async fn heads_and_bodies_that_are_too_long_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let up = Up::start(&local(Protocol::Http1), directory.path().join("store.redb")).await.unwrap();
    let gateway = up.shop.address("gateway").unwrap();
    let answer = |request: String| async move {
        let mut stream = TokioConnector::new().connect("127.0.0.1", gateway.port()).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        String::from_utf8(status.to_vec()).unwrap()
    };
    let headers: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    assert_eq!(answer(format!("GET /orders HTTP/1.1\r\n{headers}\r\n")).await, "HTTP/1.1 431");
    let body = "x".repeat(100 * 1024);
    let post = format!("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert_eq!(answer(post).await, "HTTP/1.1 413");
    up.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_another_to_be_closed() {
    let (listener, address) = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let config = ServeConfig { connection_limit: 1, ..ServeConfig::default() };
    let answer = |(), request: Request<crate::shop::message::Body>| async move {
        let _ = request.into_body().collect().await;
        problem(StatusCode::OK, "answered")
    };
    tokio::spawn(serve(listener, config, Shutdown::new(), no_observer(), (), answer));
    let ask = || async move {
        let mut stream = TokioConnector::new().connect("127.0.0.1", address.port()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        stream
    };
    let mut byte = [0; 1];
    let mut first = ask().await;
    first.read_exact(&mut byte).await.unwrap();
    let mut second = ask().await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), second.read_exact(&mut byte)).await;
    assert!(waiting.is_err(), "the second connection was answered while the first was open");
    drop(first);
    tokio::time::timeout(Duration::from_secs(10), second.read_exact(&mut byte)).await.unwrap().unwrap();
}
