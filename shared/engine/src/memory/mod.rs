//! What a planner process remembers between events.

pub mod definitions;
pub(crate) mod executions;
pub(crate) mod functions;
