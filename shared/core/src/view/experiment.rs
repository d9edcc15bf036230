//! The names of experiments that a definition gives: evaluated for one execution, and shown.

use std::cell::RefCell;

use serde_json::Value;

use crate::definition::Pipeline;
use crate::definition::expression::Expression;
use crate::definition::parameter::MASK;
use crate::execution::commit::Commit;
use crate::execution::start::Start;
use crate::plan::facts::Facts;
use crate::plan::resolver::Resolver;

/// The values of `PipelineExperimentConfig` and `MlflowConfig` in one execution. A part is `None`
/// if the definition does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExperimentNames {
    pub experiment_name: Option<String>,
    pub trial_name: Option<String>,
    pub mlflow_resource_arn: Option<String>,
    pub mlflow_experiment_name: Option<String>,
}

/// Returns the names, with the values of the execution's parameters and variables in them. `NoEcho`
/// values stay hidden.
pub fn experiment_names(pipeline: &Pipeline, start: &Start) -> ExperimentNames {
    let mut shown = start.clone();
    for parameter in pipeline.parameters.iter().filter(|parameter| parameter.no_echo) {
        shown.parameters.insert(parameter.name.clone(), Value::from(MASK));
    }
    let facts = Facts { now_ms: start.started_at_ms, ..Facts::default() };
    let (draft, needs) = (Commit::new(0, facts.now_ms), RefCell::default());
    let resolver = Resolver {
        pipeline,
        start: &shown,
        facts: &facts,
        states: &[],
        draft: &draft,
        needs: &needs,
        reader: None,
        watch: None,
    };
    let value = |expression: &Expression| match resolver.evaluate(expression) {
        Ok(Ok(Value::String(text))) => Some(text),
        _ => None,
    };
    let experiment = pipeline.experiment.as_ref();
    let mlflow = pipeline.mlflow.as_ref();
    ExperimentNames {
        experiment_name: experiment.and_then(|config| value(&config.experiment_name)),
        trial_name: experiment.and_then(|config| value(&config.trial_name)),
        mlflow_resource_arn: mlflow.and_then(|config| value(config.resource_arn.as_ref()?)),
        mlflow_experiment_name: mlflow.and_then(|config| value(config.experiment_name.as_ref()?)),
    }
}
