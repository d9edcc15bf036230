//! A deployment on the embedded cloud: the same table, bucket, planner and events that a stack has on AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::table::{DynamoTable, create_table};
use sidestep_aws::{ServiceEndpoints, Settings, engine, local_config};
use sidestep_core::uri::S3Uri;
use sidestep_engine::engine::{Deployment, Engine, EngineError, error_chain};
use sidestep_engine::object::{ObjectFacts, ObjectStore, sha256_hex};
use sidestep_engine::store::TableError;
use sidestep_engine::trigger::Trigger;

use crate::cloud::{ACCOUNT_ID, Cloud, EventHandler, REGION};
use crate::events::{BoxError, FunctionNotification};
use crate::folder::Endpoints;
use crate::lambda::{
    Code, Command, Destination, FunctionConfig, FunctionError, FunctionName, HostError,
    InvocationMeta,
};
use crate::s3::S3ServerError;

/// The bucket of manifests, artifacts and definitions.
pub const ARTIFACT_BUCKET: &str = "sidestep-artifacts";
/// The one table.
pub const TABLE: &str = "sidestep";
/// The planner's function.
pub const PLANNER: &str = "sidestep-planner";
/// The trigger's function.
pub const TRIGGER: &str = "sidestep-trigger";

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
    Engine(#[from] EngineError),
}

/// Where the planner and the trigger run.
#[derive(Debug, Clone)]
pub enum Planner {
    /// In this process, on the engine that the caller has too.
    InProcess,
    /// As the deployed binaries, in environments of their own.
    Binaries { planner: Box<Command>, trigger: Box<Command> },
}

/// An engine over the embedded cloud's endpoints.
///
/// It is put together from `shared/aws`, so what runs here is what runs on AWS.
pub fn local_engine(endpoints: &Endpoints) -> Engine {
    let endpoints = ServiceEndpoints {
        s3: Some(endpoints.s3.clone()),
        dynamodb: Some(endpoints.dynamodb.clone()),
        lambda: Some(endpoints.lambda.clone()),
    };
    let deployment = Deployment {
        artifact_bucket: ARTIFACT_BUCKET.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
    };
    let settings = Settings { table: TABLE.to_owned(), deployment };
    engine(&local_config(REGION), &endpoints, settings)
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

/// Stops the events of these buckets until the next [`deploy`].
pub async fn silence(cloud: &Cloud, triggers: &[Trigger]) -> Result<(), DeploymentError> {
    for trigger in triggers {
        cloud.s3().create_bucket(&trigger.bucket).await?;
        cloud.s3().set_notifications(&trigger.bucket, Vec::new()).await?;
    }
    Ok(())
}

/// Registers a step's function: its reports go to the planner.
pub fn register_step(cloud: &Cloud, mut function: FunctionConfig) -> Result<(), HostError> {
    let planner = Destination::Function(name(PLANNER)?);
    function.on_success = Some(planner.clone());
    function.on_failure = Some(planner);
    // Retries are the planner's, so that a failure is seen at once.
    function.max_retry_attempts = 0;
    cloud.lambda().register(function)
}

/// Creates the table and the artifact bucket, unless they exist.
pub async fn prepare(cloud: &Cloud) -> Result<(), DeploymentError> {
    let mut config = local_config(REGION).into_builder();
    config.set_endpoint_url(Some(cloud.endpoints().dynamodb.clone()));
    create_table(&DynamoTable::new(&config.build(), TABLE)).await?;
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
        Planner::InProcess => {
            direct.insert(
                arn(PLANNER),
                Arc::new(Handler { engine: Arc::clone(engine), trigger: false }),
            );
            direct.insert(
                arn(TRIGGER),
                Arc::new(Handler { engine: Arc::clone(engine), trigger: true }),
            );
            (in_process(engine, false), in_process(engine, true))
        }
    };
    for (function, code) in [(PLANNER, planner_code), (TRIGGER, trigger_code)] {
        let mut config = FunctionConfig::new(name(function)?, code);
        config.memory_mb = 256;
        config.timeout = std::time::Duration::from_mins(1);
        // The planner's events are safe to repeat, as on AWS.
        config.max_retry_attempts = 2;
        cloud.lambda().register(config)?;
    }
    cloud.deliver_events(direct);
    Ok(())
}

/// What the planner's and the trigger's binaries read from their environment.
pub fn planner_environment() -> BTreeMap<String, String> {
    [
        ("SIDESTEP_TABLE", TABLE),
        ("SIDESTEP_BUCKET", ARTIFACT_BUCKET),
        ("SIDESTEP_ACCOUNT_ID", ACCOUNT_ID),
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

async fn handle(engine: &Engine, trigger: bool, event: Value) -> Result<Value, EngineError> {
    if trigger { engine.uploaded(event).await } else { engine.handle(event).await }
}

fn in_process(engine: &Arc<Engine>, trigger: bool) -> Code {
    let engine = Arc::clone(engine);
    Code::InProcess(Arc::new(move |event: Value, _: InvocationMeta| {
        let engine = Arc::clone(&engine);
        async move {
            let failed =
                |error: EngineError| FunctionError::new("Sidestep.Engine", error_chain(&error));
            handle(&engine, trigger, event).await.map_err(failed)
        }
    }))
}

struct Handler {
    engine: Arc<Engine>,
    trigger: bool,
}

#[async_trait]
impl EventHandler for Handler {
    async fn handle(&self, event: Value) -> Result<(), BoxError> {
        handle(&self.engine, self.trigger, event).await?;
        Ok(())
    }
}
