//! The workload of the shop: users' operations as data, the strategies that draw them, and a user that performs them.
//!
//! A user performs the operations that it is given and returns the replies; checks judge them.

use std::ops::Range;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::client::{CallError, ShopClient};
use super::message::{Order, OrderReceipt, Price};
use super::net::Connect;
use super::token;

/// One operation of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Places an order.
    PlaceOrder {
        /// The name of the article.
        sku: String,
        /// The number of pieces.
        quantity: u32,
    },
    /// Reads an order that this user placed earlier.
    ReadOrder {
        /// The index of the order, modulo the number of orders placed so far.
        choice: u32,
    },
    /// Asks for the price of an article.
    Price {
        /// The name of the article.
        sku: String,
    },
    /// Logs in.
    Login {
        /// The user's name.
        user: String,
    },
    /// Asks which user the last login's token belongs to.
    WhoAmI,
    /// Uses the idempotency key of an earlier order again, for as many pieces of the same article.
    OrderAgain {
        /// The index of the order, modulo the number of orders placed so far.
        choice: u32,
        /// The number of pieces; another one than before makes it another order, which must be refused.
        quantity: u32,
    },
    /// Asks which user a token belongs to in which this user has put the name of another one, which must be refused.
    ForgeToken {
        /// The other user's name.
        user: String,
    },
    /// Asks for the price of an article and orders it at this price, less a discount that nobody granted. Such an order must
    /// be refused.
    OrderAtPrice {
        /// The name of the article.
        sku: String,
        /// The number of pieces.
        quantity: u32,
        /// What is taken off the price of one piece.
        discount_cents: u64,
    },
    /// Writes a note under an order that this user placed earlier.
    WriteNote {
        /// The index of the order, modulo the number of orders placed so far.
        choice: u32,
        /// The length of the note.
        lines: u32,
    },
    /// Reads the note of an order that this user placed earlier.
    ReadNote {
        /// The index of the order, modulo the number of orders placed so far.
        choice: u32,
    },
    /// Places an order for no pieces, which must be refused.
    PlaceBadOrder {
        /// The name of the article.
        sku: String,
    },
}

/// The reply to an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The order is placed.
    Placed(OrderReceipt),
    /// An order, as the shop has recorded it.
    Order(OrderReceipt),
    /// A price.
    Price(Price),
    /// The user is logged in.
    LoggedIn,
    /// The token belongs to this user.
    User(String),
    /// There was nothing to do: no order or no login yet.
    Skipped,
    /// The text of a note.
    Note(String),
    /// The note is written.
    Done,
    /// The shop refused what it must refuse, with this status.
    Refused(u16),
}

/// Draws an article from a few, so that users share articles.
pub fn sku() -> impl Strategy<Value = String> {
    (0..16_u32).prop_map(|number| format!("sku-{number}"))
}

/// Draws an order.
pub fn order() -> impl Strategy<Value = Order> {
    (sku(), 1..10_u32).prop_map(|(sku, quantity)| Order::new(sku, quantity))
}

/// Draws an operation; about half of them are orders.
pub fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => order().prop_map(|Order { sku, quantity, .. }| Operation::PlaceOrder { sku, quantity }),
        2 => any::<u32>().prop_map(|choice| Operation::ReadOrder { choice }),
        2 => sku().prop_map(|sku| Operation::Price { sku }),
        1 => (0..8_u32).prop_map(|number| Operation::Login { user: format!("user-{number}") }),
        1 => Just(Operation::WhoAmI),
    ]
}

/// Draws an operation of a user who also makes mistakes: some orders use a key again, and some are no orders.
pub fn careless_operation() -> SBoxedStrategy<Operation> {
    let careless = prop_oneof![
        4 => operation(),
        2 => (any::<u32>(), 1..10_u32).prop_map(|(choice, quantity)| Operation::OrderAgain { choice, quantity }),
        1 => sku().prop_map(|sku| Operation::PlaceBadOrder { sku }),
    ];
    careless.sboxed()
}

/// Draws an operation of a user who also tries to be somebody else, and to set prices.
pub fn dishonest_operation() -> SBoxedStrategy<Operation> {
    let forge = Just(Operation::ForgeToken { user: "admin".to_owned() });
    let dishonest = prop_oneof![
        2 => operation(),
        1 => (0..8_u32).prop_map(|number| Operation::Login { user: format!("user-{number}") }),
        2 => forge,
        2 => (sku(), 1..10_u32, prop_oneof![Just(0), 1..100_u64]).prop_map(|(sku, quantity, discount_cents)| {
            Operation::OrderAtPrice { sku, quantity, discount_cents }
        }),
    ];
    dishonest.sboxed()
}

/// Draws an operation of a user who mostly logs in and asks who is logged in.
pub fn session_operation() -> SBoxedStrategy<Operation> {
    let session = prop_oneof![
        2 => operation(),
        2 => (0..1_000_u32).prop_map(|number| Operation::Login { user: format!("user-{number}") }),
        5 => Just(Operation::WhoAmI),
        1 => Just(Operation::ForgeToken { user: "admin".to_owned() }),
    ];
    session.sboxed()
}

