//! A step function for tests, without the step SDK.
//!
//! It is an ordinary Lambda function that does what its arguments say.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let arguments = &event.payload;
    match arguments["Do"].as_str() {
        Some("fail") => Err(Error::from("asked to fail")),
        Some("die") => std::process::abort(),
        Some("hang") => std::future::pending().await,
        _ => Ok(
            json!({"Value": arguments["Value"], "Execution": arguments["Sidestep"]["ExecutionId"]}),
        ),
    }
}
