//! The execution and cache ports over one DynamoDB table.
//!
//! | PK | SK | holds |
//! |---|---|---|
//! | `E#EXECUTION` | `START` | what the execution was started with, never edited |
//! | `E#EXECUTION` | `HEAD` | the fold: status, revision, four bytes a step; `Live` while it is not over |
//! | `E#EXECUTION` | `C#00000007` | commit 7, never edited; creating it is the commit point |
//! | `P#PIPELINE` | `X#000001700000000#EXECUTION` | a line of the list of executions |
//! | `P` | `PIPELINE` | a pipeline that was ever started |
//! | `K#KEY` | `ENTRY` | a cache entry |
//! | `T#BUCKET` | `PIPELINE#N` | a trigger; `T`, `BUCKET` lists the buckets that have any |
//!
//! The one index, `Live`, is sparse: only a `HEAD` that is not over has its key, and no ordinary commit touches it, so it costs two
//! writes an execution and none a step.

mod cache;
mod error;
mod executions;
mod item;
mod schema;
mod triggers;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

pub use self::schema::{LIVE_INDEX, create_table};

/// The table of one deployment. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    name: String,
}

impl DynamoTable {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }
}
