//! Runs cases that must pass: once, or twice if the run left the sandbox. Only a case that fails is investigated.

use super::error::Error;
use super::failure::{Evidence, Failure, investigate_result};
use super::job::{CaseRef, JobKind};
use super::pool::Pool;
use crate::scenario::Case;

/// Runs a case and returns the failure; `None` if it passes.
///
/// # Errors
/// If the case cannot run at all.
pub fn recheck(pool: &Pool, scenario: usize, case: &Case) -> Result<Option<Failure>, Error> {
    let case_ref = CaseRef::Case(Box::new(case.clone()));
    let first = pool.run(scenario, &case_ref, JobKind::Outcome)?;
    let mut evidence = Evidence::RunOnce;
    if !first.outcome.escapes.is_empty() {
        // A run that left the sandbox may have passed by luck.
        let again = pool.run(scenario, &case_ref, JobKind::Outcome)?;
        evidence = if first.is_same_run(&again) { Evidence::Same } else { Evidence::Different };
    }
    if first.outcome.verdict.is_pass() && evidence != Evidence::Different {
        return Ok(None);
    }
    investigate_result(pool, scenario, &case_ref, first, evidence, None).map(Some)
}
