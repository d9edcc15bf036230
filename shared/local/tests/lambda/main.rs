//! The Lambda host with real functions: `lambda_runtime`, `awslambdaric`, and ones that misbehave.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may")]

mod api;
mod concurrency;
mod destination;
mod failure;
mod fixture;
mod in_process;
mod invoke;
mod log;
mod process;
mod python;
mod recursion;
