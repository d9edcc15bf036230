//! The smallest step, which measures what the SDK itself costs in binary size and start time.

use serde_json::{Map, Value};
use sidestep_step::{Error, StepContext, StepError};

async fn noop(
    _arguments: Map<String, Value>,
    _ctx: StepContext,
) -> Result<Map<String, Value>, StepError> {
    Ok(Map::new())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(noop).await
}
