//! The command, started as a process of its own.
//!
//! The tests of `kill` are another binary: they need the machine for themselves.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod cache;
mod code;
mod content;
mod deploy;
mod features;
mod flights;
mod forgery;
mod graph;
mod help;
mod host;
mod hostile;
mod python;
mod queues;
mod recovery;
mod rights;
mod sagemaker;
mod said;
mod selection;
mod synth;
mod trace;
mod what_if;
