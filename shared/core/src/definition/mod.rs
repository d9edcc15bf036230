//! A pipeline definition, parsed and checked: every name resolved, every edge known.
//!
//! Steps are one flat list in definition order, a Condition step before the steps of its branches.
//! A [`StepIndex`] is the position in that list, and the step's place in an execution's `HEAD`.

pub mod condition;
pub(crate) mod decimal;
mod declared;
pub mod expression;
pub mod extension;
pub mod function_ref;
pub mod graph;
pub mod output;
pub mod output_reads;
pub mod parameter;
pub mod property_path;
pub mod queue_url;
mod scalar_type;
mod step_needs;
mod step_rules;
pub mod step_type;
pub mod trigger;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::definition::condition::Condition;
use crate::definition::expression::Expression;
use crate::definition::extension::{CacheScope, OnFailure, TriggerRule, When};
use crate::definition::function_ref::FunctionRef;
use crate::definition::queue_url::QueueUrl;
use crate::definition::trigger::Trigger;
use crate::name::StepName;

pub use crate::definition::declared::Parameter;
pub use crate::definition::output::OutputParameter;
pub use crate::definition::scalar_type::ScalarType;
pub use crate::definition::step_type::{
    CallbackStep, JobStep, LambdaStep, PropertyFile, StepKind, StepType,
};

/// The only version of definitions.
pub const DEFINITION_VERSION: &str = "2020-12-01";

/// A definition that passed all checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub parameters: Vec<Parameter>,
    pub experiment: Option<ExperimentConfig>,
    pub mlflow: Option<MlflowConfig>,
    /// In definition order, a condition before the steps of its branches.
    pub steps: Vec<Step>,
    /// Every step after all that it waits for; ties in definition order.
    pub topological_order: Vec<StepIndex>,
}

/// A step's position in [`Pipeline::steps`], from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub usize);

/// `PipelineExperimentConfig`: evaluated and shown, otherwise without effect.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentConfig {
    pub experiment_name: Expression,
    pub trial_name: Expression,
}

/// `MlflowConfig` of SDK 3: evaluated and shown, otherwise without effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MlflowConfig {
    pub resource_arn: Option<Expression>,
    pub experiment_name: Option<Expression>,
}

/// A node of the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub name: StepName,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub kind: StepKind,
    /// The branch that contains this step.
    pub parent: Option<Parent>,
    /// The steps that this step waits for: `DependsOn` and every reference at any depth. The
    /// enclosing Condition step is not among them.
    pub dependencies: BTreeSet<StepIndex>,
    /// The triggers of the dependencies that need not succeed.
    pub triggers: BTreeMap<StepIndex, Trigger>,
    /// The step's own setting or the pipeline's default. `None` if the step is never cached.
    pub cache: Option<CacheConfig>,
    pub retry_policies: Vec<RetryPolicy>,
    /// An attempt fails after this time.
    pub timeout_seconds: Option<u32>,
    pub tags: Vec<String>,
    pub trigger_rule: TriggerRule,
    pub on_failure: OnFailure,
    pub when: Option<When>,
    /// The step's place in the document, as a JSON pointer.
    pub pointer: String,
}

/// The enclosing Condition step and the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub condition: StepIndex,
    pub branch: Branch,
}

/// A branch of a Condition step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    If,
    Else,
}

/// An enabled `CacheConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    /// The greatest age of an entry; `None` for any age. A year has 365 days and a month 30.
    pub expire_after: Option<Duration>,
    pub scope: CacheScope,
}

/// SageMaker's retry policy.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    pub exception_types: Vec<String>,
    pub interval_seconds: u64,
    pub backoff_rate: f64,
    pub max_attempts: Option<u64>,
    pub expire_after_minutes: Option<u64>,
}

impl Pipeline {
    /// Returns the pipeline of an execution that could not be started.
    pub fn without_steps() -> Self {
        Self {
            parameters: Vec::new(),
            experiment: None,
            mlflow: None,
            steps: Vec::new(),
            topological_order: Vec::new(),
        }
    }

    pub fn step(&self, index: StepIndex) -> &Step {
        &self.steps[index.0]
    }

    /// Returns the step with this name.
    pub fn find(&self, name: &StepName) -> Option<StepIndex> {
        self.steps.iter().position(|step| step.name == *name).map(StepIndex)
    }

    pub fn indexes(&self) -> impl Iterator<Item = StepIndex> + use<> {
        (0..self.steps.len()).map(StepIndex)
    }

