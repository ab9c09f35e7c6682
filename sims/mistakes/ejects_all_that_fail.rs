//! When the store fails, every backend does, and each is ejected, although none of them is to blame.

use squall::scenario::Mistake;

use crate::scenarios::ejection;

pub fn mistake() -> Mistake {
    let wrong = ejection::changed(|_, rules| rules.most = 1.0);
    Mistake::new("ejects_all_that_fail", ejection::scenario(), wrong).breaks("H3").in_part("the gateway's ejections")
}
