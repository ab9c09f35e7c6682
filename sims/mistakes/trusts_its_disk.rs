//! The store serves what its disk returns, unchecked.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::bad_disks;

pub fn mistake() -> Mistake {
    changed("trusts_its_disk", bad_disks::with, |setup| setup.store.verifies_reads = false)
        .breaks("D1")
        .in_part("the store's reads")
}
