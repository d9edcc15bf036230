//! The embedded cloud: DynamoDB, S3 and Lambda served on loopback.

pub mod dynamodb;
pub mod events;
pub mod lambda;
pub mod s3;
pub mod cloud;
pub mod folder;
