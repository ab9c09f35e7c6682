//! What the operations of buyers and of the auditor have recorded, read again by checks.

use squall::check::Decoded;
use squall::history::Operation as Seen;

use super::message::OrderReceipt;
use super::workload::Reply;

/// The reply to an operation of a buyer; the audit is none.
pub fn reply(operation: &Seen) -> Decoded<Reply> {
    if operation.name == "audit" { Ok(None) } else { Ok(operation.answer()?) }
}

/// The orders that an audit found.
pub fn audited(operation: &Seen) -> Decoded<Vec<OrderReceipt>> {
    if operation.name == "audit" { Ok(operation.answer()?) } else { Ok(None) }
}
