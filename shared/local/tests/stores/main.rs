//! The embedded S3, DynamoDB and SQS, through the AWS SDK and through bare HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod cloud;
mod doors;
mod durability;
mod dynamodb;
mod forms;
mod jobs;
mod listing;
mod notifications;
mod objects;
mod planner;
mod queues;
mod uploads;
mod wire;
