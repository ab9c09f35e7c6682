//! Why runs cannot be carried out.

/// Why an exploration could not be carried out: no verdict on the code under test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process that runs cases cannot be started or died by itself.
    #[error("the process that runs cases failed: {0}")]
    Worker(std::io::Error),
    /// The process that runs cases does not do what it is asked.
    #[error("the process that runs cases gave no outcome: {0}")]
    Refused(String),
}
