//! The ports of sidestep over AWS: the only crate that names a service's SDK.
//!
//! A step needs only S3 and takes this crate without default features. `planner` adds DynamoDB,
//! Lambda and SQS, `events` adds EventBridge, and `deploy` adds what the command needs to create a
//! stack.

#[cfg(feature = "planner")]
pub mod asked;
#[cfg(feature = "planner")]
pub mod counter;
#[cfg(feature = "deploy")]
pub mod deploy;
#[cfg(feature = "planner")]
mod engine;
#[cfg(feature = "events")]
pub mod event_bus;
mod http;
#[cfg(feature = "jobs")]
pub mod jobs;
#[cfg(feature = "planner")]
pub mod lambda;
pub mod object;
#[cfg(feature = "planner")]
pub mod queue;
#[cfg(feature = "planner")]
pub mod recorder;
#[cfg(feature = "planner")]
pub mod table;

pub use aws_config::SdkConfig;
pub use sidestep_engine::handle::sqs_batch::Consumer;
pub use sidestep_engine::options::EngineOptions;

#[cfg(feature = "events")]
pub use self::engine::event_bus;
#[cfg(feature = "jobs")]
pub use self::engine::jobs_engine_from_env;
#[cfg(feature = "planner")]
pub use self::engine::{
    ServiceEndpoints, Settings, counted_engine, counted_engine_from_env, engine, engine_from_env,
    handoff_from_env, local_config, signed_config, stack_engine, stack_jobs,
};
pub use self::http::{http_client, plain_http_client};
