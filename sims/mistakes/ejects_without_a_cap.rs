//! When every backend fails, because the store does, all of them are ejected, and there is nobody left to ask.

use squall::scenario::Mistake;

use crate::scenarios::ejection;

pub fn mistake() -> Mistake {
    Mistake::new(
        "ejects_without_a_cap",
        ejection::scenario(),
        ejection::changed(|setup, rules| {
            setup.gateway.panic_threshold = 0.0;
            rules.most = 1.0;
        }),
    )
    .breaks("H4")
    .in_part("the gateway's ejections")
}
