//! Why runs cannot be carried out.

use crate::scenario::ScenarioError;

/// Why an exploration could not be carried out: no verdict on the code under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process that runs cases cannot be started or died by itself.
    #[error("the process that runs cases failed: {0}")]
    Worker(std::io::Error),
    /// The scenario makes no sense.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A generator of the user's own drew a fault that cannot be carried out.
    #[error("{0}")]
    Drawn(String),
    /// The process that runs cases does not do what it is asked.
    #[error("the process that runs cases gave no outcome: {0}")]
    Refused(String),
}
