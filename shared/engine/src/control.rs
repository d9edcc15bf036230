//! Requests about existing executions: stop, retry, wake up, answer a callback.

use serde_json::{Map, Value};
use sidestep_core::definition::output::convert_output;
use sidestep_core::definition::output_reads::missing_output;
use sidestep_core::definition::{Pipeline, StepIndex, StepKind};
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::{ExecutionStatus, Phase};
use sidestep_core::failure::FailureType;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::control::{ControlError, check_retry, check_stop};
use sidestep_core::plan::{Event, Report, ReportedResult};

use crate::engine::Engine;
use crate::error::{EngineError, RequestError};

/// The answer to a Callback step.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Outputs by name.
    Success(Map<String, Value>),
    Failure(String),
}

impl Engine {
    /// Stops an execution: running steps finish, and no new ones start.
    ///
    /// The status is Stopping, then Stopped. Twice is fine.
    pub async fn stop(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        let loaded = self.load(id).await?;
        check_stop(&loaded.execution).map_err(|source| refused(id, source))?;
        self.advance(id, vec![Event::StopRequested]).await
    }

    /// Resumes an execution that failed or was stopped.
    ///
    /// Succeeded steps are kept. Everything else runs with the same definition, parameters and
    /// code.
    ///
    /// Twice is once. Stopped half-way: once the retry is noted, the sweep resumes the execution.
    pub async fn retry(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        loop {
            let loaded = self.load(id).await?;
            let check = check_retry(&loaded.start, &loaded.pipeline, &loaded.execution);
            check.map_err(|source| refused(id, source))?;
            for pinned in loaded.start.functions.values() {
                let now = self.functions.describe(&pinned.invoke_arn).await?;
                if now.is_none_or(|now| now.code_digest != pinned.code_digest) {
                    let (execution_id, function) = (id.clone(), pinned.invoke_arn.clone());
                    return Err(RequestError::OtherCode { execution_id, function }.into());
                }
            }
            // The sweep skips executions that have ended. Without this note, an execution would
            // stay unfinished if the planner died right after its commit.
            if self.executions.ask_retry(id, loaded.execution.revision).await? {
                break;
            }
        }
        self.advance(id, vec![Event::RetryRequested]).await
    }

    /// Applies time-outs and delays that are over.
    pub async fn wake(&self, id: &ExecutionId) -> Result<ExecutionStatus, EngineError> {
        self.advance(id, vec![Event::Woken]).await
    }

    /// Answers a Callback step. `token` is from its message. Returns the outputs that were ignored,
    /// because the step does not declare them.
    pub async fn answer(&self, token: &str, answer: Answer) -> Result<Vec<String>, EngineError> {
        let unknown = || RequestError::UnknownToken { token: token.chars().take(80).collect() };
        let record = self.executions.callback(token).await?.ok_or_else(unknown)?;
        let id = &record.execution_id;
        let mut loaded = self.load(id).await?;
        if loaded.execution.revision < record.revision {
            // The message may arrive before `HEAD` is written.
            self.catch_up(&mut loaded).await?;
        }
        let state = loaded.execution.steps.get(record.step.0).ok_or_else(unknown)?;
        let step = loaded.pipeline.step(record.step);
        if (state.phase, state.revision) != (Phase::Executing, record.revision) {
            return Err(RequestError::NotWaiting { step: step.name.clone() }.into());
        }
        if !matches!(step.kind, StepKind::Callback(_)) {
            return Err(unknown().into());
        }
        let mut ignored = Vec::new();
        let result = match answer {
            Answer::Failure(message) => {
                ReportedResult::Failed(Failure::new(FailureType::CallbackFailed, message))
            }
            Answer::Success(mut outputs) => {
                ignored = check_answer(&loaded.pipeline, record.step, &mut outputs)?;
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
        let proof = Proof::Token(Token(token));
        let report = Report { step: step.name.clone(), attempt_count, proof, result };
        self.advance(id, vec![Event::Reported(report)]).await?;
        Ok(ignored)
    }
}

/// Checks the outputs of an answer by the rules for every result, before anything is written.
///
/// Outputs that the step does not declare are taken out and returned: SageMaker ignores them. An
/// answer of nothing else is refused, because then a name is misspelt.
fn check_answer(
    pipeline: &Pipeline,
    index: StepIndex,
    outputs: &mut Map<String, Value>,
) -> Result<Vec<String>, RequestError> {
    let step = pipeline.step(index);
    let declared = step.outputs();
    let is_declared = |name: &String| declared.iter().any(|it| it.name == *name);
    let ignored: Vec<_> = outputs.keys().filter(|name| !is_declared(name)).cloned().collect();
    outputs.retain(|name, _| is_declared(name));
    if let (Some(first), true, false) = (ignored.first(), outputs.is_empty(), declared.is_empty()) {
        let names: Vec<_> = declared.iter().map(|it| it.name.as_str()).collect();
        return Err(RequestError::UnknownOutput {
            step: step.name.clone(),
            output: first.chars().take(80).collect(),
            outputs: names.join(", "),
        });
    }
    for output in declared {
        let Some(value) = outputs.get(&output.name) else { continue };
        convert_output(value, output.output_type).map_err(|why| {
            let (step, output) = (step.name.clone(), output.name.clone());
            RequestError::WrongOutput { step, output, why }
        })?;
    }
    match missing_output(pipeline, index, outputs) {
        None => Ok(ignored),
        Some(source) => Err(RequestError::MissingOutput { step: step.name.clone(), source }),
    }
}

fn refused(id: &ExecutionId, source: ControlError) -> RequestError {
    RequestError::Control { execution_id: id.clone(), source }
}