/// Draws an operation of a user who does nothing but order, and read orders.
pub fn order_or_read() -> SBoxedStrategy<Operation> {
    let ordering = prop_oneof![
        1 => order().prop_map(|Order { sku, quantity, .. }| Operation::PlaceOrder { sku, quantity }),
        1 => any::<u32>().prop_map(|choice| Operation::ReadOrder { choice }),
    ];
    ordering.sboxed()
}

/// Draws an operation of a user who mostly asks for prices.
pub fn price_or_order() -> SBoxedStrategy<Operation> {
    let asking = prop_oneof![6 => sku().prop_map(|sku| Operation::Price { sku }), 1 => operation()];
    asking.sboxed()
}

/// Draws an operation of a user who also writes long notes under a few orders, and reads them.
pub fn writing_operation() -> SBoxedStrategy<Operation> {
    let writing = prop_oneof![
        2 => operation(),
        3 => (0..3_u32, 50..500_u32).prop_map(|(choice, lines)| Operation::WriteNote { choice, lines }),
        3 => (0..3_u32).prop_map(|choice| Operation::ReadNote { choice }),
    ];
    writing.sboxed()
}

/// A note of this many lines, each of which says how many there are.
pub fn note(lines: u32) -> String {
    (1..=lines).map(|line| format!("line {line} of {lines}\n")).collect()
}

/// Draws all operations of one user.
pub fn operations(count: Range<usize>) -> impl Strategy<Value = Vec<Operation>> {
    proptest::collection::vec(operation(), count)
}

/// A user: a client, and its orders and token so far.
pub struct User<C: Connect> {
    client: ShopClient<C>,
    placed: Vec<OrderReceipt>,
    token: Option<String>,
}

impl<C: Connect> User<C> {
    /// A user without orders or a token.
    pub fn new(client: ShopClient<C>) -> User<C> {
        User { client, placed: Vec::new(), token: None }
    }

    /// Performs one operation.
    pub async fn perform(&mut self, operation: &Operation) -> Result<Reply, CallError> {
        match operation {
            Operation::PlaceOrder { sku, quantity } => {
                let receipt = self.client.place_order(&Order::new(sku, *quantity)).await?;
                self.placed.push(receipt.clone());
                Ok(Reply::Placed(receipt))
            }
            Operation::ReadOrder { choice } => {
                let Some(placed) = self.placed(*choice) else { return Ok(Reply::Skipped) };
                self.client.get_order(placed.id).await.map(Reply::Order)
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
            Operation::OrderAgain { choice, quantity } => {
                let Some(OrderReceipt { key, sku, .. }) = self.placed(*choice) else { return Ok(Reply::Skipped) };
                let order = Order::new(sku, *quantity);
                refused_or(self.client.place_order_with_key(&order, key).await, 422)
            }
            Operation::ForgeToken { user } => {
                // The claim of a token is readable; only its signature is not.
                let Some((_, rest)) = self.token.as_ref().and_then(|token| token.split_once('.')) else {
                    return Ok(Reply::Skipped);
                };
                let forged = format!("{}.{rest}", token::hex(user.as_bytes()));
                match self.client.whoami(&forged).await {
                    Err(CallError::Rejected { status: 401, .. }) => Ok(Reply::Refused(401)),
                    answer => answer.map(Reply::User),
                }
            }
            Operation::OrderAtPrice { sku, quantity, discount_cents } => {
                let price = self.client.price(sku).await?.cents.saturating_sub(*discount_cents);
                let order = Order { cents: Some(price), ..Order::new(sku, *quantity) };
                refused_or(self.client.place_order(&order).await, 409)
            }
            Operation::WriteNote { choice, lines } => {
                let Some(placed) = self.placed(*choice) else { return Ok(Reply::Skipped) };
                self.client.write_note(placed.id, note(*lines)).await.map(|()| Reply::Done)
            }
            Operation::ReadNote { choice } => {
                let Some(placed) = self.placed(*choice) else { return Ok(Reply::Skipped) };
                match self.client.note(placed.id).await {
                    Err(CallError::Rejected { status: 404, .. }) => Ok(Reply::Refused(404)),
                    note => note.map(|note| Reply::Note(note.text)),
                }
            }
            Operation::PlaceBadOrder { sku } => refused_or(self.client.place_order(&Order::new(sku, 0)).await, 400),
        }
    }

    fn placed(&self, choice: u32) -> Option<&OrderReceipt> {
        let choice = usize::try_from(choice).unwrap_or_default();
        std::num::NonZeroUsize::new(self.placed.len()).map(|count| &self.placed[choice % count])
    }
}

/// The reply to an order that may have to be refused with this status.
fn refused_or(answer: Result<OrderReceipt, CallError>, expected: u16) -> Result<Reply, CallError> {
    match answer {
        Err(CallError::Rejected { status, .. }) if status == expected => Ok(Reply::Refused(status)),
        answer => answer.map(Reply::Placed),
    }
}
