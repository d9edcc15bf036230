//! What a planner process remembers between events, so that it need not ask again.

mod cache;
pub mod definitions;
pub(crate) mod executions;
pub(crate) mod functions;
pub(crate) mod manifest;
