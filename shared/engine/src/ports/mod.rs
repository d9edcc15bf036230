//! The traits through which the engine reaches the world, in words of the domain.

pub mod clock;
pub mod executions;
pub mod functions;
pub mod objects;
pub mod pipelines;
pub mod queues;
pub mod watcher;
