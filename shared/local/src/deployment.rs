//! A deployment on the embedded cloud: the same table, bucket, queue, planner and events that a stack has on AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use serde_json::Value;
use sidestep_aws::counter::Counter;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::queue::SqsQueues;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_aws::{Consumer, ServiceEndpoints, Settings, counted_engine, engine, local_config};
use sidestep_core::execution::invocation::{RESERVED_KEY, USAGE};
use sidestep_core::failure::FailureType;
use sidestep_core::plan::handoff::Handoff;
use sidestep_core::uri::S3Uri;
use sidestep_core::view::price::{Usage, service};
use sidestep_engine::engine::{Deployment, Engine, EngineError, error_chain};
use sidestep_engine::handle::trigger::Trigger;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::objects::{ObjectFacts, ObjectStore, sha256_hex};
use sidestep_engine::ports::queues::QueueError;
use tokio::sync::watch;

use crate::cloud::{ACCOUNT_ID, Cloud, EventHandler, REGION};
use crate::events::{BoxError, FunctionNotification};
use crate::folder::Endpoints;
use crate::lambda::{
    Code, Command, Destination, FunctionConfig, FunctionError, FunctionName, Handler, HostError,
    InvocationMeta, RecursiveLoop,
};
use crate::s3::S3ServerError;
use crate::sqs::{QueueSettings, SqsServerError};

/// The bucket of manifests, artifacts and definitions.
pub const ARTIFACT_BUCKET: &str = "sidestep-artifacts";
/// The one table.
pub const TABLE: &str = "sidestep";
/// The queue that wakes the planner.
pub const TIMERS: &str = "sidestep-timers";
/// Its URL: the embedded SQS finds a queue by the end of it.
const TIMERS_URL: &str = "http://127.0.0.1/000000000000/sidestep-timers";
/// The queue where steps leave results to the planner.
pub const REPORTS: &str = "sidestep-reports";
const REPORTS_URL: &str = "http://127.0.0.1/000000000000/sidestep-reports";
/// The planner's function.
pub const PLANNER: &str = "sidestep-planner";
/// The trigger's function.
pub const TRIGGER: &str = "sidestep-trigger";

/// What the planner and the trigger may take for one event.
const PLANNER_SECONDS: u32 = 60;

