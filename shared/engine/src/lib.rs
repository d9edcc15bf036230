//! The ports of sidestep and the one interpreter that stands between them and `sidestep-core`.
//!
//! An event is handled as: load, gather facts, `plan()`, write records, create the commit, perform the effects. Every rule is in core;
//! an `if` about pipelines in this crate is in the wrong place.

mod advance;
mod at_hand;
pub mod batch;
pub mod cache;
pub mod choose;
pub mod clock;
pub mod control;
pub mod definitions;
mod describe;
pub mod engine;
pub mod functions;
pub mod garbage;
mod gather;
pub mod handoff;
mod head;
mod late;
mod lease;
pub mod message;
pub mod object;
mod past;
pub mod pipelines;
mod planner;
mod prefetch;
mod preview;
pub mod probe;
pub mod queue;
mod recent;
pub mod repair;
pub mod schedule;
pub mod start;
pub mod store;
pub mod sweep;
pub mod trigger;
mod turn;
pub mod watcher;
