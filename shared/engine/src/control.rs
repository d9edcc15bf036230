//! Stopping executions, taking them up again, answering callbacks, waking up.

use serde_json::{Map, Value};
use sidestep_core::definition::StepKind;
use sidestep_core::definition::output::convert_output;
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::failure::FailureType;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::plan::control::{ControlError, check_retry, check_stop};
use sidestep_core::plan::{Event, Report, ReportedResult};

use crate::engine::{Engine, EngineError};

/// Why a request about an execution is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    // Not a `source`: the message says it, and a chain of causes would print it twice.
    #[error("execution `{execution_id}`: {refusal}")]
    Control { execution_id: ExecutionId, refusal: ControlError },
    #[error(
        "execution `{execution_id}` used other code of function `{function}`; start a new one, which takes finished steps from the cache"
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
    #[error("output `{output}` of callback step `{step}`: {why}")]
    WrongOutput { step: StepName, output: String, why: String },
}

/// The answer to a Callback step.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Outputs by name.
    Success(Map<String, Value>),
    Failure(String),
}

impl Engine {
    /// Asks that nothing new starts. Running steps go on; the status is Stopping, then Stopped. Twice is fine.
    pub async fn stop(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        let loaded = self.load(id).await?;
        check_stop(&loaded.execution).map_err(|source| refused(id, source))?;
        self.advance(id, |_| vec![Event::StopRequested]).await
    }

    /// Takes up an execution that failed or was stopped: what succeeded stays, everything else runs with the same definition, parameters
    /// and code.
    ///
    /// Twice is once. Stopped half-way: once it is noted, the sweep takes the execution up.
    pub async fn retry(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        loop {
            let loaded = self.load(id).await?;
            let check = check_retry(&loaded.pipeline, &loaded.execution);
            check.map_err(|source| refused(id, source))?;
            for pinned in loaded.start.functions.values() {
                let now = self.functions.describe(&pinned.invoke_arn).await?;
                if now.is_none_or(|now| now.code_digest != pinned.code_digest) {
                    let (execution_id, function) = (id.clone(), pinned.invoke_arn.clone());
                    return Err(RequestError::OtherCode { execution_id, function }.into());
                }
            }
            // What is over is not swept: without this, a planner that dies right after its commit leaves it to whoever asks again.
            if self.executions.ask_retry(id, loaded.execution.revision).await? {
                break;
            }
        }
        self.advance(id, |_| vec![Event::RetryRequested]).await
    }

    /// Looks whether time-outs or delays are over.
    pub async fn wake(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        self.advance(id, |_| vec![Event::Woken]).await
    }

    /// Answers a Callback step, by the token of its message.
    pub async fn answer(&self, token: &str, answer: Answer) -> Result<(), EngineError> {
        let unknown = || RequestError::UnknownToken { token: token.chars().take(80).collect() };
        let record = self.executions.callback(token).await?.ok_or_else(unknown)?;
        let id = &record.execution_id;
        let mut loaded = self.load(id).await?;
        if loaded.execution.revision < record.revision {
            // The message may be faster than `HEAD`.
            self.catch_up(&mut loaded).await?;
        }
        let state = loaded.execution.steps.get(record.step.0).ok_or_else(unknown)?;
        let step = loaded.pipeline.step(record.step);
        if (state.phase, state.revision) != (Phase::Executing, record.revision) {
            return Err(RequestError::NotWaiting { step: step.name.clone() }.into());
        }
        let StepKind::Callback(callback) = &step.kind else { return Err(unknown().into()) };
        let result = match answer {
            Answer::Failure(message) => {
                ReportedResult::Failed(Failure::new(FailureType::CallbackFailed, message))
            }
            Answer::Success(outputs) => {
                for (output, value) in &outputs {
                    let declared = callback.outputs.iter().find(|d| d.name == *output);
                    let declared = declared.ok_or_else(|| RequestError::UnknownOutput {
                        step: step.name.clone(),
                        output: output.chars().take(80).collect(),
                        outputs: callback
                            .outputs
                            .iter()
                            .map(|declared| declared.name.as_str())
                            .collect::<Vec<_>>()
                            .join(", "),
                    })?;
                    convert_output(value, declared.output_type).map_err(|why| {
                        let (step, output) = (step.name.clone(), output.clone());
                        RequestError::WrongOutput { step, output, why }
                    })?;
                }
                ReportedResult::Succeeded {
                    outputs,
                    artifacts: Vec::new(),
                    duration_ms: None,
                    manifest: None,
                }
            }
        };
        let attempt_count = record.attempt_count;
        let token = loaded.start.secret.token(id, record.step, attempt_count, record.revision);
        let report = Report { step: step.name.clone(), attempt_count, token, result };
        self.advance(id, move |_| vec![Event::Reported(report.clone())]).await?;
        Ok(())
    }
}

fn refused(id: &ExecutionId, refusal: ControlError) -> RequestError {
    RequestError::Control { execution_id: id.clone(), refusal }
}
