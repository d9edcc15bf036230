//! Builds an engine over AWS from a configuration or from the environment of a function.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use sidestep_core::job::start::JobSettings;
use sidestep_core::plan::handoff::{Handoff, UnknownHandoff};
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::clock::SystemClock;
#[cfg(feature = "events")]
use sidestep_engine::ports::watcher::Watcher;
use sidestep_engine::ports::{Deployment, Ports};

use crate::counter::Counter;
use crate::lambda::LambdaFunctions;
use crate::object::{S3ObjectStore, config_from_env, variable};
use crate::queue::SqsQueues;
use crate::table::DynamoTable;

/// The settings of a deployment's engine.
#[derive(Debug, Clone)]
pub struct Settings {
    pub table: String,
    /// The URL of the queue that wakes the planner.
    pub timers: Option<String>,
    /// The URL of the queue where steps leave results to the planner.
    pub reports: Option<String>,
    pub deployment: Deployment,
    pub options: EngineOptions,
}

/// An environment variable that is not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable `{0}` is not set")]
pub struct MissingSetting(pub &'static str);

/// The endpoints of the services; `None` is AWS itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEndpoints {
    pub s3: Option<String>,
    pub dynamodb: Option<String>,
    pub lambda: Option<String>,
    pub sqs: Option<String>,
    pub eventbridge: Option<String>,
    pub sagemaker: Option<String>,
}

impl ServiceEndpoints {
    /// Reads `AWS_ENDPOINT_URL_S3` and so on, else `AWS_ENDPOINT_URL`, as AWS's own tools do.
    pub fn from_env() -> Self {
        let url = |service: &str| {
            variable(&format!("AWS_ENDPOINT_URL_{service}"))
                .or_else(|| variable("AWS_ENDPOINT_URL"))
        };
        Self {
            s3: url("S3"),
            dynamodb: url("DYNAMODB"),
            lambda: url("LAMBDA"),
            sqs: url("SQS"),
            eventbridge: url("EVENTBRIDGE"),
            sagemaker: url("SAGEMAKER"),
        }
    }
}

/// Makes a configuration with fixed credentials, for services that check none.
pub fn local_config(region: &str) -> SdkConfig {
    signed_config(region, "sidestep", "sidestep")
}