    /// Returns the functions of the Lambda steps, in definition order.
    pub fn functions(&self) -> impl Iterator<Item = &FunctionRef> {
        self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Lambda(lambda) => Some(&lambda.function_arn),
            _ => None,
        })
    }

    /// Returns the functions of this pipeline that cannot run, and why. `by_name` holds those that
    /// cannot run here by their names, however a definition refers to them.
    pub fn left_out(&self, by_name: &BTreeMap<String, String>) -> BTreeMap<FunctionRef, String> {
        let left_out = self.functions().filter_map(|function| {
            let why = by_name.get(function.function_name())?;
            Some((function.clone(), why.clone()))
        });
        left_out.collect()
    }

    /// Returns true if anything in the definition compares with an earlier execution.
    pub fn looks_back(&self) -> bool {
        self.steps.iter().any(Step::looks_back)
    }

    /// Returns the steps whose work is a job, in definition order.
    pub fn jobs(&self) -> impl Iterator<Item = (StepIndex, &JobStep)> {
        self.steps.iter().enumerate().filter_map(|(index, step)| match &step.kind {
            StepKind::Job(job) => Some((StepIndex(index), job)),
            _ => None,
        })
    }

    /// Returns the queues that Callback steps send to.
    pub fn queues(&self) -> impl Iterator<Item = &QueueUrl> {
        self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Callback(callback) => Some(&callback.sqs_queue_url),
            _ => None,
        })
    }

    /// Returns the URLs of those queues, as far as they are known before an execution.
    pub fn queue_urls(&self) -> impl Iterator<Item = &str> {
        self.queues().filter_map(|queue| queue.known(&self.parameters))
    }
}

impl Step {
    pub fn step_type(&self) -> StepType {
        self.kind.step_type()
    }

    /// Returns true if this version can execute the step. Others are refused at the start.
    pub fn is_runnable(&self) -> bool {
        self.kind.is_runnable()
    }

    /// Returns how `dependency` must have ended for this step to start.
    pub fn trigger(&self, dependency: StepIndex) -> Trigger {
        self.triggers.get(&dependency).copied().unwrap_or_default()
    }

    /// Returns true if the step may start although `dependency` did not succeed.
    pub fn allows_failure(&self, dependency: StepIndex) -> bool {
        self.trigger_rule != TriggerRule::AllSucceeded || self.trigger(dependency).allows_failure()
    }

    /// Returns true if the step compares with an earlier execution, or may use its outputs.
    fn looks_back(&self) -> bool {
        let decides = match &self.kind {
            StepKind::Condition { conditions } => conditions.iter().any(Condition::looks_back),
            _ => false,
        };
        decides || self.when.as_ref().is_some_and(When::looks_back)
    }

    /// Returns the declared outputs; none for types that declare none.
    pub fn outputs(&self) -> &[OutputParameter] {
        self.kind.outputs()
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::{Format, parse};

    /// Returns true if a pipeline with this second step looks back.
    fn looks_back(second: &str) -> bool {
        let text = format!(
            "Version: \"2020-12-01\"\nSteps:\n\
             - {{ Name: A, Type: Lambda, FunctionArn: f, Arguments: {{}} }}\n- {second}\n"
        );
        let parsed = parse(text.as_bytes(), Format::Yaml).expect("a valid definition");
        parsed.pipeline.looks_back()
    }

    #[test]
    fn a_pipeline_looks_back_if_a_condition_compares_or_a_step_may_be_reused() {
        let changed = "{ Type: Not, Condition: { Type: Changed, Value: s3://inbox/x } }";
        let equals = "{ Type: Equals, LeftValue: 1, RightValue: 1 }";
        let step = "Name: B, Type: Lambda, FunctionArn: f, Arguments: {}";
        let decider = |condition: &str| {
            format!("{{ Name: B, Type: Condition, Arguments: {{ Conditions: [{condition}] }} }}")
        };
        let when = |condition: &str, otherwise: &str| {
            format!("{{ {step}, When: {{ Conditions: [{condition}], Else: {otherwise} }} }}")
        };
        for second in [decider(changed), when(changed, "Skip"), when(equals, "Reuse")] {
            assert!(looks_back(&second), "{second}");
        }
        for second in [decider(equals), when(equals, "Skip"), format!("{{ {step} }}")] {
            assert!(!looks_back(&second), "{second}");
        }
    }
}
