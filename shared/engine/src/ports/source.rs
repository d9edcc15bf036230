//! The cause of a port's failure, as its adapter knows it.

/// An error of any adapter, kept as the source of a port's error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
