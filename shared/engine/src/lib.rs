//! The ports of sidestep and the one interpreter that stands between them and `sidestep-core`.
//!
//! An event is handled as: load, gather facts, `plan()`, write records, create the commit, perform the effects. Every rule is in core;
//! an `if` about pipelines in this crate is in the wrong place.

pub mod clock;
pub mod definitions;
mod describe;
pub mod engine;
pub mod functions;
mod gather;
pub mod object;
mod planner;
pub mod start;
pub mod store;
pub mod sweep;
pub mod trigger;
