//! Retries, time-outs, stop, taking up again and callbacks, through the command.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod callbacks;
mod control;
mod project;
mod repair;
mod retries;
