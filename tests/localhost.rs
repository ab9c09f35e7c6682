//! Tests of the shop on the real sockets and the real disk of this machine, without Squall: what the simulation claims
//! about the shop must be true here first.

#[path = "localhost/balancing.rs"]
mod balancing;
#[path = "localhost/coalescing.rs"]
mod coalescing;
#[path = "../examples/shop/command.rs"]
mod command;
#[path = "localhost/fixture.rs"]
mod fixture;
#[path = "localhost/parts.rs"]
mod parts;
#[path = "localhost/shedding_and_sessions.rs"]
mod shedding_and_sessions;
#[path = "../sims/shop/mod.rs"]
mod shop;
#[path = "localhost/up.rs"]
mod up;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use fixture::{Fixture, Traffic, assert_booked_once, order};
use hyper::StatusCode;
use shop::client::{CallError, Effect};
use shop::message::{Order, problem};
use shop::net::{Connect, TokioConnector};
use shop::pool::Protocol;
use shop::pricing::cents_of;
use shop::serve::Layer;

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
async fn an_order_states_no_other_price_and_keeps_its_note() {
    let fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");
    let priced = |cents| Order { cents: Some(cents), ..order("teapot", 2) };

    let right = cents_of("teapot");
    let receipt = client.place_order(&priced(right)).await.unwrap();
    assert_eq!(receipt.cents, Some(right));
    let cheaper = client.place_order(&priced(right - 1)).await.unwrap_err();
    assert_eq!(cheaper, CallError::Rejected { status: 409, effect: Effect::None });
    assert_eq!(client.list_orders().await.unwrap(), std::slice::from_ref(&receipt));

    assert!(matches!(client.note(receipt.id).await, Err(CallError::Rejected { status: 404, .. })));
    let text = "ring twice\n".repeat(4_000);
    client.write_note(receipt.id, "ring once".to_owned()).await.unwrap();
    client.write_note(receipt.id, text.clone()).await.unwrap();
    assert_eq!(client.note(receipt.id).await.unwrap().text, text);
    assert!(matches!(client.write_note(99, text).await, Err(CallError::Rejected { status: 404, .. })));
}

#[tokio::test]
async fn every_api_server_accepts_a_token_and_rejects_forged_ones() {
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
    // After the ejection, only probes are sent there.
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
    assert!(fixture.notes.count("api-1 ejected") > 0, "the gateway must eject the server before it is gone");
    fixture.shop.start_program("api-1").await.unwrap();
    fixture.notes.wait_for("api-1 returned").await;

    let receipts = traffic.stop().await;
    assert_eq!(fixture.notes.count("retry"), 0, "a drained server must not cause a retry");
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn without_pricing_a_remembered_price_is_marked() {
    let mut fixture = Fixture::start().await;
    // Each server remembers its own prices, so only one server is asked.
    let client = fixture.client_of("api-1");
    let fresh = client.price("teapot").await.unwrap();
    assert_eq!((fresh.cents, fresh.degraded), (cents_of("teapot"), false));

    fixture.shop.kill("pricing").await;
    for _ in 0..3 {
        let stale = client.price("teapot").await.unwrap();
        assert_eq!((stale.cents, stale.degraded), (cents_of("teapot"), true));
    }
    fixture.notes.wait_for("breaker opened").await;
    assert!(client.price("teapot").await.unwrap().degraded, "an open breaker must fall back too");
    assert_eq!(client.price("no such path!").await.unwrap_err().effect(), Effect::None);

    fixture.shop.start_program("pricing").await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.price("teapot").await.unwrap().degraded {
        assert!(Instant::now() < deadline, "the breaker did not close within 10 seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fixture.notes.count("breaker closed"), 1);
}

#[tokio::test]
async fn orders_outlive_the_store() {
    let mut fixture = Fixture::start().await;
    let client = fixture.client_of("gateway");
    let mut receipts = vec![client.place_order_with_key(&order("teapot", 1), "before").await.unwrap()];

    // The store is killed during calls, which succeed once it is back.
    let traffic = Traffic::start(&client, 2);
    fixture.notes.wait_for("dispatched to api-3").await;
    fixture.shop.kill("store").await;
    fixture.notes.wait_for("retry").await;
    fixture.shop.start_program("store").await.unwrap();
    receipts.extend(traffic.stop().await);

    let again = client.place_order_with_key(&order("teapot", 1), "before").await.unwrap();
    assert_eq!(again, receipts[0], "the key must survive too");
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());

    fixture.shop.stop("store").await.unwrap();
    fixture.shop.start_program("store").await.unwrap();
    assert_booked_once(&receipts, &client.list_orders().await.unwrap());
}

#[tokio::test]
async fn all_hops_speak_http2_when_configured() {
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
async fn an_http_1_0_client_gets_one_answer_and_a_closed_connection() {
    let fixture = Fixture::start().await;
    let address = fixture.shop.address("gateway").unwrap();
    let mut stream = TokioConnector::new().connect("127.0.0.1", address.port()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
    assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
}

#[tokio::test]
async fn a_layer_comes_before_the_routes() {
    let closed: fn() -> Layer = || {
        Arc::new(|request, routes| {
            let is_closed = request.uri().path() == "/login";
            Box::pin(async move {
                if is_closed { problem(StatusCode::FORBIDDEN, "no logins today") } else { routes(request).await }
            })
        })
    };
    let fixture = Fixture::start_with(Protocol::Http1, |config| config.api.serve.layer = Some(closed)).await;
    let refusal = fixture.client_of("api-1").login("ann").await.unwrap_err();
    assert_eq!(refusal, CallError::Rejected { status: 403, effect: Effect::None });
    fixture.client_of("api-1").price("teapot").await.unwrap();
}
