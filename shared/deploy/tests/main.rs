//! Templates that are synthesised, and what their policies allow.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

mod deployer;
mod fixture;
mod iam;
mod lint;
mod policy;
mod template;
