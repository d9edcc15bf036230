//! The ports of sidestep and the one interpreter that stands between them and `sidestep-core`.
//!
//! The engine handles an event in this order: load, gather facts, `plan()`, write records, create
//! the commit, perform the effects. Core holds every rule.

pub mod advance;
pub mod control;
pub mod engine;
pub mod handle;
pub mod memory;
pub mod ports;
pub mod read;
pub mod start;
pub mod sweep;
