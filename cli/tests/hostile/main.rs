//! Bad surroundings and bad input, through the command.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod definitions;
mod project;
mod surroundings;
