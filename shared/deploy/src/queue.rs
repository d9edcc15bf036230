//! Queues that invoke functions: the mappings, and the rights that they need.

use serde_json::{Value, json};

use crate::blueprint::{Function, Queue};
use crate::name::LogicalId;
use crate::resource::{Resources, allow, one_or_many, reference, sub};

/// Adds the mappings of the function with this id to `resources`.
pub(crate) fn add(resources: &mut Resources, id: &LogicalId, function: &Function) {
    for (number, queue) in function.queues.iter().enumerate() {
        let mut properties = json!({
            "FunctionName": reference(id.as_str()),
            "EventSourceArn": arn(queue),
            "BatchSize": queue.batch_size,
        });
        if queue.batching_window_seconds > 0 {
            let seconds = queue.batching_window_seconds;
            properties["MaximumBatchingWindowInSeconds"] = json!(seconds);
        }
        if queue.reports_failures {
            properties["FunctionResponseTypes"] = json!(["ReportBatchItemFailures"]);
        }
        resources.insert(
            id.with(&format!("Queue{number}")),
            json!({ "Type": "AWS::Lambda::EventSourceMapping", "Properties": properties }),
        );
    }
}

/// Returns the right of Lambda to take the messages in the function's name.
pub(crate) fn statement(function: &Function) -> Option<Value> {
    let queues: Vec<_> = function.queues.iter().map(arn).collect();
    let actions = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
    (!queues.is_empty()).then(|| allow("Queues", &actions, &one_or_many(queues)))
}

/// Returns the queue's ARN. A name means a queue of the stack's account and region.
fn arn(queue: &Queue) -> Value {
    if queue.queue.starts_with("arn:") {
        return json!(queue.queue);
    }
    let name = &queue.queue;
    sub(format!("arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}"))
}
