//! What users do in the shop: operations as data, how they are drawn, and how they are done.
//!
//! Owns no promise: it does what it is told and hands back what it saw.

use std::ops::Range;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::client::{CallError, ShopClient};
use super::message::{Order, OrderReceipt, Price};
use super::net::Connect;

/// One thing that a user does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Buys something.
    PlaceOrder {
        /// Names the article.
        sku: String,
        /// How many pieces.
        quantity: u32,
    },
    /// Looks at an order placed earlier; the number chooses which, modulo their count.
    ReadOrder {
        /// Which of the earlier orders.
        choice: u32,
    },
    /// Asks what an article costs.
    Price {
        /// Names the article.
        sku: String,
    },
    /// Logs in.
    Login {
        /// The user's name.
        user: String,
    },
    /// Asks who the last login was for.
    WhoAmI,
}

/// What a user saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The order is placed.
    Placed(OrderReceipt),
    /// An order, as the shop remembers it.
    Order(OrderReceipt),
    /// A price.
    Price(Price),
    /// Logged in.
    LoggedIn,
    /// Logged in as this user.
    User(String),
    /// There was nothing to ask for: no order yet, or no login.
    Skipped,
}

/// Names an article, out of a few, so that users meet.
pub fn sku() -> impl Strategy<Value = String> {
    (0..16_u32).prop_map(|number| format!("sku-{number}"))
}

/// Draws an order.
pub fn order() -> impl Strategy<Value = Order> {
    (sku(), 1..10_u32).prop_map(|(sku, quantity)| Order { sku, quantity })
}

/// Draws an operation; half of them write.
pub fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => order().prop_map(|Order { sku, quantity }| Operation::PlaceOrder { sku, quantity }),
        2 => any::<u32>().prop_map(|choice| Operation::ReadOrder { choice }),
        2 => sku().prop_map(|sku| Operation::Price { sku }),
        1 => (0..8_u32).prop_map(|number| Operation::Login { user: format!("user-{number}") }),
        1 => Just(Operation::WhoAmI),
    ]
}

/// Draws what one user does from beginning to end.
pub fn operations(count: Range<usize>) -> impl Strategy<Value = Vec<Operation>> {
    proptest::collection::vec(operation(), count)
}

/// A user: a client, and what it remembers between operations.
pub struct User<C: Connect> {
    client: ShopClient<C>,
    placed: Vec<u64>,
    token: Option<String>,
}

impl<C: Connect> User<C> {
    /// Remembers nothing yet.
    pub fn new(client: ShopClient<C>) -> User<C> {
        User { client, placed: Vec::new(), token: None }
    }

    /// Does one operation.
    pub async fn perform(&mut self, operation: &Operation) -> Result<Reply, CallError> {
        match operation {
            Operation::PlaceOrder { sku, quantity } => {
                let receipt = self.client.place_order(&Order { sku: sku.clone(), quantity: *quantity }).await?;
                self.placed.push(receipt.id);
                Ok(Reply::Placed(receipt))
            }
            Operation::ReadOrder { choice } => {
                let choice = usize::try_from(*choice).unwrap_or_default();
                let Some(count) = std::num::NonZeroUsize::new(self.placed.len()) else { return Ok(Reply::Skipped) };
                self.client.get_order(self.placed[choice % count]).await.map(Reply::Order)
            }
            Operation::Price { sku } => self.client.price(sku).await.map(Reply::Price),
            Operation::Login { user } => {
                self.token = Some(self.client.login(user).await?);
                Ok(Reply::LoggedIn)
            }
            Operation::WhoAmI => match &self.token {
                Some(token) => self.client.whoami(token).await.map(Reply::User),
                None => Ok(Reply::Skipped),
            },
        }
    }
}
