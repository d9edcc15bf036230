//! End to end on the embedded cloud, and the rules of the house.
//!
//! `burst` is another binary: it loads the machine for minutes.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod corpus;
mod crash;
mod denied;
mod deployment;
mod errors;
mod handoff;
mod house;
mod listing;
mod once;
mod outage;
mod permissions;
mod ports;
mod promises;
mod requests;
mod services;
mod setup;
mod store_suites;
mod stuck;
mod table;
mod watcher;
