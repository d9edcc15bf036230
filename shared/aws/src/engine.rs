//! Puts an engine together from a configuration or from the environment of a function.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use sidestep_core::plan::handoff::{Handoff, UnknownHandoff};
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::clock::SystemClock;
#[cfg(feature = "events")]
use sidestep_engine::ports::watcher::Watcher;
use sidestep_engine::ports::{Deployment, Ports};

use crate::counter::Counter;
use crate::lambda::LambdaFunctions;
use crate::object::{S3ObjectStore, config_from_env};
use crate::queue::SqsQueues;
use crate::table::DynamoTable;

/// What a deployment's engine has to know.
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

/// A setting that is not in the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable `{0}` is not set")]
pub struct MissingSetting(pub &'static str);

/// Where the services answer; `None` is AWS itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEndpoints {
    pub s3: Option<String>,
    pub dynamodb: Option<String>,
    pub lambda: Option<String>,
    pub sqs: Option<String>,
    pub eventbridge: Option<String>,
}

impl ServiceEndpoints {
    /// `AWS_ENDPOINT_URL_S3` and its like, else `AWS_ENDPOINT_URL`, as in AWS's own tools.
    pub fn from_env() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
        let url = |service: &str| {
            get(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| get("AWS_ENDPOINT_URL"))
        };
        Self {
            s3: url("S3"),
            dynamodb: url("DYNAMODB"),
            lambda: url("LAMBDA"),
            sqs: url("SQS"),
            eventbridge: url("EVENTBRIDGE"),
        }
    }
}

/// A configuration with fixed keys, for services that check none.
pub fn local_config(region: &str) -> SdkConfig {
    let credentials = Credentials::new("sidestep", "sidestep", None, None, "embedded");
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

/// The same for a stack: bare names of functions mean its functions, see [`LambdaFunctions::of_stack`].
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

/// The same as [`engine()`], counting what it asks of the services.
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

/// Makes the engine of a function: `SIDESTEP_TABLE`, `SIDESTEP_BUCKET`, `SIDESTEP_ACCOUNT_ID`, on AWS `SIDESTEP_STACK`, `SIDESTEP_TIMERS`
/// and, of a step, `SIDESTEP_REPORTS` (queues' URLs) and, if changes of status are told, `SIDESTEP_EVENT_BUS`; and what Lambda sets.
pub fn engine_from_env(options: EngineOptions) -> Result<Engine, MissingSetting> {
    let (adapters, settings) = adapters_from_env(options)?;
    #[cfg(feature = "events")]
    if let Some(name) = std::env::var("SIDESTEP_EVENT_BUS").ok().filter(|name| !name.is_empty()) {
        let watcher = event_bus(&config_from_env(), &ServiceEndpoints::from_env(), &name);
        let options = EngineOptions { watcher: Some(watcher), ..settings.options };
        return Ok(adapters.engine(Settings { options, ..settings }));
    }
    Ok(adapters.engine(settings))
}

/// Returns a watcher that tells the bus `name` of EventBridge what changes.
#[cfg(feature = "events")]
pub fn event_bus(config: &SdkConfig, endpoints: &ServiceEndpoints, name: &str) -> Arc<dyn Watcher> {
    let mut config = config.clone().into_builder();
    config.set_endpoint_url(endpoints.eventbridge.clone());
    Arc::new(crate::event_bus::EventBus::new(&config.build(), name))
}

/// The same, counting what it asks of the services.
pub fn counted_engine_from_env(
    counter: &Counter,
    options: EngineOptions,
) -> Result<Engine, MissingSetting> {
    let (adapters, settings) = adapters_from_env(options)?;
    Ok(adapters.counted(counter).engine(settings))
}

/// Which roads results take, by `SIDESTEP_HANDOFF`; not set: by event.
pub fn handoff_from_env() -> Result<Handoff, UnknownHandoff> {
    match std::env::var("SIDESTEP_HANDOFF") {
        Ok(text) if !text.is_empty() => text.parse(),
        _ => Ok(Handoff::Event),
    }
}

fn adapters_from_env(options: EngineOptions) -> Result<(Adapters, Settings), MissingSetting> {
    let get = |name: &'static str| std::env::var(name).map_err(|_| MissingSetting(name));
    let url = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
    let settings = Settings {
        table: get("SIDESTEP_TABLE")?,
        timers: url("SIDESTEP_TIMERS"),
        reports: url("SIDESTEP_REPORTS"),
        deployment: Deployment {
            artifact_bucket: get("SIDESTEP_BUCKET")?,
            region: get("AWS_REGION")?,
            account_id: get("SIDESTEP_ACCOUNT_ID")?,
        },
        options,
    };
    let adapters = Adapters::new(&config_from_env(), &ServiceEndpoints::from_env(), &settings);
    let stack = std::env::var("SIDESTEP_STACK").ok().filter(|stack| !stack.is_empty());
    let adapters = match stack {
        Some(stack) => Adapters { functions: adapters.functions.of_stack(stack), ..adapters },
        None => adapters,
    };
    Ok((adapters, settings))
}
