//! Explanations: why a step ran or did not, and what differs from its nearest earlier run.

use serde::Serialize;
use serde_json::Value;

use crate::cache::key::KeyParts;
use crate::definition::expression::Expression;
use crate::definition::{StepIndex, StepKind, StepType};
use crate::execution::commit::Verdict;
use crate::execution::past::PastExecution;
use crate::plan::cache::is_miss;
use crate::plan::draft::Draft;
use crate::plan::facts::Facts;

pub use crate::view::difference::{Difference, differences};

/// The explanation of the decision about one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Explanation {
    pub step_name: String,
    pub step_type: StepType,
    /// The decision; absent while the step's turn has not come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'static str>,
    /// The reason as the planner gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The execution that it is compared with: the nearest earlier one that has a key for this
    /// step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What differs from that execution. It is empty if nothing does, or if nothing can be
    /// compared.
    pub differences: Vec<Difference>,
    /// The SHA-256 of the key's parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_parts: Option<KeyParts>,
}

/// Explains one step of an execution by comparison with its nearest earlier run.
pub fn explain(
    this: &PastExecution,
    step: StepIndex,
    against: Option<&PastExecution>,
) -> Explanation {
    let definition = this.pipeline.step(step);
    let decision = this.decision(step);
    let parts = this.parts(&definition.name);
    // A hit has nothing to explain: its key is the earlier one.
    let is_miss = decision.is_some_and(|decision| matches!(decision.verdict, Verdict::Run(_)));
    let against = against.filter(|_| is_miss);
    let then = against.and_then(|against| against.parts(&definition.name));
    let differences = match (then, parts) {
        (Some(then), Some(now)) => differences(then, now, arguments(this, step).as_ref()),
        _ => Vec::new(),
    };
    Explanation {
        step_name: definition.name.to_string(),
        step_type: definition.step_type(),
        decision: decision.map(|decision| decision.verdict.decision()),
        reason: decision.map(|decision| decision.reason.clone()),
        warning: decision.and_then(|decision| decision.warning.clone()),
        against: then.and(parts).and(against).map(|against| against.start.execution_id.to_string()),
        differences,
        cache_key: parts.map(|parts| parts.key().to_string()),
        key_parts: parts.map(KeyParts::readable),
    }
}

impl Explanation {
    /// Returns in words what decided. Where the key was not in the cache these are the differences
    /// from an earlier run, otherwise the planner's reason.
    pub fn because(&self) -> String {
        let Some(reason) = &self.reason else { return "its turn has not come".to_owned() };
        let has_missed = self.decision == Some("Run") && is_miss(reason);
        match self.against.as_ref().filter(|_| has_missed) {
            None => reason.clone(),
            Some(against) if self.differences.is_empty() => {
                format!("{reason}, though nothing differs from execution {against}")
            }
            Some(against) => {
                let differences: Vec<_> = self.differences.iter().map(Difference::text).collect();
                format!("{} since execution {against}", differences.join(", "))
            }
        }
    }
}

/// Returns the arguments of a step as they were, with their URIs, as far as the commits tell.
fn arguments(this: &PastExecution, step: StepIndex) -> Option<Value> {
    let arguments = match &this.pipeline.step(step).kind {
        StepKind::Lambda(lambda) => &lambda.arguments,
        StepKind::Job(job) => &job.arguments,
        StepKind::Callback(_) | StepKind::Condition { .. } | StepKind::Fail { .. } => return None,
    };
    let facts = Facts {
        now_ms: this.start.started_at_ms,
        commits: this.commits.iter().map(|commit| (commit.revision, commit.clone())).collect(),
        ..Facts::default()
    };
    let draft = Draft::new(&this.pipeline, &this.start, &this.execution, &facts);
    let resolver = draft.resolver_of(step);
    // Part by part, so that one that cannot be evaluated does not hide the others.
    match arguments {
        Expression::Object(members) => {
            let member = |(name, value): (&String, &Expression)| {
                Some((name.clone(), value.evaluate(&resolver).ok()?))
            };
            Some(Value::Object(members.iter().filter_map(member).collect()))
        }
        other => other.evaluate(&resolver).ok(),
    }
}
