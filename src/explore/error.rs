//! The errors for which an exploration has no result.

use crate::scenario::ScenarioError;

/// Why an exploration has no result. It is not a verdict on the code under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process that runs cases could not be started, or died by itself.
    #[error("the process that runs cases failed: {0}")]
    Worker(std::io::Error),
    /// The scenario is invalid.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A user's own generator drew a fault that cannot be carried out.
    #[error("{0}")]
    Drawn(String),
    /// The process that runs cases did not do its job.
    #[error("the process that runs cases gave no outcome: {0}")]
    Refused(String),
}
