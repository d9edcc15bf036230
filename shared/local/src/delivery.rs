//! Delivers S3 events and messages of queues to functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::events::{BoxError, EventSink};
use crate::lambda::{InvocationType, LambdaHost};
use crate::sqs::BatchHandler;

/// A handler of this process that takes S3 events without a queue between.
///
/// An event is forgotten only after the handler has handled it.
#[async_trait]
pub trait EventHandler: Send + Sync {
    async fn handle(&self, event: Value) -> Result<(), BoxError>;
}

/// Delivers S3 events to the handlers of this process and to the Lambda host.
pub(crate) struct FunctionSink {
    pub(crate) lambda: LambdaHost,
    /// The handlers of this process by function ARN.
    pub(crate) direct: BTreeMap<String, Arc<dyn EventHandler>>,
}

#[async_trait]
impl EventSink for FunctionSink {
    async fn deliver(&self, function_arn: &str, event: Value) -> Result<(), BoxError> {
        if let Some(handler) = self.direct.get(function_arn) {
            return handler.handle(event).await;
        }
        self.lambda.invoke(function_arn, event.to_string(), InvocationType::Event).await?;
        Ok(())
    }
}

/// A function that gets batches of messages and is waited for.
pub(crate) struct BatchFunction {
    pub(crate) lambda: LambdaHost,
    pub(crate) function_arn: String,
}

#[async_trait]
impl BatchHandler for BatchFunction {
    async fn handle(&self, batch: Value) -> Result<Value, BoxError> {
        let function = &self.function_arn;
        let invocation = InvocationType::RequestResponse;
        let output = self.lambda.invoke(function, batch.to_string(), invocation).await?;
        match output.function_error {
            Some(_) => Err(String::from_utf8_lossy(&output.payload).into_owned().into()),
            None => Ok(serde_json::from_slice(&output.payload)?),
        }
    }
}
