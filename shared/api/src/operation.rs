//! The list of operations: the name, the idempotency token and the handler of each.
//!
//! An operation is one line here. The enum, its names, and the function that calls its handler are
//! made from that line, so no operation can be in one of them and not in the others.

use serde_json::Value;

use crate::api::{Api, read};
use crate::error::ApiError;

/// The `ClientRequestToken` of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// The operation takes none, because a repeat does no harm.
    None,
    Optional,
    Required,
}

macro_rules! operations {
    (
        |$api:ident, $body:ident, $client_token:ident|
        $($name:ident, $token:expr => $answer:expr;)*
    ) => {
        /// An operation of SageMaker that is answered. Any other is refused with this list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation {
            $($name,)*
        }

        impl Operation {
            /// All operations, by name.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the operation's name in requests.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub(crate) fn token(self) -> Token {
                match self {
                    $(Self::$name => $token,)*
                }
            }

            /// Reads the request and calls the operation's handler.
            pub(crate) async fn perform(
                self,
                $api: &Api,
                $body: &[u8],
                $client_token: Option<&str>,
            ) -> Result<Value, ApiError> {
                match self {
                    $(Self::$name => $answer.await,)*
                }
            }
        }
    };
}

operations! {
    |api, body, token|
    AddTags, Token::None => api.add_tags(read(body)?);
    CreatePipeline, Token::Required => api.create_pipeline(read(body)?);
    DeletePipeline, Token::Required => api.delete_pipeline(read(body)?);
    DeleteTags, Token::None => api.delete_tags(read(body)?);
    DescribePipeline, Token::None => api.describe_pipeline(read(body)?);
    DescribePipelineDefinitionForExecution, Token::None => api.describe_definition(read(body)?);
    DescribePipelineExecution, Token::None => api.describe_execution(read(body)?);
    ListPipelineExecutionSteps, Token::None => api.list_steps(read(body)?);
    ListPipelineExecutions, Token::None => api.list_executions(read(body)?);
    ListPipelineParametersForExecution, Token::None => api.list_parameters(read(body)?);
    ListPipelineVersions, Token::None => api.list_versions(read(body)?);
    ListPipelines, Token::None => api.list_pipelines(read(body)?);
    ListTags, Token::None => api.list_tags(read(body)?);
    RetryPipelineExecution, Token::Required => api.retry_execution(read(body)?);
    SendPipelineExecutionStepFailure, Token::Optional => api.send_failure(read(body)?);
    SendPipelineExecutionStepSuccess, Token::Optional => api.send_success(read(body)?);
    StartPipelineExecution, Token::Required => api.start_execution(read(body)?, token);
    StopPipelineExecution, Token::Required => api.stop_execution(read(body)?);
    UpdatePipeline, Token::None => api.update_pipeline(read(body)?);
    UpdatePipelineExecution, Token::None => api.update_execution(read(body)?);
    UpdatePipelineVersion, Token::None => api.update_version(read(body)?);
}

impl Operation {
    /// Finds an operation by its name in requests.
    pub(crate) fn parse(name: &str) -> Result<Self, ApiError> {
        let found = Self::ALL.iter().find(|operation| operation.name() == name);
        found.copied().ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(80).collect();
    let names: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
    ApiError::UnknownOperation(format!(
        "sidestep does not have operation '{name}'. It runs pipelines of Lambda functions and has: {}.",
        names.join(", ")
    ))
}
