//! Redaction: the values of `NoEcho` parameters reach the functions that take them, and no text
//! that people read.

use serde_json::Value;

use crate::definition::graph::parameters_read;
use crate::definition::{Pipeline, StepIndex};
use crate::execution::commit::{AttemptResult, Commit, Verdict};
use crate::execution::start::Start;
use crate::name::ParameterName;

pub use crate::definition::parameter::MASK;

/// Returns the texts that must not be shown. The longest come first, so that a value that contains
/// another one is replaced as a whole.
pub(crate) fn secret_values(pipeline: &Pipeline, start: &Start) -> Vec<String> {
    let marked = pipeline.parameters.iter().filter(|parameter| parameter.no_echo);
    let values = marked.filter_map(|parameter| start.parameters.get(&parameter.name));
    let mut texts: Vec<_> = values.map(shown).filter(|text| !text.is_empty()).collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts
}

/// Returns the text of a value as messages show it.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Takes `secret_values` out of every text of a commit that people read.
pub(crate) fn redact(commit: &mut Commit, secret_values: &[String]) {
    if secret_values.is_empty() {
        return;
    }
    let hide = |text: &mut String| {
        for secret in secret_values {
            if text.contains(secret) {
                *text = text.replace(secret, MASK);
            }
        }
    };
    for completion in &mut commit.completions {
        match &mut completion.result {
            AttemptResult::Failed(failure) => hide(&mut failure.message),
            AttemptResult::Retried(retried) => hide(&mut retried.failure.message),
            AttemptResult::Succeeded(_) => {}
        }
    }
    commit.warnings.iter_mut().for_each(|warning| hide(&mut warning.message));
    for decision in &mut commit.decisions {
        hide(&mut decision.reason);
        decision.warning.iter_mut().for_each(hide);
        if let Verdict::Failed(failure) = &mut decision.verdict {
            hide(&mut failure.message);
        }
    }
    if let Some(reason) = commit.end.as_mut().and_then(|end| end.failure_reason.as_mut()) {
        hide(reason);
    }
}

/// Returns the first `NoEcho` parameter that a step reads.
pub(crate) fn secret_parameter(pipeline: &Pipeline, step: StepIndex) -> Option<ParameterName> {
    let is_secret =
        |name: &ParameterName| pipeline.parameters.iter().any(|p| p.no_echo && p.name == *name);
    parameters_read(pipeline, step).into_iter().find(is_secret)
}
