//! Notes on orders: a text that a buyer writes under an order, as long as a letter, and reads again.
//!
//! Owns the table of notes and the meaning of `GET` and `PUT /orders/ID/note`. The text is the whole body of the request, so
//! that nothing in it tells whether it is complete: only the end of the body does. The store, which calls this, waits for
//! the disk and handles its failures.

use hyper::StatusCode;
use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

use super::message::{Answer, json, problem};

/// The note of each order.
const NOTES: TableDefinition<'_, u64, &str> = TableDefinition::new("notes");

/// A note as it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The whole text.
    pub text: String,
}

/// The path of an order's note.
pub fn path(order: u64) -> String {
    format!("/orders/{order}/note")
}

/// The order whose note has this path, if it is the path of a note.
pub fn order_of(path: &str) -> Option<u64> {
    path.strip_prefix("/orders/")?.strip_suffix("/note")?.parse().ok()
}

/// Answers with the note of an order.
pub(super) fn read(database: &Database, order: u64) -> Result<Answer, redb::Error> {
    let notes = match database.begin_read()?.open_table(NOTES) {
        Ok(notes) => notes,
        // The first write creates the table.
        Err(TableError::TableDoesNotExist(_)) => return Ok(no_note()),
        Err(error) => return Err(error.into()),
    };
    let found = notes.get(order)?;
    Ok(found.map_or_else(no_note, |text| json(StatusCode::OK, &Note { text: text.value().to_owned() })))
}

/// Replaces the note of an order.
pub(super) fn write(database: &Database, durability: Durability, order: u64, text: &str) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability)?;
    transaction.open_table(NOTES)?.insert(order, text)?;
    Ok(transaction.commit()?)
}

fn no_note() -> Answer {
    problem(StatusCode::NOT_FOUND, "no such note")
}
