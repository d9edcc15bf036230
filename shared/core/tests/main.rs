//! The domain from outside: what is parsed, what is refused, and what the planner decides.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "tests may")]
#![allow(clippy::disallowed_methods, reason = "core does no I/O; its tests read fixtures")]

mod corpus;
mod garbage;
mod hostile;
mod invalid;
mod limits;
mod places;
mod rules;
