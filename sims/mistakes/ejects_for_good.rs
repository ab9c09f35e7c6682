//! A backend that has failed a few requests in a row is never asked again, although its probes succeed.

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::scenarios::ejection;

pub fn mistake() -> Mistake {
    let broken = ejection::changed(|_, rules| (rules.base, rules.longest) = (secs(86_400), secs(86_400)));
    Mistake::new("ejects_for_good", ejection::scenario(), broken).breaks("H2").in_part("the gateway's ejections")
}