/// Why a deployment could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    S3(#[from] S3ServerError),
    #[error(transparent)]
    Lambda(#[from] HostError),
    #[error(transparent)]
    Sqs(#[from] SqsServerError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Where the planner and the trigger run.
#[derive(Debug, Clone)]
pub enum Planner {
    /// In this process, on the engine that the caller has too.
    InProcess,
    /// The same, which adds to the counter what steps say that they asked of the services.
    Counted(Counter),
    /// As the deployed binaries, in environments of their own.
    Binaries { planner: Box<Command>, trigger: Box<Command> },
}

/// An engine over the embedded cloud's endpoints.
///
/// It is put together from `shared/aws`, so what runs here is what runs on AWS.
pub fn local_engine(endpoints: &Endpoints) -> Engine {
    let (endpoints, settings) = local_settings(endpoints);
    engine(&local_config(REGION), &endpoints, settings).watchful()
}

/// The same for a cloud of this process, which it reaches without sockets where it can.
pub fn cloud_engine(cloud: &Cloud) -> Engine {
    let (endpoints, settings) = local_settings(cloud.endpoints());
    engine(&cloud_config(cloud), &endpoints, settings).watchful()
}

/// The same, whose requests `counter` counts.
pub fn counted_cloud_engine(cloud: &Cloud, counter: &Counter) -> Engine {
    let (endpoints, settings) = local_settings(cloud.endpoints());
    counted_engine(&cloud_config(cloud), &endpoints, settings, counter).watchful()
}

fn cloud_config(cloud: &Cloud) -> SdkConfig {
    local_config(REGION).into_builder().http_client(cloud.http_client()).build()
}

fn local_settings(endpoints: &Endpoints) -> (ServiceEndpoints, Settings) {
    // One that serves from before there were queues has no timers; its sweep finds what is due.
    let timers = endpoints.sqs.is_some().then(|| TIMERS_URL.to_owned());
    let endpoints = ServiceEndpoints {
        s3: Some(endpoints.s3.clone()),
        dynamodb: Some(endpoints.dynamodb.clone()),
        lambda: Some(endpoints.lambda.clone()),
        sqs: endpoints.sqs.clone(),
        eventbridge: None,
    };
    let deployment = Deployment {
        artifact_bucket: ARTIFACT_BUCKET.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
    };
    (endpoints, Settings { table: TABLE.to_owned(), timers, reports: None, deployment })
}

/// Copies of files in the embedded S3: writes those that are absent or differ. Returns how many were written.
pub async fn seed(cloud: &Cloud, files: Vec<(S3Uri, Vec<u8>)>) -> Result<usize, DeploymentError> {
    let mut config = local_config(REGION).into_builder();
    config.set_endpoint_url(Some(cloud.endpoints().s3.clone()));
    let store = S3ObjectStore::new(&config.build());
    let mut written = 0;
    for (uri, bytes) in files {
        cloud.s3().create_bucket(uri.bucket()).await?;
        let found = store.head(&uri).await.map_err(EngineError::from)?;
        let digest = sha256_hex(&bytes);
        if found.as_ref().and_then(ObjectFacts::sha256) != Some(digest.as_str()) {
            store.replace(&uri, bytes.into()).await.map_err(EngineError::from)?;
            written += 1;
        }
    }
    Ok(written)
}

/// Creates the queues that Callback steps name, unless they exist: here nobody else would. Where no SQS is served nothing is done.
pub async fn create_queues(
    endpoints: &Endpoints,
    urls: impl IntoIterator<Item = &str>,
) -> Result<(), DeploymentError> {
    let Some(sqs) = &endpoints.sqs else { return Ok(()) };
    let mut config = local_config(REGION).into_builder();
    config.set_endpoint_url(Some(sqs.clone()));
    let queues = SqsQueues::new(&config.build(), None);
    for url in urls {
        queues.create(url).await?;
    }
    Ok(())
}

/// Stops the events of these buckets until the next [`deploy`].
pub async fn silence(cloud: &Cloud, triggers: &[Trigger]) -> Result<(), DeploymentError> {
    for trigger in triggers {
        cloud.s3().create_bucket(&trigger.bucket).await?;
        cloud.s3().set_notifications(&trigger.bucket, Vec::new()).await?;
    }
    Ok(())
}

/// What a step's function needs to go the direct road; nothing where it is not to.
pub fn with_handoff(mut function: FunctionConfig, handoff: Handoff) -> FunctionConfig {
    if let Code::Process(command) = &mut function.code
        && handoff.is_direct()
    {
        let own = planner_environment().into_iter().filter(|(name, _)| name != "SIDESTEP_TIMERS");
        command.environment.extend(own);
        command.environment.insert("SIDESTEP_REPORTS".to_owned(), REPORTS_URL.to_owned());
        command.environment.insert("SIDESTEP_HANDOFF".to_owned(), handoff.to_string());
    }
    function
}

/// Registers a step's function: its reports go to the planner.
pub fn register_step(cloud: &Cloud, mut function: FunctionConfig) -> Result<(), HostError> {
    let planner = Destination::Function(name(PLANNER)?);
    function.on_success = Some(planner.clone());
    function.on_failure = Some(planner);
    // Retries are the planner's, so that a failure is seen at once.
    function.max_retry_attempts = 0;
    // The template gives it to every function that one chain can visit so often.
    function.recursive_loop = RecursiveLoop::Allow;
    cloud.lambda().register(function)
}

/// Creates the table, the artifact bucket and the planner's queues, unless they exist.
pub async fn prepare(cloud: &Cloud) -> Result<(), DeploymentError> {
    let mut config = local_config(REGION).into_builder();
    config.set_endpoint_url(Some(cloud.endpoints().dynamodb.clone()));
    create_table(&DynamoTable::new(&config.build(), TABLE)).await?;
    // A planner that is killed has its messages back after a function's time and a little more.
    let visibility_timeout = 2 * PLANNER_SECONDS;
    let settings = QueueSettings { visibility_timeout, ..QueueSettings::default() };
    for queue in [TIMERS, REPORTS] {
        cloud.sqs().create_queue(queue, settings).await?;
    }
    Ok(cloud.s3().create_bucket(ARTIFACT_BUCKET).await?)
}

/// Sets table, bucket, planner, trigger and events up, and begins to deliver events.
pub async fn deploy(
    cloud: &mut Cloud,
    engine: &Arc<Engine>,
    triggers: &[Trigger],
    planner: Planner,
) -> Result<(), DeploymentError> {
    prepare(cloud).await?;
    let s3 = cloud.s3();
    let manifests = notification(PLANNER, "runs/", "/manifest.json");
    s3.set_notifications(ARTIFACT_BUCKET, vec![manifests]).await?;
    let buckets: BTreeSet<&str> = triggers.iter().map(|trigger| trigger.bucket.as_str()).collect();
    for bucket in buckets {
        s3.create_bucket(bucket).await?;
        // One rule for all triggers of the bucket: S3 refuses rules that overlap, and the trigger function tells them apart.
        s3.set_notifications(bucket, vec![notification(TRIGGER, "", "")]).await?;
    }
    engine.replace_triggers(triggers).await?;

    let mut direct: BTreeMap<String, Arc<dyn EventHandler>> = BTreeMap::new();
    let (planner_code, trigger_code) = match planner {
        Planner::Binaries { planner, trigger } => {
            (Code::Process(*planner), Code::Process(*trigger))
        }
        Planner::InProcess | Planner::Counted(_) => {
            let counter = match planner {
                Planner::Counted(counter) => Some(counter.for_caller("step")),
                _ => None,
            };
            let hosted = |trigger| Hosted {
                engine: Arc::clone(engine),
                failed: cloud.failed().clone(),
                counter: counter.clone(),
                trigger,
            };
            let (planner, trigger) = (Arc::new(hosted(false)), Arc::new(hosted(true)));
            direct.insert(arn(PLANNER), Arc::clone(&planner) as Arc<dyn EventHandler>);
            direct.insert(arn(TRIGGER), Arc::clone(&trigger) as Arc<dyn EventHandler>);
            (Code::InProcess(planner), Code::InProcess(trigger))
        }
    };
    for (function, code) in [(PLANNER, planner_code), (TRIGGER, trigger_code)] {
        let mut config = FunctionConfig::new(name(function)?, code);
        config.memory_mb = 256;
        config.timeout = std::time::Duration::from_secs(PLANNER_SECONDS.into());
        // The planner's events are safe to repeat, as on AWS.
        config.max_retry_attempts = 2;
        if function == PLANNER {
            // It is visited once per step of a chain.
            config.recursive_loop = RecursiveLoop::Allow;
        }
        cloud.lambda().register(config)?;
    }
    cloud.deliver_events(direct);
    for queue in [TIMERS, REPORTS] {
        cloud.deliver_messages(queue, &arn(PLANNER));
    }
    Ok(())
}

/// What the planner's and the trigger's binaries read from their environment.
pub fn planner_environment() -> BTreeMap<String, String> {
    [
        ("SIDESTEP_TABLE", TABLE),
        ("SIDESTEP_BUCKET", ARTIFACT_BUCKET),
        ("SIDESTEP_ACCOUNT_ID", ACCOUNT_ID),
        ("SIDESTEP_TIMERS", TIMERS_URL),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn name(function: &str) -> Result<FunctionName, HostError> {
    FunctionName::parse(function)
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function}")
}

fn notification(function: &str, prefix: &str, suffix: &str) -> FunctionNotification {
    FunctionNotification {
        id: function.to_owned(),
        function_arn: arn(function),
        events: vec!["s3:ObjectCreated:*".to_owned()],
        prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
        suffix: Some(suffix.to_owned()).filter(|suffix| !suffix.is_empty()),
    }
}

/// The planner or the trigger in this process, reached by S3's events without a queue, and by invocations.
struct Hosted {
    engine: Arc<Engine>,
    failed: watch::Sender<Option<String>>,
    counter: Option<Counter>,
    trigger: bool,
}

impl Hosted {
    async fn advance(&self, event: Value) -> Result<Value, EngineError> {
        if self.trigger {
            return self.engine.consume(Consumer::Trigger, event).await;
        }
        if let Some(counter) = &self.counter {
            let usage = event["responsePayload"][RESERVED_KEY][USAGE].clone();
            if let Ok(usage) = serde_json::from_value(usage) {
                counter.add(&usage);
            }
            if event["Records"][0]["eventSource"] == "aws:sqs" {
                counter.for_caller("queue").add(&delivery());
            }
        }
        let result = self.engine.consume(Consumer::Planner, event).await;
        // Other errors are about one event, and no reason to give up on an execution that it may not even be of.
        if let Err(error @ (EngineError::Table(_) | EngineError::Store(_))) = &result {
            self.failed.send_replace(Some(error_chain(error)));
        }
        result
    }
}

/// What it takes to hand a queue's batch over. Lambda does it, and whoever owns the queue pays.
fn delivery() -> Usage {
    let mut usage = Usage::default();
    usage.add_requests(service::SQS, "ReceiveMessage", 1);
    usage.add_requests(service::SQS, "DeleteMessageBatch", 1);
    usage.add_requests(service::LAMBDA, "Invoke", 1);
    usage
}

#[async_trait]
impl EventHandler for Hosted {
    async fn handle(&self, event: Value) -> Result<(), BoxError> {
        Ok(self.advance(event).await.map(drop)?)
    }
}

#[async_trait]
impl Handler for Hosted {
    async fn handle(&self, event: Value, _: InvocationMeta) -> Result<Value, FunctionError> {
        let failed =
            |error: EngineError| FunctionError::new(FailureType::Engine, error_chain(&error));
        self.advance(event).await.map_err(failed)
    }
}
