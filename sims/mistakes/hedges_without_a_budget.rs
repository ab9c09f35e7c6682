//! A gateway asks a second server for every read that takes long. When all servers are slow, it doubles their load.

use squall::scenario::Mistake;

use crate::scenarios::slow_reads;

pub fn mistake() -> Mistake {
    let wrong = slow_reads::changed(|_, rules| rules.burst = f64::INFINITY);
    Mistake::new("hedges_without_a_budget", slow_reads::scenario(), wrong).breaks("R2").in_part("the gateway's hedges")
}
