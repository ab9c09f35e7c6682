//! Cases that must pass: run once, and looked at closely only if they do not.

use super::Error;
use super::failure::{Evidence, Failure, investigate_answer};
use super::job::{Subject, Want};
use super::pool::Pool;
use crate::scenario::Case;

/// Runs a case; none if it passes.
///
/// # Errors
/// If it cannot be run at all.
pub fn recheck(pool: &Pool, scenario: usize, case: &Case) -> Result<Option<Failure>, Error> {
    let subject = Subject::Case(Box::new(case.clone()));
    let first = pool.run(scenario, &subject, Want::Outcome)?;
    if first.outcome.verdict.is_pass() {
        return Ok(None);
    }
    investigate_answer(pool, scenario, &subject, first, Evidence::RunOnce, None).map(Some)
}
