//! SageMaker's API for pipelines, as far as boto3, the AWS CLI and the SageMaker Python SDK use it.
//!
//! ```text
//! POST /  ->  http: protocol, sizes, one task per request  ->  signature: the sender
//!         ->  operation: the handler by its name  ->  checks: SageMaker's limits, all at once
//!         ->  the engine, and the store of registered pipelines
//! ```
//!
//! Every operation is a thin layer: `sidestep-core` decides what may run, be reused or be retried,
//! and an execution that is started here is like any other. What else SageMaker has, such as jobs,
//! is asked of [`OtherOperations`] first, or refused by name.

mod answer;
mod api;
mod callback;
mod catalog;
mod checks;
mod definition;
mod delete;
mod error;
mod execution;
mod executions;
mod http;
mod once;
mod operation;
mod page;
mod pipeline;
mod project;
mod record;
mod reference;
mod start;
mod step;
mod tag;
mod time;
mod version;

pub use sidestep_admission::{AccessKeys, AccessKeysError};

pub use self::api::{Api, OtherAnswer, OtherOperations};
pub use self::error::ApiError;
pub use self::http::{Admission, answering, router, serve};
pub use self::operation::Operation;
pub use self::project::{ProjectPipeline, Registration};
