//! The functions port over AWS Lambda.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::execution::invocation::{ATTEMPT_HEADER, AttemptName};
use sidestep_core::execution::start::{Function, PLACES_VARIABLE, READS_VARIABLE};
use sidestep_core::place::in_environment;
use sidestep_core::plan::lease::{EVENT_VARIABLE, EVENT_WITH_KEY, SDK_VARIABLE};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::functions::{FunctionError, Functions};

use crate::counter::Counter;
use crate::http::http_client;

/// [`Functions`] over Lambda. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct LambdaFunctions {
    client: Client,
    /// The stack whose functions bare names mean.
    stack: Option<String>,
}

/// The alias of every step function that names the version which new executions use.
pub const LIVE_ALIAS: &str = "live";

impl LambdaFunctions {
    /// Makes the adapter without any request.
    pub fn new(config: &SdkConfig) -> Self {
        let builder = aws_sdk_lambda::config::Builder::from(config);
        let config = builder.http_client(http_client(config)).build();
        Self { client: Client::from_conf(config), stack: None }
    }

    /// Returns the same adapter, with its requests counted.
    pub fn counted(&self, counter: &Counter) -> Self {
        let config = self.client.config().to_builder().interceptor(counter.clone());
        Self { client: Client::from_conf(config.build()), stack: self.stack.clone() }
    }

    /// Returns the adapter for a stack: a bare name means the live version of the stack's function.
    pub fn of_stack(mut self, stack: impl Into<String>) -> Self {
        self.stack = Some(stack.into());
        self
    }
}

#[async_trait]
impl Functions for LambdaFunctions {
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError> {
        let (name, qualifier) = match (&self.stack, FunctionRef::parse(function_arn)) {
            (Some(stack), Ok(FunctionRef::Named(name))) => {
                (format!("{stack}-{name}"), Some(LIVE_ALIAS.to_owned()))
            }
            _ => (function_arn.to_owned(), None),
        };
        let call = self.client.get_function_configuration().function_name(name);
        match call.set_qualifier(qualifier).send().await {
            Ok(configuration) => Ok(Some(function(function_arn, &configuration))),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(classify("describe", function_arn, error)),
        }
    }

    async fn invoke(
        &self,
        invoke_arn: &str,
        payload: &Value,
        attempt: &AttemptName,
    ) -> Result<String, FunctionError> {
        let attempt_name = attempt.to_string();
        let call = self
            .client
            .invoke()
            .function_name(invoke_arn)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload.to_string()));
        let named = call.customize().mutate_request(move |request| {
            request.headers_mut().insert(ATTEMPT_HEADER, attempt_name.clone());
        });
        match named.send().await {
            Ok(accepted) => Ok(accepted.request_id().unwrap_or_default().to_owned()),
            Err(error) => Err(classify("invoke", invoke_arn, error)),
        }
    }
}

/// The variables by which sidestep describes a function to itself.
const OWN_VARIABLES: [&str; 3] = [SDK_VARIABLE, READS_VARIABLE, PLACES_VARIABLE];

/// Describes a function, with a digest of everything in it that can change a result: the code, how
/// it is entered, and its settings.
fn function(asked: &str, configuration: &GetFunctionConfigurationOutput) -> Function {
    let variables = configuration.environment().and_then(|environment| environment.variables());
    let has = |name, wanted| variables.and_then(|all| all.get(name)).is_some_and(|it| it == wanted);
    let has_sdk = has(SDK_VARIABLE, "1");
    // Sidestep's own variables do not change a result.
    let is_own = |name: &String| OWN_VARIABLES.contains(&name.as_str());
    let others = variables
        .map(|all| all.iter().filter(|(name, _)| !is_own(name)).collect::<BTreeMap<_, _>>())
        .filter(|others| !others.is_empty());
    let layers: Vec<_> = configuration.layers().iter().map(|layer| layer.arn()).collect();
    let code = json!([
        configuration.code_sha256(),
        configuration.runtime().map(aws_sdk_lambda::types::Runtime::as_str),
        configuration.handler(),
        layers,
        others,
    ]);
    let positive =
        |value: Option<i32>, default| value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default);
    Function {
        invoke_arn: pinned(asked, configuration),
        code_digest: format!("sha256:{}", hex::encode(Sha256::digest(code.to_string()))),
        memory_mb: positive(configuration.memory_size(), 128),
        timeout_seconds: positive(configuration.timeout(), 3),
        has_sdk,
        reads: variables.map(|all| listed(all, READS_VARIABLE)).unwrap_or_default(),
        places: variables.map(places).unwrap_or_default(),
        is_plain: !has_sdk && !has(EVENT_VARIABLE, EVENT_WITH_KEY),
    }
}

/// Returns the URIs that a variable lists as JSON.
fn listed(variables: &HashMap<String, String>, name: &str) -> Vec<S3Uri> {
    let list = variables.get(name).map(|list| serde_json::from_str(list));
    list.and_then(Result::ok).unwrap_or_default()
}

/// Returns the places that the environment names.
fn places(variables: &HashMap<String, String>) -> Vec<S3Uri> {
    let others = variables.iter().filter(|(name, _)| !OWN_VARIABLES.contains(&name.as_str()));
    let named = in_environment(others.map(|(name, value)| (name.as_str(), value.as_str())));
    let mut places = listed(variables, PLACES_VARIABLE);
    places.extend(named);
    places
}

/// Returns the ARN with the version's number if the function was asked for by an alias, because the
/// alias may move while an execution runs. The embedded cloud names the version of newest code too.
fn pinned(asked: &str, configuration: &GetFunctionConfigurationOutput) -> String {
    let arn = configuration.function_arn().unwrap_or(asked);
    let version = configuration.version().filter(|version| *version != "$LATEST");
    match (arn.strip_suffix(&format!(":{LIVE_ALIAS}")), version) {
        (Some(function), Some(version)) => format!("{function}:{version}"),
        (None, Some(version)) if is_unqualified(arn) => format!("{arn}:{version}"),
        _ => arn.to_owned(),
    }
}

/// Returns true for `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME` without a qualifier.
fn is_unqualified(arn: &str) -> bool {
    arn.split(':').count() == 7
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn classify<E, R>(
    operation: &'static str,
    function_arn: &str,
    error: SdkError<E, R>,
) -> FunctionError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let function_arn = function_arn.to_owned();
    match code(&error) {
        Some("ResourceNotFoundException") => FunctionError::NotFound { function_arn },
        Some("TooManyRequestsException") => FunctionError::Throttled { function_arn },
        _ => FunctionError::Unavailable { operation, function_arn, source: Box::new(error) },
    }
}
