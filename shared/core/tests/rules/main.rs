//! The planner's rules, on definitions in YAML: events and facts in, commits and effects out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers of tests say what they expect"
)]

mod condition;
mod history;
mod plan;
mod properties;
mod recovery;
mod repair;
mod selection;
mod what_if;
mod world;
