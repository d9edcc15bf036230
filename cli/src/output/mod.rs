//! Everything that the command prints: progress, tables, errors and questions.

// First, because its macros replace the standard ones everywhere below.
#[macro_use]
pub(crate) mod stream;

pub(crate) mod confirm;
pub(crate) mod cost;
pub(crate) mod count;
pub(crate) mod error;
pub(crate) mod exit_status;
pub(crate) mod explanations;
pub(crate) mod failure_log;
pub(crate) mod follow;
pub(crate) mod printable;
pub(crate) mod problems;
pub(crate) mod progress;
pub(crate) mod progress_line;
pub(crate) mod rows;
pub(crate) mod screen;
pub(crate) mod table;
