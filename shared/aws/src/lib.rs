//! The ports of sidestep over AWS: the only crate that names a service's SDK.
//!
//! A step needs only S3 and takes this crate without default features; `planner` adds DynamoDB and Lambda.

#[cfg(feature = "planner")]
mod engine;
#[cfg(feature = "planner")]
pub mod lambda;
pub mod object;
#[cfg(feature = "planner")]
pub mod table;

#[cfg(feature = "planner")]
pub use self::engine::{ServiceEndpoints, Settings, engine, engine_from_env, local_config};
