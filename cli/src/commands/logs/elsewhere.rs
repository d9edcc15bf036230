//! Where the logs of steps are that did not run in an execution.

use std::collections::BTreeMap;

use sidestep_core::definition::{StepIndex, StepKind};
use sidestep_core::execution::commit::Verdict;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::execution::result::Source;
use sidestep_core::name::{ExecutionId, StepName};

/// Returns notes about the wanted step, or about all steps whose results are of other executions.
pub(super) fn notes(this: &PastExecution, wanted: Option<&StepName>) -> Vec<String> {
    match wanted.map(|name| this.pipeline.find(name)) {
        Some(found) => found.and_then(|step| of_step(this, step)).into_iter().collect(),
        None => of_all(this),
    }
}

/// Returns why a step has no logs, or where they are.
fn of_step(this: &PastExecution, step: StepIndex) -> Option<String> {
    let definition = this.pipeline.step(step);
    let (name, step_type) = (&definition.name, definition.step_type());
    if !matches!(definition.kind, StepKind::Lambda(_)) {
        return Some(format!("a {step_type} step has no logs"));
    }
    let Some(decision) = this.decision(step) else {
        return Some(format!("step `{name}` has not started"));
    };
    match (&decision.verdict, source(&decision.verdict)) {
        (Verdict::Run(_), _) => None,
        (_, Some(Source { execution_id, step_name, .. })) => Some(format!(
            "step `{name}` did not run: its result is of execution {execution_id}, and `sidestep logs {execution_id} {step_name}` prints the logs"
        )),
        _ => Some(format!("step `{name}` did not run: {}", decision.reason)),
    }
}

/// Returns one note for each execution whose results were taken.
fn of_all(this: &PastExecution) -> Vec<String> {
    let mut steps: BTreeMap<&ExecutionId, Vec<String>> = BTreeMap::new();
    for step in this.pipeline.indexes() {
        let decision = this.decision(step);
        if let Some(source) = decision.and_then(|decision| source(&decision.verdict))
            && matches!(this.pipeline.step(step).kind, StepKind::Lambda(_))
        {
            let name = format!("`{}`", this.pipeline.step(step).name);
            steps.entry(&source.execution_id).or_default().push(name);
        }
    }
    let note = |(id, names): (&ExecutionId, Vec<String>)| {
        let (names, result) =
            (names.join(", "), if names.len() == 1 { "result" } else { "results" });
        format!("{result} of execution {id}: {names}; `sidestep logs {id}` prints the logs")
    };
    steps.into_iter().map(note).collect()
}

fn source(verdict: &Verdict) -> Option<&Source> {
    match verdict {
        Verdict::CacheHit(hit) => Some(&hit.source),
        Verdict::Reused(reuse) => reuse.source.as_ref(),
        _ => None,
    }
}
