//! Jobs: the step types whose work another service does.
//!
//! A job step is claimed, retried and cached like any other. What differs from a function is one
//! row of [`kind`], and how its name, request and answer are read. Nothing here makes a request.

pub mod answer;
pub mod compared;
pub mod content;
pub mod kind;
pub mod name;
pub mod outcome;
pub mod refusal;
mod remote;
pub mod request;
pub mod start;

pub use kind::JobType;
