//! ListPipelineExecutionSteps.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sidestep_core::definition::StepKind;
use sidestep_core::execution::start::Start;
use sidestep_core::limits::FAILURE_REASON_CHARS;
use sidestep_core::view::description::StepDescription;
use sidestep_engine::loaded::Loaded;

use crate::api::Api;
use crate::checks::{Checks, EXECUTION_ARN, limit};
use crate::error::ApiError;
use crate::execution::{cut, text};
use crate::page::{PageRequest, page};
use crate::time::epoch;

/// The most characters of an output's value in the service model.
const VALUE: usize = 1024;
/// The most characters of a function's ARN or a queue's URL in the service model.
const ADDRESS: usize = 256;
/// The most characters of a Fail step's message in the service model.
const ERROR_MESSAGE: usize = 3072;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ListStepsRequest {
    pipeline_execution_arn: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    sort_order: Option<String>,
}

impl Api {
    pub(crate) async fn list_steps(&self, request: ListStepsRequest) -> Result<Value, ApiError> {
        let mut checks = Checks::default();
        let arn = request.pipeline_execution_arn.as_ref();
        checks.required("pipelineExecutionArn", arn);
        checks.text("pipelineExecutionArn", arn, limit::ARN, Some(&EXECUTION_ARN));
        checks.order(request.sort_order.as_ref());
        checks.page(request.max_results, request.next_token.as_ref());
        checks.finish()?;
        let id = self.execution_id(arn.map(String::as_str).unwrap_or_default()).await?;
        let loaded = self.engine.load(&id).await?;
        let description = self.engine.describe(&id).await?;
        let listed = description.steps.into_iter().filter(|step| step.step_status.is_some());
        let keyed = listed.map(|step| {
            let started = step.started_at_ms.unwrap_or_default();
            (format!("{started:015}#{:05}", step.index.0), step)
        });
        let page = page(
            keyed.collect(),
            &PageRequest {
                list: format!("ListPipelineExecutionSteps {id} {:?}", request.sort_order),
                descending: request.sort_order.as_deref() != Some("Ascending"),
                max_results: request.max_results,
                next_token: request.next_token.as_ref(),
            },
        )?;
        let steps: Vec<_> = page.lines.iter().map(|step| line(step, &loaded)).collect();
        Ok(json!({ "PipelineExecutionSteps": steps, "NextToken": page.next_token }))
    }
}

fn line(step: &StepDescription, loaded: &Loaded) -> Value {
    let definition = loaded.pipeline.step(step.index);
    json!({
        "StepName": step.step_name,
        "StepDisplayName": definition.display_name,
        "StepDescription": definition.description,
        "StartTime": step.started_at_ms.map(epoch),
        "EndTime": step.ended_at_ms.map(epoch),
        "StepStatus": step.step_status,
        "CacheHitResult": step.cache_hit_result,
        "SelectiveExecutionResult": step.selective_execution_result,
        "FailureReason": step.failure_reason.as_deref().map(|why| cut(why, FAILURE_REASON_CHARS)),
        "Metadata": metadata(step, &definition.kind, &loaded.start),
        "AttemptCount": step.attempt_count,
    })
}

/// Returns the one member that SageMaker has for the step's type.
fn metadata(step: &StepDescription, kind: &StepKind, start: &Start) -> Value {
    let outputs = outputs(&step.output_parameters);
    match kind {
        StepKind::Lambda(lambda) => json!({ "Lambda": {
            "Arn": cut(lambda.function_arn.as_str(), ADDRESS),
            "OutputParameters": outputs,
        }}),
        StepKind::Callback(callback) => json!({ "Callback": {
            "CallbackToken": step.callback_token,
            "SqsQueueUrl": cut(&callback.sqs_queue_url.resolve(&start.parameters), ADDRESS),
            "OutputParameters": outputs,
        }}),
        StepKind::Condition { .. } => json!({ "Condition": { "Outcome": step.outcome } }),
        StepKind::Fail { .. } => {
            let message = step.failure_reason.as_deref().unwrap_or_default();
            json!({ "Fail": { "ErrorMessage": cut(message, ERROR_MESSAGE) } })
        }
        StepKind::Job(_) => step.metadata.clone().unwrap_or_else(|| json!({})),
    }
}

/// Returns outputs as texts. A long value is cut, because of the service model. The step's manifest
/// holds the whole value.
fn outputs(of: &Map<String, Value>) -> Vec<Value> {
    of.iter()
        .map(|(name, value)| json!({ "Name": name, "Value": cut(&text(value), VALUE) }))
        .collect()
}
