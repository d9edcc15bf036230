//! The embedded cloud: DynamoDB, S3, Lambda and SQS of one state folder, served on loopback.
//! [`cloud`] also serves them on one address, with STS, IAM, CloudWatch Logs and EventBridge.
//!
//! [`cloud`] runs the four servers, [`jobs`] runs SageMaker's jobs as processes, and [`deployment`]
//! sets up on them what a stack sets up on AWS. The rest of sidestep reaches them through the same
//! SDKs as AWS, so what works here works there.
//!
//! ```text
//! deployment -> cloud -> dynamodb, s3, lambda, sqs     -> files below `.sidestep/`
//!                        events (S3 notifications), delivery (to functions)
//! ```

mod account;
mod address;
pub mod clients;
pub mod cloud;
mod cloud_error;
mod config;
mod delivery;
pub mod deployment;
mod drain;
pub mod dynamodb;
pub mod event_log;
pub mod event_source;
pub mod events;
pub mod folder;
pub mod guard;
mod host_options;
pub mod jobs;
pub mod lambda;
mod open_s3;
pub mod overlay;
mod peer;
mod refusal;
pub mod s3;
mod servers;
mod sqlite;
pub mod sqs;
mod tracer;
mod transport;
mod variables;
