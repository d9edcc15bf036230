//! Builds the project's Rust functions.

mod binaries;
mod binary;
mod call;
pub(crate) mod crates;
mod handler;
pub(crate) mod lambda;
mod messages;
mod record;
pub(crate) mod sdk_packages;
mod stored;
#[cfg(test)]
mod tests;

pub(crate) use stored::stored;
