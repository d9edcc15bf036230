//! A Lambda host: runs unmodified Lambda functions as local processes.
//!
//! A function is a command that speaks the Lambda Runtime API (`lambda_runtime`, `awslambdaric`,
//! any other runtime interface client) or a [`Handler`] hosted in this process. Around it stands
//! what Lambda gives:
//!
//! ```text
//! Invoke (HTTP, Rust) -> scheduler: queue, concurrency -> environment: process, Runtime API
//!                              ^                                 |
//!                              +---- retries, destinations <-----+-> one log per invocation
//! ```
//!
//! What it deliberately is not: the asynchronous queue lives in memory, so events that were
//! accepted but not finished are lost when the host dies (callers repair that with their sweep, as
//! they must on AWS for other reasons); there are no versions, aliases, layers, extensions,
//! response streams or CPU shares.

mod access;
mod answer;
mod api;
mod attempt;
mod body;
mod control;
mod destination;
mod dispatch;
mod environment;
mod environment_handle;
mod error;
mod function;
mod functions_api;
mod host;
mod in_process;
mod invocation;
mod invocation_log;
mod limits;
mod lineage;
mod log;
mod log_key;
mod metrics;
mod options;
mod process;
mod reference;
mod report;
mod response;
mod runtime_api;
mod runtime_json;
mod sandbox;
mod scheduler;
mod shared;
mod watchdog;
mod worker;

pub use control::{Runtimes, UnpackedFunction};
pub use error::{HostError, InvokeError};
pub use function::{
    Code, Command, Destination, FunctionConfig, FunctionError, Handler, InvocationMeta, Network,
    RecursiveLoop,
};
pub use host::LambdaHost;
pub use invocation::{InvocationType, InvokeOutput, InvokeRequest};
pub use limits::{EVENT_PAYLOAD_BYTES, REQUEST_PAYLOAD_BYTES, RESPONSE_PAYLOAD_BYTES};
pub use log::LogLine;
pub(crate) use log::{INVOCATIONS, TIMESTAMP};
pub use log_key::{InvalidLogKey, LogKey, LogKeyFn};
pub use metrics::{Counts, Load};
pub use options::HostOptions;

pub(crate) use watchdog::Watchdog;
