//! What a function may read and write, derived from the definitions that use it.
//!
//! A step writes below `runs/PIPELINE/*/STEP/`. It reads:
//!
//! - the `s3://` URIs in its arguments (of a `Std:Join`, the text before the first reference);
//! - those of the parameters that it takes;
//! - all artifacts below `runs/`, if an argument holds another step's output: a cache hit can come
//!   from any pipeline and step that did the same work before.
//!
//! `sidestep.toml` names what a definition does not show.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sidestep_core::definition::condition::Condition;
use sidestep_core::definition::expression::{Expression, Reference, UNKNOWN};
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::definition::graph::parameters_read;
use sidestep_core::definition::{LambdaStep, Pipeline, StepKind};
use sidestep_core::limits::LEASE_ATTEMPTS;
use sidestep_core::name::{ParameterName, PipelineName, StepName};
use sidestep_core::place::{Surroundings, find, place};
use sidestep_core::uri::S3Uri;

use crate::blueprint::{Blueprint, Function, PipelineUse, Upload};

pub use crate::reach::Reach;

/// The number of visits of one function in a chain of requests after which Lambda drops the next
/// one (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>).
pub const RECURSION_VISITS: u64 = 16;

/// What one function may read and write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The steps that it runs, and whose prefixes it writes.
    pub steps: BTreeSet<(PipelineName, StepName)>,
    pub reads: BTreeSet<Reach>,
    pub writes: BTreeSet<Reach>,
    /// True if an argument holds another step's output.
    pub reads_artifacts: bool,
    /// True if an argument holds a batch's listing.
    pub reads_listings: bool,
    /// The most visits in one chain of requests.
    pub visits: u64,
}

impl Access {
    /// Returns true if Lambda's recursion guard would stop a healthy execution.
    pub fn needs_recursion(&self) -> bool {
        self.visits >= RECURSION_VISITS
    }
}

/// Returns the access of every function of the project, including those without a step.
pub fn accesses(blueprint: &Blueprint) -> BTreeMap<String, Access> {
    let mut accesses: BTreeMap<String, Access> = BTreeMap::new();
    for (name, function) in &blueprint.functions {
        let access = accesses.entry(name.clone()).or_default();
        let reads = function.reads.iter().map(|uri| place(uri.bucket(), uri.key()));
        access.reads.extend(reads.map(|uri| Reach::exact(&uri)));
        access.writes.extend(function.writes.iter().map(Reach::exact));
    }
    for (pipeline_name, pipeline_use) in &blueprint.pipelines {
        let mut visits: BTreeMap<&str, u64> = BTreeMap::new();
        for step in &pipeline_use.pipeline.steps {
            let StepKind::Lambda(lambda) = &step.kind else { continue };
            let FunctionRef::Named(name) = &lambda.function_arn else { continue };
            let name = name.as_str();
            let Some(access) = accesses.get_mut(name) else { continue };
            access.steps.insert((pipeline_name.clone(), step.name.clone()));
            read_step(lambda, pipeline_use, access);
            let retries: u64 =
                step.retry_policies.iter().filter_map(|policy| policy.max_attempts).sum();
            *visits.entry(name).or_default() += (1 + retries).max(LEASE_ATTEMPTS.into());
        }
        for (name, visits) in visits {
            let access = accesses.entry(name.to_owned()).or_default();
            access.visits = access.visits.max(visits);
        }
    }
    accesses
}

/// Returns what any function reads or writes outside the artifact bucket.
///
/// The planner reads it too, because its content is part of cache keys.
pub fn inputs(blueprint: &Blueprint) -> BTreeSet<Reach> {
    let pipelines = blueprint.pipelines.values();
    looked_at(blueprint.functions.values(), pipelines)
}

