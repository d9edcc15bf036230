//! Why the engine refuses a request or cannot go on, in the user's terms.
//!
//! The cause of an error is its source and not a part of its message, so that [`error_chain`]
//! prints each thought once.

use sidestep_core::definition::StepType;
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::definition::output_reads::MissingOutput;
use sidestep_core::definition::parameter::ParameterError;
use sidestep_core::execution::FoldError;
use sidestep_core::execution::commit::Revision;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::parse::problem::Problem;
use sidestep_core::plan::control::ControlError;
use sidestep_core::selection::SelectionError;
use sidestep_core::selection::selector::SelectorError;

use crate::ports::BoxError;
use crate::ports::executions::TableError;
use crate::ports::functions::FunctionError;
use crate::ports::objects::StoreError;
use crate::ports::queues::QueueError;

/// A failure of the engine.
///
/// If it is not about the user's input, the platform delivers the event again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("the definition has problems")]
    Definition(Vec<Problem>),
    #[error("the project's files could not be looked at")]
    Freshness(#[source] BoxError),
    #[error("the execution cannot be started")]
    Start(#[from] StartError),
    #[error("execution `{0}` does not exist")]
    ExecutionNotFound(ExecutionId),
    #[error(
        "the state of execution `{execution_id}` has version {found}, this program reads up to {known}"
    )]
    NewerState { execution_id: ExecutionId, found: u32, known: u32 },
    #[error("definition `{digest}` is not in the artifact bucket")]
    DefinitionMissing { digest: String },
    #[error("commit {revision} of execution `{execution_id}` is missing")]
    CommitMissing { execution_id: ExecutionId, revision: Revision },
    #[error("the commits of execution `{execution_id}` do not follow from each other")]
    Damaged { execution_id: ExecutionId, source: FoldError },
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Function(#[from] FunctionError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("this process does not call the service of jobs")]
    NoJobs,
}

/// Why an execution cannot be started, in the user's terms.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error("{}", lines(.0))]
    Parameters(Vec<ParameterError>),
    #[error("{}", unrunnable_text(.0))]
    Unrunnable(Vec<(StepName, StepType)>),
    #[error("{}", unknown_functions_text(.0))]
    UnknownFunctions(Vec<(FunctionRef, StepName)>),
    #[error("{}", not_once_text(.0))]
    NotOnce(Vec<(StepName, FunctionRef)>),
    #[error("execution {execution_id} was started by the same token for other work")]
    Conflict { execution_id: ExecutionId },
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error("execution {execution_id} cannot be the source: {why}")]
    Source { execution_id: ExecutionId, why: String },
    /// What is registered is older than the user's files, which cannot be used.
    #[error("{0}")]
    Stale(String),
}

impl From<SelectorError> for StartError {
    fn from(error: SelectorError) -> Self {
        Self::Selection(error.into())
    }
}

/// Why a request about an existing execution is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    #[error("request refused for execution `{execution_id}`")]
    Control { execution_id: ExecutionId, source: ControlError },
    #[error(
        "execution `{execution_id}` used other code of function `{function}`, and `retry` keeps the code that an execution began with"
    )]
    OtherCode { execution_id: ExecutionId, function: String },
    #[error(
        "the start of execution `{execution_id}` is gone, and with it its definition, parameters, code and secret: nothing can be derived without them"
    )]
    StartGone { execution_id: ExecutionId },
    #[error("no callback step waits for token `{token}`")]
    UnknownToken { token: String },
    #[error("callback step `{step}` is not waiting any more")]
    NotWaiting { step: StepName },
    #[error("callback step `{step}` has no output `{output}` (outputs: {outputs})")]
    UnknownOutput { step: StepName, output: String, outputs: String },
    #[error("the answer to callback step `{step}` is incomplete")]
    MissingOutput { step: StepName, source: MissingOutput },
    #[error("output `{output}` of callback step `{step}`: {why}")]
    WrongOutput { step: StepName, output: String, why: String },
}

/// Formats an error and its causes on one line, for logs and for a step's failure reason.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

fn lines(errors: &[ParameterError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn unrunnable_text(steps: &[(StepName, StepType)]) -> String {
    let line =
        |(name, kind): &(StepName, StepType)| format!("`{name}` ({kind}) needs {}", kind.needs());
    let list: Vec<_> = steps.iter().map(line).collect();
    let is_named = |step_type: &StepType| steps.iter().any(|(_, named)| named == step_type);
    let types = StepType::ALL.iter().filter(|it| it.is_runnable() && !is_named(it));
    let runnable: Vec<_> = types.map(|step_type| step_type.name()).collect();
    format!(
        "these steps cannot run yet: {} (steps of these types can: {})",
        list.join("; "),
        runnable.join(", ")
    )
}

fn not_once_text(steps: &[(StepName, FunctionRef)]) -> String {
    let list: Vec<_> =
        steps.iter().map(|(name, function)| format!("`{name}` (function `{function}`)")).collect();
    format!(
        "these steps have `ExactlyOnceStart`, which their functions cannot keep without a step SDK: {}",
        list.join(", ")
    )
}

fn unknown_functions_text(functions: &[(FunctionRef, StepName)]) -> String {
    let list: Vec<_> =
        functions.iter().map(|(arn, step)| format!("`{arn}` (step `{step}`)")).collect();
    format!(
        "these functions do not exist: {}; add them to `[functions]` of sidestep.toml",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidestep_core::execution::ExecutionStatus;

    fn id() -> ExecutionId {
        ExecutionId::parse("abcdefghijkl").expect("legal")
    }

    fn cause() -> Box<dyn std::error::Error + Send + Sync> {
        "connection refused".into()
    }

    /// Errors with a cause, one of each kind that the engine makes.
    fn with_causes() -> Vec<EngineError> {
        let uri = sidestep_core::uri::S3Uri::new("b", "k");
        let source = ControlError::Over(ExecutionStatus::Stopped);
        let (queue_url, item) = ("q".to_owned(), "i".to_owned());
        let function_arn = "f".to_owned();
        let operation = "read";
        vec![
            RequestError::Control { execution_id: id(), source }.into(),
            StartError::Conflict { execution_id: id() }.into(),
            StartError::Unrunnable(vec![(
                StepName::parse("Fit").expect("legal"),
                StepType::AutoMl,
            )])
            .into(),
            TableError::Unavailable { operation, item, retryable: true, source: cause() }.into(),
            StoreError::Unavailable { operation, uri, retryable: true, source: cause() }.into(),
            FunctionError::Unavailable { operation, function_arn, source: cause() }.into(),
            QueueError::Unavailable { queue_url, source: cause() }.into(),
        ]
    }

    #[test]
    fn no_error_repeats_its_cause() {
        for error in with_causes() {
            let mut links = vec![error.to_string()];
            let mut cause = std::error::Error::source(&error);
            while let Some(source) = cause {
                links.push(source.to_string());
                cause = source.source();
            }
            assert!(links.len() > 1, "{error:?} has no cause");
            for pair in links.windows(2) {
                assert!(!pair[0].contains(&pair[1]), "{links:?}");
            }
        }
    }
}
