//! A step that does nothing, on the step SDK: what is measured with it is sidestep itself.

use serde_json::{Value, json};
use sidestep_step::{Error, StepContext, StepError};

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(noop).await
}

async fn noop(arguments: Value, _: StepContext) -> Result<Value, StepError> {
    Ok(json!({ "Value": arguments["Value"] }))
}
