//! The store acknowledges an order that is only in its memory.

use redb::Durability;
use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::durability;

pub fn mistake() -> Mistake {
    changed("acknowledges_before_the_sync", durability::with, |setup| setup.store.durability = Durability::None)
        .breaks("C2")
        .in_part("the store's commits")
}
