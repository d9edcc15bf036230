//! Adapters against servers that check or record what they are asked.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests may, and units are halves")]

#[cfg(feature = "planner")]
mod counter;
#[cfg(feature = "events")]
mod event_bus;
