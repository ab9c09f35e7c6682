//! The check that served orders are correct: compares what buyers and the auditor received with what buyers ordered.

use std::collections::BTreeMap;

use squall::check::{Check, CountedVerdict};
use squall::history::{Completion, Operation as Seen};
use squall::prelude::*;

use super::message::OrderReceipt;
use super::simulated::{audited, reply};
use super::workload::{Operation, Reply};

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
                return CountedVerdict::broken(judged, why);
            }
        }
        CountedVerdict::kept(judged, "no operation was acknowledged: let the clients order for longer")
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
