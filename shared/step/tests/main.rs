//! Steps from outside: a handler without any server, and a whole function under a Lambda runtime.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod function;
mod handler;
mod python;
