//! Functions that queues invoke.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::error::DeploymentError;
use super::names::function_arn;
use crate::cloud::Cloud;
use crate::events::BoxError;
use crate::lambda::{FunctionConfig, InvocationType, InvokeError, InvokeOutput, LambdaHost};
use crate::sqs::{BatchHandler, Batches, QueueSettings};

/// How long a batch waits until other functions have ended, before its messages come again.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time after which a function that could not start is invoked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Lets exactly the queues of these functions invoke them, and creates those that are missing.
pub async fn serve_queues(
    cloud: &Cloud,
    functions: &[FunctionConfig],
) -> Result<(), DeploymentError> {
    let mut wanted = BTreeMap::new();
    for function in functions {
        for source in &function.queues {
            cloud.sqs().create_queue(&source.queue, QueueSettings::default()).await?;
            // A message that is collected, waits or is handled must not come again.
            let handled = source.batching_window + PATIENCE + function.timeout;
            let worker = Arc::new(QueueWorker {
                lambda: cloud.lambda().clone(),
                function_arn: function_arn(function.name.as_str()),
                reports_failures: source.reports_failures,
            });
            let batches = Batches {
                size: source.batch_size,
                window: source.batching_window,
                least_visibility: u32::try_from(handled.as_secs()).unwrap_or(u32::MAX),
            };
            let (sqs, from) = (cloud.sqs().clone(), source.clone());
            let work = async move { sqs.hand_over(&from.queue, &from.arn, batches, worker).await };
            wanted.insert((function.name.to_string(), source.clone()), work);
        }
    }
    cloud.sources().replace(wanted);
    Ok(())
}

/// A function of the project that gets a queue's messages.
struct QueueWorker {
    lambda: LambdaHost,
    function_arn: String,
    reports_failures: bool,
}

impl QueueWorker {
    /// Invokes the function, and waits while too many others run.
    async fn invoke(&self, batch: &Value) -> Result<InvokeOutput, InvokeError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let kind = InvocationType::RequestResponse;
            match self.lambda.invoke(&self.function_arn, batch.to_string(), kind).await {
                Err(InvokeError::TooManyRequests { .. }) if Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                invoked => return invoked,
            }
        }
    }
}

#[async_trait]
impl BatchHandler for QueueWorker {
    async fn handle(&self, batch: Value) -> Result<Value, BoxError> {
        let output = self.invoke(&batch).await?;
        if output.function_error.is_some() {
            return Err(String::from_utf8_lossy(&output.payload).into_owned().into());
        }
        if !self.reports_failures {
            return Ok(Value::Null);
        }
        let answer = serde_json::from_slice(&output.payload)?;
        check(&answer, &batch)?;
        Ok(answer)
    }
}

/// Refuses an answer that does not name messages of the batch. Lambda counts the whole batch as
/// failed then.
fn check(answer: &Value, batch: &Value) -> Result<(), String> {
    let named = match answer {
        Value::Null => return Ok(()),
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Err("the answer is no object with `batchItemFailures`".to_owned()),
    };
    let failures = match named {
        Value::Null => return Ok(()),
        Value::Array(failures) => failures,
        _ => return Err("`batchItemFailures` is no list".to_owned()),
    };
    let records = batch["Records"].as_array().into_iter().flatten();
    let ids: BTreeSet<_> = records.filter_map(|record| record["messageId"].as_str()).collect();
    let is_known =
        |failure: &&Value| failure["itemIdentifier"].as_str().is_some_and(|id| ids.contains(id));
    match failures.iter().find(|failure| !is_known(failure)) {
        None => Ok(()),
        Some(unknown) => {
            Err(format!("`batchItemFailures` names no message of the batch: {unknown}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_about_a_batch_is_read_as_lambda_reads_it() {
        let batch = json!({ "Records": [{ "messageId": "a" }, { "messageId": "b" }] });
        let failures = |failures: Value| json!({ "batchItemFailures": failures });
        let whole_successes = [json!(null), json!({}), failures(json!(null)), failures(json!([]))];
        for answer in whole_successes {
            assert_eq!(check(&answer, &batch), Ok(()), "{answer}");
        }
        assert_eq!(check(&failures(json!([{ "itemIdentifier": "b" }])), &batch), Ok(()));
        for answer in [
            json!("done"),
            failures(json!("b")),
            failures(json!(["b"])),
            failures(json!([{ "itemIdentifier": "" }])),
            failures(json!([{ "itemIdentifier": null }])),
            failures(json!([{ "itemIdentifier": "c" }])),
            failures(json!([{ "id": "b" }])),
        ] {
            assert!(check(&answer, &batch).is_err(), "{answer}");
        }
    }
}
