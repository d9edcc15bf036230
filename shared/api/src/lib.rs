//! SageMaker's API for pipelines, as far as boto3, the AWS CLI and the SageMaker Python SDK use it.
//!
//! ```text
//! POST /  ->  http: protocol, sizes, one task per request  ->  signature: whose it is
//!         ->  api: the operation by its name  ->  checks: SageMaker's limits, all violations at once
//!         ->  the engine, and the store of registered pipelines
//! ```
//!
//! Every operation is a thin face: what may run, be reused or be retried is decided in `sidestep-core`, and what is started here is an
//! execution like any other. Left out on purpose: jobs, models, experiments and everything else of SageMaker that is no pipeline; such an
//! operation is refused by name.

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
mod keys;
mod once;
mod page;
mod pipeline;
mod project;
mod record;
mod reference;
mod signature;
mod start;
mod step;
mod tag;
mod time;
mod version;

pub use self::api::{Api, OPERATIONS};
pub use self::error::ApiError;
pub use self::http::{Admission, router, serve};
pub use self::keys::{AccessKeys, AccessKeysError};
pub use self::project::{ProjectPipeline, Registration};
