//! The queues that invoke a project's functions.

use std::time::Duration;

use sidestep_core::definition::Pipeline;
use sidestep_local::cloud::{ACCOUNT_ID, REGION};
use sidestep_local::event_source::EventSource;

use crate::project::Project;
use crate::settings::{FunctionSettings, QueueSettings};

/// Returns the queues of a function, as the embedded cloud knows them.
pub(crate) fn event_sources(function: &FunctionSettings) -> Vec<EventSource> {
    let source = |queue: &QueueSettings| {
        let name = queue.queue_name();
        let arn = || format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}");
        EventSource {
            queue: name.to_owned(),
            arn: queue.arn.clone().unwrap_or_else(arn),
            batch_size: queue.batch_size as usize,
            batching_window: Duration::from_secs(queue.batching_window_seconds.into()),
            reports_failures: queue.report_batch_item_failures,
        }
    };
    function.queues.iter().map(source).collect()
}

/// Returns the functions that may answer a pipeline's Callback steps, because the steps' queues
/// invoke them.
pub(crate) fn workers(project: &Project, pipeline: &Pipeline) -> Vec<String> {
    let is_served = |queue: &QueueSettings| {
        // Which queue a parameter names is not known yet.
        let mut urls = pipeline.queues().map(|queue| queue.known(&pipeline.parameters));
        urls.any(|url| url.is_none_or(|url| url.rsplit('/').next() == Some(queue.queue_name())))
    };
    let functions = project.settings.functions.iter();
    let workers = functions.filter(|(_, function)| function.queues.iter().any(is_served));
    workers.map(|(name, _)| name.clone()).collect()
}
