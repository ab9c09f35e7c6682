//! The store acknowledges an order whose commit failed.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::bad_disks;

pub fn mistake() -> Mistake {
    changed("acknowledges_despite_errors", bad_disks::with, |setup| setup.store.acknowledges_despite_errors = true)
        .breaks("I2")
        .in_part("the store's commits")
}
