//! Events from AWS: each becomes a call of the engine.

mod planner;
pub mod probe;
mod request;
pub mod schedule;
pub mod sqs_batch;
pub mod trigger;
pub mod window;
