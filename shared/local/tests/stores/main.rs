//! The embedded S3 and DynamoDB, through the AWS SDK and through bare HTTP.

mod cloud;
mod durability;
mod dynamodb;
mod listing;
mod notifications;
mod objects;
mod uploads;
mod wire;
