//! The functions, behind faults.

use async_trait::async_trait;
use serde_json::Value;
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::execution::start::Function;
use sidestep_engine::ports::functions::{FunctionError, Functions};

use super::super::handler;
use super::{Fault, Faulty, injected};

#[async_trait]
impl Functions for Faulty {
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError> {
        let error = || unavailable("describe", function_arn);
        let call = || self.world.functions.describe(function_arn);
        effect!(&self.world.sim, "describe", call(), error())
    }

    async fn invoke(
        &self,
        invoke_arn: &str,
        payload: &Value,
        attempt: &AttemptName,
    ) -> Result<String, FunctionError> {
        let throttled = self.world.sim.state().faults.throttled;
        if self.world.sim.chance(throttled) {
            self.world.note("throttled");
            return Err(FunctionError::Throttled { function_arn: invoke_arn.to_owned() });
        }
        let call = || handler::invoke(&self.world, invoke_arn, payload, attempt);
        effect!(&self.world.sim, "invoke", call(), unavailable("invoke", invoke_arn))
    }
}

fn unavailable(operation: &'static str, arn: &str) -> FunctionError {
    FunctionError::Unavailable { operation, function_arn: arn.to_owned(), source: injected() }
}
