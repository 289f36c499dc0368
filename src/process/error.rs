//! Why a process did not start, or ended.

/// Why a server or an agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else has what it needs.
    #[error("{0}")]
    Conflict(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl StartError {
    /// Anything else.
    pub fn failed(message: impl Into<String>) -> StartError {
        StartError::Failed(message.into())
    }
}
