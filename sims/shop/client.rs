//! The client's library: what a program that buys in the shop links.
//!
//! Owns the questions that users ask. How a question becomes attempts is the business of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use super::call::{Call, Question, Shared};
use super::client_config::ClientConfig;
use super::message::{Order, OrderReceipt, Price, Token, User, is_sku, new_key};
use super::net::Connect;
use super::observe::Observer;
use super::pool::{authority, http_client};
use super::retry::RetryBudget;

pub use super::call::{CallError, Effect};

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
    /// Makes a client; it connects when it is used. Panics when the gateway's name is none.
    pub fn new(connector: C, config: ClientConfig, observer: Observer) -> ShopClient<C> {
        let http = http_client(connector, &config.pool);
        let authority = authority(&config.gateway, config.port);
        let budget = RetryBudget::new(config.retry_ratio, config.retry_minimum_per_second, config.retry_burst);
        let next_call = AtomicU64::new(u64::from(config.client_number) << 32);
        let shared = Arc::new(Shared { http, authority, config, budget, observer });
        ShopClient { shared, next_call: Arc::new(next_call) }
    }

    /// Places an order once, however many attempts it takes.
    pub async fn place_order(&self, order: &Order) -> Result<OrderReceipt, CallError> {
        let mistakes = &self.shared.config.mistakes;
        let key = (!mistakes.retry_unkeyed_posts).then(new_key);
        self.call(Question::post("/orders", order).keyed(key)).await
    }

    /// Places an order under a key that the caller chose; the same key again gives the same order.
    pub async fn place_order_with_key(&self, order: &Order, key: &str) -> Result<OrderReceipt, CallError> {
        self.call(Question::post("/orders", order).keyed(Some(key.to_owned()))).await
    }

    /// Reads one order.
    pub async fn get_order(&self, id: u64) -> Result<OrderReceipt, CallError> {
        self.call(Question::get(format!("/orders/{id}"))).await
    }

    /// Reads all orders, by their numbers.
    pub async fn list_orders(&self) -> Result<Vec<OrderReceipt>, CallError> {
        self.call(Question::get("/orders".to_owned())).await
    }

    /// Gets a token for a user.
    pub async fn login(&self, user: &str) -> Result<String, CallError> {
        let answer: Token = self.call(Question::post("/login", &User { user: user.to_owned() }).harmless()).await?;
        Ok(answer.token)
    }

    /// Asks whom a token belongs to.
    pub async fn whoami(&self, token: &str) -> Result<String, CallError> {
        let answer: User = self.call(Question::get("/whoami".to_owned()).bearing(token)).await?;
        Ok(answer.user)
    }

    /// Asks what an article costs.
    pub async fn price(&self, sku: &str) -> Result<Price, CallError> {
        if !is_sku(sku) {
            // It would not even make a path; a server would say the same.
            return Err(CallError::Rejected { status: 400, effect: Effect::None });
        }
        self.call(Question::get(format!("/catalogue/{sku}"))).await
    }

    /// Makes a call and reports it.
    async fn call<T: DeserializeOwned>(&self, question: Question) -> Result<T, CallError> {
        let shared = &*self.shared;
        let number = self.next_call.fetch_add(1, Ordering::Relaxed);
        shared.observer.call_started(number, shared.config.deadline);
        let mut call = Call::new(shared, number, question);
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
