//! A deployment on the embedded cloud: the table, bucket, queues, planner and events of a stack.
//!
//! [`deploy`] does what a stack does on AWS, with the same names of variables and the same rules
//! for events. Only where the planner and the trigger run may differ: see [`Planner`].

mod engine;
mod error;
mod in_process;
mod jobs;
mod names;
mod queue_worker;
mod resources;
mod step_function;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sidestep_aws::Consumer;
use sidestep_aws::counter::Counter;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::FunctionName;
use sidestep_engine::engine::Engine;
use sidestep_engine::handle::schedule::SCHEDULES;

pub use engine::{cloud_engine, counted_cloud_engine, engine_beside, local_engine};
pub use error::DeploymentError;
pub use names::{ARTIFACT_BUCKET, JOB, PLANNER, REPORTS, TABLE, TIMERS, TRIGGER};
pub use queue_worker::serve_queues;
pub use resources::{create_queues, create_resources, pause_notifications};
pub use step_function::{as_step, planner_environment, register_step, with_handoff};
pub use uploads::{removed_files, upload_files};

use in_process::InProcessFunction;
use jobs::job_listener;
use names::function_arn;
use resources::PLANNER_SECONDS;

use crate::cloud::{Cloud, EventHandler};
use crate::events::FunctionNotification;
use crate::lambda::{Code, Command, FunctionConfig, HostError, RecursiveLoop};

/// Where the planner and the trigger run.
#[derive(Debug, Clone)]
pub enum Planner {
    /// In this process, on the engine that the caller also uses.
    InProcess,
    /// In this process, adding to the counter the requests that steps say they made.
    Counted(Counter),
    /// As the deployed binaries, in environments of their own.
    Binaries { planner: Box<Command>, trigger: Box<Command> },
}

/// Handlers of this process by function ARN, which get S3's events without a queue between.
type Direct = BTreeMap<String, Arc<dyn EventHandler>>;

/// Sets up table, bucket, planner, trigger and events, begins to deliver events, and opens the
/// doors to requests from outside.
pub async fn deploy(
    cloud: &mut Cloud,
    engine: &Arc<Engine>,
    triggers: &[Trigger],
    planner: Planner,
) -> Result<(), DeploymentError> {
    create_resources(cloud).await?;
    configure_notifications(cloud, triggers).await?;
    engine.replace_triggers(triggers).await?;

    let (planner, trigger, direct) = codes(cloud, engine, planner);
    register(cloud, PLANNER, planner)?;
    register(cloud, TRIGGER, trigger)?;
    cloud.jobs().set_listener(job_listener(engine));
    register(cloud, JOB, Code::InProcess(job_function(cloud, engine)))?;
    cloud.deliver_events(direct);
    for queue in [TIMERS, REPORTS] {
        cloud.deliver_messages(queue, &function_arn(PLANNER));
    }
    cloud.open_doors();
    Ok(())
}

/// Replaces the triggers `old` by `new` while events are delivered.
pub async fn replace_triggers(
    cloud: &Cloud,
    engine: &Engine,
    old: &[Trigger],
    new: &[Trigger],
) -> Result<(), DeploymentError> {
    // The triggers first: an event that arrives in between finds the new ones.
    engine.replace_triggers(new).await?;
    configure_notifications(cloud, new).await?;
    for trigger in old.iter().filter(|trigger| trigger.bucket != SCHEDULES) {
        if new.iter().all(|kept| kept.bucket != trigger.bucket) {
            cloud.s3().set_notifications(&trigger.bucket, Vec::new()).await?;
        }
    }
    Ok(())
}

/// Asks S3 to notify the planner of manifests, and the trigger of uploads to the triggers' buckets.
async fn configure_notifications(
    cloud: &Cloud,
    triggers: &[Trigger],
) -> Result<(), DeploymentError> {
    let s3 = cloud.s3();
    let manifests = notification(PLANNER, Some("runs/"), Some("/manifest.json"));
    s3.set_notifications(ARTIFACT_BUCKET, vec![manifests]).await?;
    let buckets: BTreeSet<&str> = triggers.iter().map(|trigger| trigger.bucket.as_str()).collect();
    for bucket in buckets.into_iter().filter(|bucket| *bucket != SCHEDULES) {
        // One rule for all triggers of the bucket: S3 refuses rules that overlap, and the trigger
        // function tells the triggers apart.
        s3.create_notifying_bucket(bucket, vec![notification(TRIGGER, None, None)]).await?;
    }
    Ok(())
}

/// Returns the code of the planner and of the trigger, and which of them get events directly.
fn codes(cloud: &Cloud, engine: &Arc<Engine>, planner: Planner) -> (Code, Code, Direct) {
    let counter = match planner {
        Planner::Binaries { planner, trigger } => {
            return (Code::Process(*planner), Code::Process(*trigger), Direct::new());
        }
        Planner::InProcess => None,
        Planner::Counted(counter) => Some(counter.for_caller("step")),
    };
    let function = |consumer| {
        Arc::new(InProcessFunction {
            engine: Arc::clone(engine),
            consumer,
            failed: cloud.failed().clone(),
            counter: counter.clone(),
        })
    };
    let (planner, trigger) = (function(Consumer::Planner), function(Consumer::Trigger));
    let direct = Direct::from([
        (function_arn(PLANNER), Arc::clone(&planner) as Arc<dyn EventHandler>),
        (function_arn(TRIGGER), Arc::clone(&trigger) as Arc<dyn EventHandler>),
    ]);
    (Code::InProcess(planner), Code::InProcess(trigger), direct)
}

/// Returns the job function, which is always one of this process.
fn job_function(cloud: &Cloud, engine: &Arc<Engine>) -> Arc<InProcessFunction> {
    Arc::new(InProcessFunction {
        engine: Arc::clone(engine),
        consumer: Consumer::Job,
        failed: cloud.failed().clone(),
        counter: None,
    })
}

/// Registers the function of the planner or of the trigger.
fn register(cloud: &Cloud, function: &str, code: Code) -> Result<(), HostError> {
    let mut config = FunctionConfig::new(FunctionName::parse(function)?, code);
    config.memory_mb = 256;
    config.timeout = Duration::from_secs(PLANNER_SECONDS.into());
    // The events of both are safe to repeat, as on AWS.
    config.max_retry_attempts = 2;
    if [PLANNER, JOB].contains(&function) {
        // A chain of steps visits the planner once per step.
        config.recursive_loop = RecursiveLoop::Allow;
    }
    cloud.lambda().register(config)
}

fn notification(
    function: &str,
    prefix: Option<&str>,
    suffix: Option<&str>,
) -> FunctionNotification {
    FunctionNotification {
        id: function.to_owned(),
        function_arn: function_arn(function),
        events: vec!["s3:ObjectCreated:*".to_owned()],
        prefix: prefix.map(str::to_owned),
        suffix: suffix.map(str::to_owned),
    }
}
