//! The execution and cache ports over one DynamoDB table.
//!
//! | PK | SK | holds |
//! |---|---|---|
//! | `E#EXECUTION` | `START` | what the execution was started with, never edited |
//! | `E#EXECUTION` | `HEAD` | the folded state: status, revision, four bytes a step |
//! | `E#EXECUTION` | `C#00000007` | commit 7, never edited; creating it is the commit point |
//! | `E#EXECUTION` | `D#0003#000001` | a late report of attempt 1 of step 3, which was given up |
//! | `P#PIPELINE` | `X#000001700000000#EXECUTION` | an entry of the list of executions |
//! | `E#EXECUTION` | `LABEL` | what a caller of the SageMaker API calls it |
//! | `P` | `PIPELINE` | a pipeline that was ever started or registered |
//! | `P#PIPELINE` | `PIPELINE` | a registered pipeline: names, tags, aliases, the latest version |
//! | `P#PIPELINE` | `V#0000000007` | version 7 of its definition |
//! | `I#OPERATION#TOKEN` | `ANSWER` | the answer under an idempotency token, until `ExpiresAt` |
//! | `B#TOKEN` | `CALLBACK` | the step that a callback token belongs to |
//! | `R#REQUEST` | `REQUEST` | the attempt that an invocation belongs to, until `ExpiresAt` |
//! | `K#KEY` | `ENTRY` | a cache entry |
//! | `T#BUCKET` | `PIPELINE#N` | a trigger; `T`, `BUCKET` lists the buckets that have triggers |
//! | `W` | `WINDOW` | an open window of a batch trigger, and how often an upload was noted for it |
//! | `W#WINDOW` | `O#UPLOAD` | an upload of the window; `P#000001`, its first part |
//!
//! Documents are the text `Body`, or `Deflated` where that is shorter.
//!
//! The one index, `Live`, is sparse. Only a live `HEAD` has the attribute `Live`: one of an
//! execution that has not ended, or that is to be retried, which `Asked` says. No ordinary commit
//! touches that attribute, so the index costs two writes for each execution and none for each step.

mod access;
mod batches;
mod cache;
mod client;
mod commits;
mod error;
mod executions;
mod head;
mod item;
mod key;
mod list;
mod pipelines;
mod schema;
mod triggers;

pub use self::client::DynamoTable;
pub use self::schema::{LIVE_INDEX, create_table};