/// Returns what plans of the pipelines in which `access` has a step look at, outside the artifact
/// bucket.
pub(crate) fn inputs_beside(blueprint: &Blueprint, access: &Access) -> BTreeSet<Reach> {
    let names: BTreeSet<_> = access.steps.iter().map(|(pipeline_name, _)| pipeline_name).collect();
    let pipelines: Vec<_> =
        names.iter().filter_map(|name| blueprint.pipelines.get(*name)).collect();
    let steps = pipelines.iter().flat_map(|pipeline_use| &pipeline_use.pipeline.steps);
    let functions = steps.filter_map(|step| match &step.kind {
        StepKind::Lambda(lambda) => blueprint.functions.get(lambda.function_arn.as_str()),
        _ => None,
    });
    looked_at(functions, pipelines.iter().copied())
}

/// Returns what plans of `pipelines`, which use `functions`, look at.
fn looked_at<'b>(
    functions: impl Iterator<Item = &'b Function>,
    pipelines: impl Iterator<Item = &'b PipelineUse>,
) -> BTreeSet<Reach> {
    let mut inputs: BTreeSet<Reach> = BTreeSet::new();
    for function in functions {
        let reads = function.reads.iter().map(|uri| place(uri.bucket(), uri.key()));
        inputs.extend(reads.map(|uri| Reach::exact(&uri)));
        // What a function writes is looked at before a cached result is used.
        inputs.extend(function.writes.iter().map(Reach::exact));
    }
    for pipeline_use in pipelines {
        let mut access = Access::default();
        for step in &pipeline_use.pipeline.steps {
            match &step.kind {
                // Steps that use functions of other stacks have arguments too.
                StepKind::Lambda(lambda) => read_step(lambda, pipeline_use, &mut access),
                StepKind::Condition { conditions, .. } => {
                    read_conditions(conditions, pipeline_use, &mut access);
                }
                // An input of a job is a prefix. Outputs are looked at before a cached result.
                StepKind::Job(job) => {
                    let mut named = Access::default();
                    read(&job.arguments, pipeline_use, &mut named);
                    let prefix = |reach: Reach| Reach { is_prefix: true, ..reach };
                    access.reads.extend(named.reads.into_iter().map(prefix));
                }
                StepKind::Callback(_) | StepKind::Fail { .. } => {}
            }
            if let Some(when) = &step.when {
                read_conditions(&when.conditions, pipeline_use, &mut access);
            }
        }
        inputs.extend(access.reads);
        // The content of an upload counts for the steps that take anything of it.
        let pipeline = &pipeline_use.pipeline;
        let read: BTreeSet<_> =
            pipeline.indexes().flat_map(|step| parameters_read(pipeline, step)).collect();
        let is_read = |name: &String| read.iter().any(|parameter| parameter.as_str() == name);
        let counts = |upload: &&Upload| upload.parameters.iter().any(is_read);
        inputs.extend(pipeline_use.uploads.iter().filter(counts).map(|upload| Reach {
            bucket: upload.bucket.clone(),
            key: upload.prefix.clone(),
            is_prefix: true,
        }));
    }
    inputs
}

/// Adds what the planner reads to decide conditions: documents, and content that is compared with
/// an earlier execution's.
fn read_conditions(conditions: &[Condition], pipeline_use: &PipelineUse, access: &mut Access) {
    for condition in conditions {
        match condition {
            Condition::Changed { value, .. } => read(value, pipeline_use, access),
            Condition::Compare { left, right, .. } => {
                read_document(left, pipeline_use, access);
                read_document(right, pipeline_use, access);
            }
            Condition::In { query, values } => {
                read_document(query, pipeline_use, access);
                for value in values {
                    read_document(value, pipeline_use, access);
                }
            }
            Condition::Not(condition) => {
                read_conditions(std::slice::from_ref(condition), pipeline_use, access);
            }
            Condition::Or(conditions) => read_conditions(conditions, pipeline_use, access),
            Condition::CodeChanged { .. } => {}
        }
    }
}

/// Adds the URI of a document. A URI that is only compared is a text and not read.
fn read_document(expression: &Expression, pipeline_use: &PipelineUse, access: &mut Access) {
    if let Expression::JsonGet { uri, .. } = expression {
        read(uri, pipeline_use, access);
    }
}

