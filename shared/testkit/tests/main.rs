//! The simulator, the model of the protocol and the fuzz targets.
//!
//! All of them compute, and none of them waits.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod fuzz;
mod jobs;
mod model;
mod simulator;
