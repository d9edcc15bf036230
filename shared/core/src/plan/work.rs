//! The work of a step that runs and whose result may be cached: a call of a function, or a job.

use serde_json::Value;

use crate::definition::{JobStep, LambdaStep, StepKind};

/// What equal work has in common.
pub(crate) type Kin = (String, Option<String>);

/// What a step asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work<'a> {
    Lambda(&'a LambdaStep),
    /// A job, with its name, which stands in no key.
    Job(&'a JobStep, &'a str),
}

/// Work with resolved arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) work: Work<'a>,
    pub(crate) arguments: &'a Value,
}

impl Work<'_> {
    /// Returns what equal work has in common: the function and its version, or the type of job.
    pub(crate) fn kin(&self) -> Kin {
        match self {
            Self::Lambda(lambda) => (lambda.function_arn.to_string(), lambda.code_version.clone()),
            Self::Job(job, _) => of_job(job),
        }
    }
}

/// Returns the same for a step of a definition; `None` if it has no work that is cached.
pub(crate) fn kin_of(kind: &StepKind) -> Option<Kin> {
    match kind {
        StepKind::Lambda(lambda) => Some(Work::Lambda(lambda).kin()),
        StepKind::Job(job) => Some(of_job(job)),
        StepKind::Callback(_) | StepKind::Condition { .. } | StepKind::Fail { .. } => None,
    }
}

fn of_job(job: &JobStep) -> Kin {
    // No function is named like this.
    (format!("job:{}", job.step_type), None)
}