/// Adds what a step reads: its arguments and its `Reads`.
fn read_step(lambda: &LambdaStep, pipeline_use: &PipelineUse, access: &mut Access) {
    read(&lambda.arguments, pipeline_use, access);
    for expression in lambda.reads.iter().flatten() {
        match expression {
            Expression::Literal(Value::String(text)) => {
                let uri = S3Uri::parse(text).ok().map(|uri| place(uri.bucket(), uri.key()));
                access.reads.extend(uri.map(|uri| Reach::exact(&uri)));
            }
            expression => read(expression, pipeline_use, access),
        }
    }
    // Buckets and keys that stand in different members.
    let parameters = pipeline_use.pipeline.parameters.iter();
    let defaults: BTreeMap<_, _> = parameters
        .filter_map(|parameter| Some((parameter.name.to_string(), parameter.default.clone()?)))
        .collect();
    let places = find(&lambda.arguments.likely(&defaults), Surroundings::default()).places;
    let is_known = |uri: &&S3Uri| uri.bucket() != UNKNOWN && !uri.key().contains(UNKNOWN);
    access.reads.extend(places.keys().filter(is_known).map(Reach::exact));
}

/// Adds what an expression reads.
fn read(expression: &Expression, pipeline_use: &PipelineUse, access: &mut Access) {
    match expression {
        Expression::Literal(value) => read_literal(value, access),
        Expression::Get(Reference::Parameter(name)) => read_parameter(name, pipeline_use, access),
        Expression::Get(Reference::Step { .. }) | Expression::PropertyFile { .. } => {
            access.reads_artifacts = true;
        }
        Expression::Get(_) => {}
        Expression::Join { values, .. } => {
            let mut joined = Access::default();
            for (position, value) in values.iter().enumerate() {
                match value {
                    Expression::Literal(Value::String(text)) if position == 0 => {
                        joined.reads.extend(S3Uri::parse(text).ok().map(|uri| Reach::exact(&uri)));
                    }
                    // A literal part of a text is not a URI. A reference in it may still be one.
                    Expression::Literal(_) => {}
                    value => read(value, pipeline_use, &mut joined),
                }
            }
            access.reads_artifacts |= joined.reads_artifacts;
            access.reads_listings |= joined.reads_listings;
            let prefixes = joined.reads.into_iter().map(|reach| Reach { is_prefix: true, ..reach });
            access.reads.extend(prefixes);
        }
        Expression::JsonGet { uri, .. } => read(uri, pipeline_use, access),
        Expression::Array(values) => {
            for value in values {
                read(value, pipeline_use, access);
            }
        }
        Expression::Object(members) => {
            for value in members.values() {
                read(value, pipeline_use, access);
            }
        }
    }
}

fn read_literal(value: &Value, access: &mut Access) {
    match value {
        Value::String(text) => {
            access.reads.extend(S3Uri::parse(text).ok().map(|uri| Reach::exact(&uri)));
        }
        Value::Array(values) => values.iter().for_each(|value| read_literal(value, access)),
        Value::Object(members) => members.values().for_each(|value| read_literal(value, access)),
        _ => {}
    }
}

/// Adds a parameter's default, and the objects that a trigger sets it to.
fn read_parameter(name: &ParameterName, pipeline_use: &PipelineUse, access: &mut Access) {
    let PipelineUse { pipeline: Pipeline { parameters, .. }, uploads, .. } = pipeline_use;
    let parameter = parameters.iter().find(|parameter| parameter.name == *name);
    if let Some(default) = parameter.and_then(|parameter| parameter.default.as_ref()) {
        read_literal(default, access);
    }
    let is_named = |names: &[String]| names.iter().any(|other| other == name.as_str());
    let feeds = uploads.iter().filter(|upload| is_named(&upload.object_parameters));
    access.reads_listings |= uploads.iter().any(|upload| is_named(&upload.listing_parameters));
    access.reads.extend(feeds.map(|upload| Reach {
        bucket: upload.bucket.clone(),
        key: upload.prefix.clone(),
        is_prefix: true,
    }));
}
