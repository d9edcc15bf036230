//! The job function: connects Lambda's events to the engine, which makes, watches and stops jobs.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use sidestep_aws::{Consumer, EngineOptions};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let handoff = sidestep_aws::handoff_from_env()?;
    let options = EngineOptions { handoff, ..EngineOptions::default() };
    let engine = Arc::new(sidestep_aws::jobs_engine_from_env(options)?);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let engine = Arc::clone(&engine);
        async move { engine.consume(Consumer::Job, event.payload).await.map_err(Error::from) }
    }))
    .await
}
