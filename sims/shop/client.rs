//! The client library: what a program that buys in the shop links.
//!
//! Owns the operations that users see. A call turns each of them into attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use super::call::{Call, Shared, ShopRequest};
use super::client_config::{ClientConfig, Keys};
use super::message::{Order, OrderReceipt, Price, Token, User, is_sku, new_key};
use super::net::Connect;
use super::notes::{self, Note};
use super::observe::Observer;
use super::pool::{authority, http_client};
use super::retry::RetryBudget;

pub use super::call::{CallError, Effect};

/// Calls are numbered in every program alike, and this many belong to one client, over all its lives.
pub const CALLS_PER_CLIENT: u64 = 1_000_000;

/// This many of them belong to one life: a program that is started again must not use a number again.
const CALLS_PER_LIFE: u64 = 10_000;

/// A client of the shop. Clones share connections, retry budget and call numbers.
pub struct ShopClient<C: Connect> {
    shared: Arc<Shared<C>>,
    next_call: Arc<AtomicU64>,
}

impl<C: Connect> Clone for ShopClient<C> {
    fn clone(&self) -> ShopClient<C> {
        ShopClient { shared: self.shared.clone(), next_call: self.next_call.clone() }
    }
}

impl<C: Connect> ShopClient<C> {
    /// Makes a client; it connects when it is first used.
    ///
    /// # Panics
    /// If the gateway's name is not a valid host name.
    pub fn new(connector: C, config: ClientConfig, observer: Observer) -> ShopClient<C> {
        let http = http_client(connector, &config.pool);
        let authority = authority(&config.gateway, config.port);
        let budget = RetryBudget::new(config.retry_ratio, config.retry_minimum_per_second, config.retry_burst);
        let earlier = u64::from(config.earlier_lives) * CALLS_PER_LIFE;
        let next_call = AtomicU64::new(u64::from(config.client_number) * CALLS_PER_CLIENT + earlier + 1);
        let shared = Arc::new(Shared { http, authority, config, budget, observer });
        ShopClient { shared, next_call: Arc::new(next_call) }
    }

    /// Places an order once, however many attempts it takes.
    pub async fn place_order(&self, order: &Order) -> Result<OrderReceipt, CallError> {
        let key = match self.shared.config.keys {
            Keys::OfTheCall | Keys::OfTheAttempt => Some(new_key()),
            Keys::OfTheBody => Some(format!("{} x {}", order.quantity, order.sku)),
            Keys::None => None,
        };
        self.call(ShopRequest::post("/orders", order).with_key(key)).await
    }

    /// Places an order under a key that the caller chose; using the key again returns the same order.
    pub async fn place_order_with_key(&self, order: &Order, key: &str) -> Result<OrderReceipt, CallError> {
        self.call(ShopRequest::post("/orders", order).with_key(Some(key.to_owned()))).await
    }

    /// Reads one order.
    pub async fn get_order(&self, id: u64) -> Result<OrderReceipt, CallError> {
        self.call(ShopRequest::get(format!("/orders/{id}"))).await
    }

    /// Writes the note of an order, over an earlier one if there is one.
    pub async fn write_note(&self, order: u64, text: String) -> Result<(), CallError> {
        let _: serde_json::Value = self.call(ShopRequest::put(notes::path(order), text)).await?;
        Ok(())
    }

    /// Reads the note of an order.
    pub async fn note(&self, order: u64) -> Result<Note, CallError> {
        self.call(ShopRequest::get(notes::path(order))).await
    }

    /// Reads all orders, sorted by number.
    pub async fn list_orders(&self) -> Result<Vec<OrderReceipt>, CallError> {
        self.call(ShopRequest::get("/orders".to_owned())).await
    }

    /// Gets a token for a user.
    pub async fn login(&self, user: &str) -> Result<String, CallError> {
        let answer: Token =
            self.call(ShopRequest::post("/login", &User { user: user.to_owned() }).without_effect()).await?;
        Ok(answer.token)
    }

    /// Asks which user a token belongs to.
    pub async fn whoami(&self, token: &str) -> Result<String, CallError> {
        let answer: User = self.call(ShopRequest::get("/whoami".to_owned()).with_token(token)).await?;
        Ok(answer.user)
    }

    /// Asks what an article costs.
    pub async fn price(&self, sku: &str) -> Result<Price, CallError> {
        if !is_sku(sku) {
            // It may not fit into a path, and a server would reject it too.
            return Err(CallError::Rejected { status: 400, effect: Effect::None });
        }
        self.call(ShopRequest::get(format!("/catalogue/{sku}"))).await
    }

    /// Makes a call and reports it to the observer.
    async fn call<T: DeserializeOwned>(&self, request: ShopRequest) -> Result<T, CallError> {
        let shared = &*self.shared;
        let number = self.next_call.fetch_add(1, Ordering::Relaxed);
        shared.observer.call_started(number, shared.config.deadline);
        let mut call = Call::new(shared, number, request);
        let answer = call.run().await.and_then(|body| {
            serde_json::from_slice(&body).map_err(|_| CallError::Garbled { effect: call.effect_of_answered() })
        });
        shared.observer.call_ended(number, answer.is_ok());
        if let Err(error) = &answer {
            tracing::info!(call = number, %error, "call failed");
        }
        answer
    }
}
