//! SendPipelineExecutionStepSuccess and SendPipelineExecutionStepFailure.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sidestep_engine::control::Answer;

use crate::api::Api;
use crate::checks::{CALLBACK_TOKEN, Checks, limit};
use crate::error::ApiError;
use crate::start::Parameter;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SendRequest {
    callback_token: Option<String>,
    output_parameters: Option<Vec<Parameter>>,
    failure_reason: Option<String>,
}

impl SendRequest {
    fn check(&self) -> Checks {
        let mut checks = Checks::default();
        checks.required("callbackToken", self.callback_token.as_ref());
        let token = self.callback_token.as_ref();
        checks.text("callbackToken", token, 10..=10, Some(&CALLBACK_TOKEN));
        checks
    }
}

impl Api {
    pub(crate) async fn send_success(&self, request: SendRequest) -> Result<Value, ApiError> {
        let mut checks = request.check();
        let outputs = request.output_parameters.as_deref().unwrap_or_default();
        checks.count("outputParameters", outputs.len(), 0..=50);
        for output in outputs {
            checks.required("outputParameters.member.name", output.name.as_ref());
            checks.text("outputParameters.member.name", output.name.as_ref(), 0..=256, None);
            checks.required("outputParameters.member.value", output.value.as_ref());
            let value = output.value.as_ref();
            checks.text("outputParameters.member.value", value, limit::VALUE, None);
        }
        checks.finish()?;
        let mut values = Map::new();
        for output in outputs {
            let (name, value) = (output.name.clone().unwrap_or_default(), output.value.clone());
            if values.insert(name.clone(), json!(value)).is_some() {
                return Err(ApiError::validation(format!("Output '{name}' is given twice.")));
            }
        }
        self.send(&request, Answer::Success(values)).await
    }

    pub(crate) async fn send_failure(&self, request: SendRequest) -> Result<Value, ApiError> {
        let mut checks = request.check();
        checks.text("failureReason", request.failure_reason.as_ref(), 0..=256, None);
        checks.finish()?;
        let given = request.failure_reason.clone().filter(|reason| !reason.is_empty());
        let reason = given.unwrap_or_else(|| "no reason was given".to_owned());
        self.send(&request, Answer::Failure(reason)).await
    }

    async fn send(&self, request: &SendRequest, answer: Answer) -> Result<Value, ApiError> {
        let token = request.callback_token.as_deref().unwrap_or_default();
        self.engine.answer(token, answer).await?;
        let found = self.engine.executions().callback(token).await?;
        let record = found
            .ok_or_else(|| ApiError::Internal("the callback's execution is gone".to_owned()))?;
        let start = self.engine.load(&record.execution_id).await?.start;
        Ok(json!({ "PipelineExecutionArn": start.execution_arn() }))
    }
}
