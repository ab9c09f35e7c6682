//! The checks that what is served is correct: compare what buyers and the auditor received with what buyers ordered, and with
//! what passed over the wire.

use std::collections::BTreeMap;

use squall::check::{self, Check, CountedVerdict};
use squall::history::{Completion, Operation as Seen};
use squall::prelude::*;
use squall::trace::exchange::Exchange;

use super::client::CALLS_PER_CLIENT;
use super::message::OrderReceipt;
use super::pricing::cents_of;
use super::recorded::{audited, reply};
use super::workload::{Operation, Reply, note};

/// D1: an order is acknowledged, read and audited as it was placed, and once acknowledged it is never reported missing.
/// Refusals and errors are allowed.
pub fn served_right_or_refused() -> Check {
    Check::new("D1 what is served is right or refused", |_: &Trace, history: &History| {
        // Receipts by number; an order's number never changes.
        let mut placed = BTreeMap::new();
        let mut judged = 0;
        for operation in &history.operations {
            judged += u64::from(operation.is_ok());
            if let Err(why) = judge(operation, &mut placed) {
                let why = format!("D1: {why}: client {}, {}", operation.client, operation.name);
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(judged, "no operation was acknowledged: let the clients order for longer")
    })
}

/// I2: every order that was acknowledged is an order of its own, and no two of them share a number: the same body under two
/// keys is two orders.
pub fn every_order_is_its_own() -> Check {
    Check::new("I2 every order is its own", |_: &Trace, history: &History| {
        let mut numbers = BTreeMap::new();
        for operation in history.named("place_order") {
            let receipt = match reply(operation) {
                Ok(Some(Reply::Placed(receipt))) => receipt,
                Ok(_) => continue,
                Err(error) => return CountedVerdict::broken(1, unreadable(error)).of(operation),
            };
            if let Some(first) = numbers.insert(receipt.id, operation) {
                let judged = numbers.len() as u64;
                let why = format!(
                    "I2: two orders were acknowledged as order {}: client {} placed one at {:?}, and client {} at {:?}",
                    receipt.id, first.client, first.invoked_at, operation.client, operation.invoked_at
                );
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(numbers.len() as u64, "no order was acknowledged: let the clients order for longer")
    })
}

/// I3: a key that is used again stands for its first order: the same order is answered as before, and another one is refused.
pub fn a_key_stands_for_one_order() -> Check {
    Check::new("I3 a key stands for one order", |_: &Trace, history: &History| {
        let mut judged = 0;
        for operation in history.named("order_again") {
            let (asked, reply) = match read(operation) {
                Ok((asked, Some(reply))) => (asked, reply),
                Ok((_, None)) => continue,
                Err(why) => return CountedVerdict::broken(1, why).of(operation),
            };
            judged += u64::from(reply != Reply::Skipped);
            if let (Operation::OrderAgain { quantity, .. }, Reply::Placed(receipt)) = (asked, reply)
                && receipt.quantity != quantity
            {
                let why = format!(
                    "I3: {quantity} pieces were ordered under the key of order {}, which has {}, and this was not refused",
                    receipt.id, receipt.quantity
                );
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(judged, "no key was used again: let the clients order again")
    })
}

/// X2: a token in which somebody has put another name is refused.
pub fn forged_tokens_are_refused() -> Check {
    Check::new("X2 forged tokens are refused", |_: &Trace, history: &History| {
        let mut judged = 0;
        for operation in history.named("forge_token") {
            let reply = match read(operation) {
                Ok((_, reply)) => reply,
                Err(why) => return CountedVerdict::broken(1, why).of(operation),
            };
            judged += u64::from(matches!(reply, Some(Reply::Refused(_) | Reply::User(_))));
            if let Some(Reply::User(user)) = reply {
                let (client, at) = (operation.client, operation.invoked_at);
                let why = format!("X2: client {client} put the name {user} into its token at {at:?} and was believed");
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(judged, "no forged token was answered: let the clients forge tokens")
    })
}

/// P5: who asks which user is logged in gets the user of the own last login, and nobody else's.
pub fn answers_are_about_who_asked() -> Check {
    Check::new("P5 answers are about who asked", |_: &Trace, history: &History| {
        let mut judged = 0;
        let mut users: BTreeMap<u64, String> = BTreeMap::new();
        // A client does one thing after the other, so its operations are in order.
        for operation in &history.operations {
            let (asked, reply) = match (operation.name.as_str(), read(operation)) {
                ("login" | "who_am_i", Ok(read)) => read,
                ("login" | "who_am_i", Err(why)) => return CountedVerdict::broken(judged + 1, why).of(operation),
                _ => continue,
            };
            let session = operation.session();
            match (asked, reply) {
                (Operation::Login { user }, Some(Reply::LoggedIn)) => drop(users.insert(session, user)),
                (_, Some(Reply::User(user))) => {
                    judged += 1;
                    let own = users.get(&session).map_or("nobody", String::as_str);
                    if user != own {
                        let (client, at) = (operation.client, operation.invoked_at);
                        let why = format!("P5: client {client}, who is {own}, was told at {at:?} to be {user}");
                        return CountedVerdict::broken(judged, why).of(operation);
                    }
                }
                _ => {}
            }
        }
        CountedVerdict::kept(judged, "nobody was told who is logged in: let the clients log in and ask")
    })
}

/// C3: a note that is read is one that was written, from its first line to its last.
pub fn notes_are_whole() -> Check {
    Check::new("C3 notes are whole", |_: &Trace, history: &History| {
        let mut judged = 0;
        for operation in history.named("read_note") {
            let text = match reply(operation) {
                Ok(Some(Reply::Note(text))) => text,
                Ok(_) => continue,
                Err(error) => return CountedVerdict::broken(judged + 1, unreadable(error)).of(operation),
            };
            judged += 1;
            let first = text.lines().next().unwrap_or_default();
            let stated = first.rsplit(' ').next().and_then(|lines| lines.parse().ok());
            if stated.is_none_or(|lines| note(lines) != text) {
                let (client, at, read) = (operation.client, operation.invoked_at, text.lines().count());
                let why =
                    format!("C3: client {client} read {read} lines of a note at {at:?} that begins with {first:?}");
                return CountedVerdict::broken(judged, why).of(operation);
            }
        }
        CountedVerdict::kept(judged, "no note was read: let the clients write notes and read them")
    })
}

/// X1: no order has a price that its buyer has made up, neither when it is acknowledged nor in the books.
pub fn buyers_set_no_prices() -> Check {
    Check::new("X1 buyers set no prices", |_: &Trace, history: &History| {
        let mut judged = 0;
        for operation in &history.operations {
            let orders = match priced(operation) {
                Ok(orders) => orders,
                Err(error) => return CountedVerdict::broken(judged + 1, unreadable(error)).of(operation),
            };
            for OrderReceipt { id, sku, cents, .. } in &orders {
                let (Some(cents), right) = (*cents, cents_of(sku)) else { continue };
                judged += 1;
                if cents != right {
                    let (client, at) = (operation.client, operation.invoked_at);
                    let why = format!(
                        "X1: order {id} has a price of {cents} cents, but {sku} costs {right}: {} of client {client} at {at:?}",
                        operation.name
                    );
                    return CountedVerdict::broken(judged, why).of(operation);
                }
            }
        }
        CountedVerdict::kept(judged, "no order had a price: let the clients order at a price")
    })
}

/// The orders that an operation found or placed, of which some may have prices.
fn priced(operation: &Seen) -> Result<Vec<OrderReceipt>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(match (audited(operation)?, reply(operation)?) {
        (Some(orders), _) => orders,
        (None, Some(Reply::Placed(receipt) | Reply::Order(receipt))) => vec![receipt],
        _ => Vec::new(),
    })
}

/// C4: every order in the books, and every one that is read, is one that its client has placed: no record holds parts of two.
pub fn orders_are_whole() -> Check {
    check::records_are_whole(
        |operation| {
            Ok(match operation.name.as_str() {
                "place_order" => match operation.input()? {
                    Operation::PlaceOrder { sku, quantity } => Some((u64::from(operation.client), sku, quantity)),
                    _ => None,
                },
                _ => None,
            })
        },
        |operation| {
            let orders = match reply(operation)? {
                Some(Reply::Order(receipt)) => Some(vec![receipt]),
                _ => audited(operation)?,
            };
            let whole = |OrderReceipt { call, sku, quantity, .. }| {
                let client = call.parse::<u64>().map_or(u64::MAX, |call| call / CALLS_PER_CLIENT);
                (client, sku, quantity)
            };
            Ok(orders.map(|orders| orders.into_iter().map(whole).collect()))
        },
    )
}

/// D1: a price that is not fresh is marked, and no older than the limit. A fresh one was asked for while its buyer waited.
pub fn fallbacks_are_marked(oldest: std::time::Duration) -> Check {
    Check::over_exchanges("D1 fallbacks are marked", move |trace: &Trace, history: &History| {
        let mut judged = 0;
        for operation in history.named("price") {
            let (sku, price) = match read(operation) {
                Ok((Operation::Price { sku }, Some(Reply::Price(price)))) => (sku, price),
                Ok(_) => continue,
                Err(why) => return CountedVerdict::broken(1, why).of(operation),
            };
            let Some((answered_at, _)) = operation.completed else { continue };
            judged += 1;
            let (asked_at, path) = (operation.invoked_at, format!("/price/{sku}"));
            let is_meanwhile = |at: std::time::Duration| (asked_at..=answered_at).contains(&at);
            let is_fresh = trace.exchanges().iter().any(|exchange: &Exchange| {
                exchange.path == path
                    && exchange.status == Some(200)
                    && exchange.is_complete()
                    && exchange.ended_at.is_some_and(is_meanwhile)
            });
            let age_ms = u128::from(price.age_ms);
            let why = match price.degraded {
                false if !is_fresh => "is an old one that is not marked".to_owned(),
                true if age_ms > oldest.as_millis() => format!("is {age_ms} ms old; the limit is {oldest:?}"),
                _ => continue,
            };
            let (client, price) = (operation.client, price.cents);
            let why =
                format!("D1: the price of {sku} that client {client} asked for at {asked_at:?}, {price} cents, {why}");
            return CountedVerdict::broken(judged, why).of(operation);
        }
        CountedVerdict::kept(judged, "no price was answered: let the clients ask for prices")
    })
}

fn judge(operation: &Seen, placed: &mut BTreeMap<u64, OrderReceipt>) -> Result<(), String> {
    if let Some(audited) = audited(operation).map_err(unreadable)? {
        return audited.iter().try_for_each(|order| as_placed(order, placed));
    }
    if operation.name == "audit" {
        return Ok(());
    }
    let asked: Operation = operation.input().map_err(unreadable)?;
    if let (Operation::ReadOrder { .. }, Some((_, Completion::Fail(why)))) = (&asked, &operation.completed)
        && why.contains("404")
    {
        return Err("an acknowledged order was reported missing".to_owned());
    }
    match (asked, reply(operation).map_err(unreadable)?) {
        (Operation::PlaceOrder { sku, quantity }, Some(Reply::Placed(receipt))) => {
            if (&receipt.sku, receipt.quantity) != (&sku, quantity) {
                return Err(format!("{quantity} x {sku} was ordered, but {receipt:?} was acknowledged"));
            }
            as_placed(&receipt, placed)?;
            placed.insert(receipt.id, receipt);
        }
        (_, Some(Reply::Order(receipt))) => as_placed(&receipt, placed)?,
        _ => {}
    }
    Ok(())
}

/// What a buyer did, and the reply, if there is one.
fn read(operation: &Seen) -> Result<(Operation, Option<Reply>), String> {
    Ok((operation.input().map_err(unreadable)?, reply(operation).map_err(unreadable)?))
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("what was recorded cannot be read: {error}")
}

/// Checks that an order equals the one that was acknowledged under its number, if any.
fn as_placed(order: &OrderReceipt, placed: &BTreeMap<u64, OrderReceipt>) -> Result<(), String> {
    match placed.get(&order.id) {
        Some(before) if before != order => Err(format!("{before:?} was acknowledged, but {order:?} was read")),
        _ => Ok(()),
    }
}
