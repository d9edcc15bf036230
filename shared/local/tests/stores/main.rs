//! The embedded S3 and DynamoDB, through the AWS SDK and through bare HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod cloud;
mod durability;
mod dynamodb;
mod listing;
mod notifications;
mod objects;
mod uploads;
mod wire;
