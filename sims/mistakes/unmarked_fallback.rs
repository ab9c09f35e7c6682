//! An old price is served as if it were fresh.

use squall::scenario::Mistake;

use super::changed;
use crate::scenarios::degradation;

pub fn mistake() -> Mistake {
    changed("unmarked_fallback", degradation::with, |setup| setup.api.mistakes.unmarked_fallback = true)
        .breaks("D1")
        .in_part("the fallback")
}