/// Makes a configuration with an access key of an embedded service.
pub fn signed_config(region: &str, access_key_id: &str, secret_access_key: &str) -> SdkConfig {
    let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// Makes the engine over AWS or over other endpoints. No request is made.
pub fn engine(config: &SdkConfig, endpoints: &ServiceEndpoints, settings: Settings) -> Engine {
    Adapters::new(config, endpoints, &settings).engine(settings)
}

/// Makes the engine of a stack: bare names mean its functions, see [`LambdaFunctions::of_stack`].
pub fn stack_engine(
    config: &SdkConfig,
    endpoints: &ServiceEndpoints,
    settings: Settings,
    stack: &str,
) -> Engine {
    let adapters = Adapters::new(config, endpoints, &settings);
    let functions = adapters.functions.of_stack(stack);
    Adapters { functions, ..adapters }.engine(settings)
}

/// Makes the same engine as [`engine()`], with its requests counted.
pub fn counted_engine(
    config: &SdkConfig,
    endpoints: &ServiceEndpoints,
    settings: Settings,
    counter: &Counter,
) -> Engine {
    Adapters::new(config, endpoints, &settings).counted(counter).engine(settings)
}

struct Adapters {
    table: DynamoTable,
    objects: S3ObjectStore,
    functions: LambdaFunctions,
    queues: SqsQueues,
}

impl Adapters {
    fn new(config: &SdkConfig, endpoints: &ServiceEndpoints, settings: &Settings) -> Self {
        let with = |endpoint: &Option<String>| {
            let mut builder = config.clone().into_builder();
            builder.set_endpoint_url(endpoint.clone());
            builder.build()
        };
        Self {
            table: DynamoTable::new(&with(&endpoints.dynamodb), settings.table.as_str()),
            objects: S3ObjectStore::new(&with(&endpoints.s3)),
            functions: LambdaFunctions::new(&with(&endpoints.lambda)),
            queues: SqsQueues::new(&with(&endpoints.sqs), settings.timers.clone())
                .reporting_to(settings.reports.clone()),
        }
    }

    fn counted(self, counter: &Counter) -> Self {
        Self {
            table: self.table.counted(counter),
            objects: self.objects.counted(counter),
            functions: self.functions.counted(counter),
            queues: self.queues.counted(counter),
        }
    }

    fn engine(self, settings: Settings) -> Engine {
        let table = Arc::new(self.table);
        let ports = Ports {
            executions: table.clone(),
            cache: table.clone(),
            triggers: table.clone(),
            batches: table,
            objects: Arc::new(self.objects),
            functions: Arc::new(self.functions),
            queues: Arc::new(self.queues),
            clock: Arc::new(SystemClock),
        };
        Engine::new(settings.deployment, ports, settings.options)
    }
}

/// Makes the engine of a function from its environment.
///
/// It reads `SIDESTEP_TABLE`, `SIDESTEP_BUCKET`, `SIDESTEP_ACCOUNT_ID` and the variables that
/// Lambda sets. On AWS it also reads `SIDESTEP_STACK`, `SIDESTEP_TIMERS` and, in a step,
/// `SIDESTEP_REPORTS` (the URLs of queues), and `SIDESTEP_EVENT_BUS` if changes of status are sent
/// to a bus.
pub fn engine_from_env(options: EngineOptions) -> Result<Engine, MissingSetting> {
    let (adapters, settings) = adapters_from_env(options)?;
    #[cfg(feature = "events")]
    if let Some(name) = variable("SIDESTEP_EVENT_BUS") {
        let watcher = event_bus(&config_from_env(), &ServiceEndpoints::from_env(), &name);
        let options = EngineOptions { watcher: Some(watcher), ..settings.options };
        return Ok(adapters.engine(Settings { options, ..settings }));
    }
    Ok(adapters.engine(settings))
}

/// Returns a watcher that sends changes of status to the EventBridge bus `name`.
#[cfg(feature = "events")]
pub fn event_bus(config: &SdkConfig, endpoints: &ServiceEndpoints, name: &str) -> Arc<dyn Watcher> {
    let mut config = config.clone().into_builder();
    config.set_endpoint_url(endpoints.eventbridge.clone());
    Arc::new(crate::event_bus::EventBus::new(&config.build(), name))
}

/// Makes the engine of the job function: the same as [`engine_from_env`], with the service of jobs.
#[cfg(feature = "jobs")]
pub fn jobs_engine_from_env(options: EngineOptions) -> Result<Engine, MissingSetting> {
    let mut config = config_from_env().into_builder();
    config.set_endpoint_url(ServiceEndpoints::from_env().sagemaker);
    let jobs = crate::jobs::SageMakerJobs::new(&config.build());
    Ok(engine_from_env(options)?.with_jobs(Arc::new(jobs)))
}

/// How long to wait from one create call to the next, in milliseconds: the service takes one a
/// second.
const CREATE_PACE_MS: u64 = 1_000;

/// Returns who starts the jobs of a stack: the function with this ARN.
pub fn stack_jobs(function_arn: &str) -> JobSettings {
    let (function_arn, role_arn) = (function_arn.to_owned(), variable("SIDESTEP_JOB_ROLE"));
    JobSettings { function_arn, role_arn, pace_ms: CREATE_PACE_MS }
}

/// Returns who starts jobs, if the stack has a function for them: `SIDESTEP_JOBS` is its ARN.
fn job_settings() -> Option<JobSettings> {
    Some(stack_jobs(&variable("SIDESTEP_JOBS")?))
}

/// Makes the same engine as [`engine_from_env`], without a bus and with its requests counted.
pub fn counted_engine_from_env(
    counter: &Counter,
    options: EngineOptions,
) -> Result<Engine, MissingSetting> {
    let (adapters, settings) = adapters_from_env(options)?;
    Ok(adapters.counted(counter).engine(settings))
}

/// Reads which roads results take from `SIDESTEP_HANDOFF`. If it is not set, they go by event.
pub fn handoff_from_env() -> Result<Handoff, UnknownHandoff> {
    variable("SIDESTEP_HANDOFF").map_or(Ok(Handoff::Event), |text| text.parse())
}

/// Returns true if the services trace what functions read and write.
fn is_traced() -> bool {
    variable("SIDESTEP_TRACES").is_some()
}

/// Returns the configuration of an engine in a function. Where functions are traced, it signs with
/// another key than the function's own requests, of which it is no part: `ID:SECRET`.
fn engine_config() -> SdkConfig {
    let config = config_from_env();
    let key = variable("SIDESTEP_PLANNER_KEY");
    let Some((id, secret)) = key.as_ref().and_then(|key| key.split_once(':')) else {
        return config;
    };
    let credentials = Credentials::new(id, secret, None, None, "engine");
    let provider = SharedCredentialsProvider::new(credentials);
    config.into_builder().credentials_provider(provider).build()
}

fn adapters_from_env(options: EngineOptions) -> Result<(Adapters, Settings), MissingSetting> {
    let get = |name: &'static str| std::env::var(name).map_err(|_| MissingSetting(name));
    let settings = Settings {
        table: get("SIDESTEP_TABLE")?,
        timers: variable("SIDESTEP_TIMERS"),
        reports: variable("SIDESTEP_REPORTS"),
        deployment: Deployment {
            artifact_bucket: get("SIDESTEP_BUCKET")?,
            region: get("AWS_REGION")?,
            account_id: get("SIDESTEP_ACCOUNT_ID")?,
        },
        options: EngineOptions { is_traced: is_traced(), jobs: job_settings(), ..options },
    };
    let mut adapters = Adapters::new(&engine_config(), &ServiceEndpoints::from_env(), &settings);
    if let Some(stack) = variable("SIDESTEP_STACK") {
        adapters.functions = adapters.functions.of_stack(stack);
    }
    Ok((adapters, settings))
}
