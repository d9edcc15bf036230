//! The traits through which the engine reaches the world, in words of the domain.

pub mod clock;
pub mod disk_full;
pub mod executions;
pub mod functions;
pub mod objects;
pub mod pipelines;
pub mod queues;
pub mod watcher;

/// The cause of a failure, of a type that only an adapter knows.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
