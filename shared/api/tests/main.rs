//! The API's router in process, over the in-memory ports: no socket, no Python.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "tests may, and requests are written where they are sent"
)]

mod callbacks;
mod corpus;
mod executions;
mod experiments;
mod lists;
mod pipelines;
mod protocol;
mod refusals;
mod server;
mod tags;
