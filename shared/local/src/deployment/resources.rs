//! The resources of a deployment: its table, buckets, objects and queues.

use sidestep_aws::queue::SqsQueues;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_core::event::trigger::Trigger;
use sidestep_engine::handle::schedule::SCHEDULES;

use super::error::DeploymentError;
use super::names::{ARTIFACT_BUCKET, REPORTS, TABLE, TIMERS};
use crate::cloud::Cloud;
use crate::config::config_of;
use crate::folder::Endpoints;
use crate::sqs::QueueSettings;

/// How long the planner and the trigger may take for one event.
pub(super) const PLANNER_SECONDS: u32 = 60;

/// Creates the table, the artifact bucket and the planner's queues, unless they exist.
pub async fn create_resources(cloud: &Cloud) -> Result<(), DeploymentError> {
    let mut config = cloud.config().into_builder();
    config.set_endpoint_url(Some(cloud.endpoints().dynamodb.clone()));
    create_table(&DynamoTable::new(&config.build(), TABLE)).await?;
    // The messages of a planner that was killed come back after a function's time and a little
    // more.
    let visibility_timeout = 2 * PLANNER_SECONDS;
    let settings = QueueSettings { visibility_timeout, ..QueueSettings::default() };
    for queue in [TIMERS, REPORTS] {
        cloud.sqs().create_queue(queue, settings).await?;
    }
    Ok(cloud.s3().create_bucket(ARTIFACT_BUCKET).await?)
}

/// Creates the queues that Callback steps name, unless they exist.
///
/// On AWS the user owns these queues; here nothing else would create them. Does nothing where no
/// SQS is served.
pub async fn create_queues(
    endpoints: &Endpoints,
    urls: impl IntoIterator<Item = &str>,
) -> Result<(), DeploymentError> {
    let Some(sqs) = &endpoints.sqs else { return Ok(()) };
    let mut config = config_of(&endpoints.credentials).into_builder();
    config.set_endpoint_url(Some(sqs.clone()));
    let queues = SqsQueues::new(&config.build(), None);
    for url in urls {
        queues.create(url).await?;
    }
    Ok(())
}

/// Stops the notifications of the triggers' buckets until the next [`deploy`](super::deploy).
pub async fn pause_notifications(
    cloud: &Cloud,
    triggers: &[Trigger],
) -> Result<(), DeploymentError> {
    for trigger in triggers.iter().filter(|trigger| trigger.bucket != SCHEDULES) {
        cloud.s3().create_notifying_bucket(&trigger.bucket, Vec::new()).await?;
    }
    Ok(())
}
