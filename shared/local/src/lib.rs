//! The embedded cloud: DynamoDB, S3, Lambda and SQS served on loopback.

mod account;
pub mod cloud;
mod delivery;
pub mod deployment;
pub mod dynamodb;
pub mod event_log;
pub mod events;
pub mod folder;
pub mod lambda;
pub mod overlay;
pub mod s3;
mod sqlite;
pub mod sqs;
mod transport;
