//! A server reports itself dead when the store does not answer it.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::partitions;

pub fn mistake() -> Mistake {
    changed("liveness_asks_the_store", partitions::with, |setup| setup.api.health_covers_store = true)
        .breaks("H5")
        .in_part("the api servers' health")
}
