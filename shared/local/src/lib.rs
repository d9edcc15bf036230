//! The embedded cloud: DynamoDB, S3 and Lambda served on loopback.

pub mod cloud;
pub mod deployment;
pub mod dynamodb;
pub mod events;
pub mod folder;
pub mod lambda;
pub mod s3;
