//! Builds the template of a project.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::definition::{LambdaStep, StepKind};
use sidestep_core::name::{PipelineName, StepName};

use crate::access::{Access, accesses, inputs};
use crate::blueprint::Blueprint;
use crate::function::{code_parameter, kms, xray};
use crate::job::has_jobs;
use crate::name::{FUNCTION_NAME_CHARACTERS, LogicalId, RESERVED};
use crate::object::{bucket_arn, objects};
use crate::place::write_out;
use crate::resource::{Resources, allow, invoked, one_or_many, sub};
use crate::{alarm, block, function, job, policy, trigger};

/// The most functions of a stack. A stack has 500 resources, and a function about six of them.
pub(crate) const FUNCTIONS: usize = 60;

/// The description of every project's template, by which a stack of sidestep's is known.
pub const DESCRIPTION: &str = "A sidestep project: engine, state, functions";

/// The variables that tell a step function about the engine.
const ENGINE_VARIABLES: [&str; 7] = [
    "SIDESTEP_ACCOUNT_ID",
    "SIDESTEP_BUCKET",
    "SIDESTEP_HANDOFF",
    "SIDESTEP_REPORTS",
    "SIDESTEP_SDK",
    "SIDESTEP_STACK",
    "SIDESTEP_TABLE",
];

/// A project that does not fit into a stack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SynthesisError {
    #[error(
        "step `{step}` of pipeline `{pipeline}` uses function `{function}`, which is not defined"
    )]
    UnknownFunction { pipeline: PipelineName, step: StepName, function: String },
    #[error("function name `{0}` is reserved for the engine")]
    Reserved(String),
    #[error(
        "function name `{0}` is too long: with the stack's name it has more than {FUNCTION_NAME_CHARACTERS} characters"
    )]
    LongName(String),
    #[error("`{one}` and `{other}` would get the same id in the template")]
    SameId { one: String, other: String },
    #[error("function `{function}` sets `{variable}`, which is reserved for the engine")]
    ReservedVariable { function: String, variable: String },
    #[error("the project has {count} functions, but a stack can have at most {FUNCTIONS}")]
    TooManyFunctions { count: usize },
}

/// Returns the template as JSON. The same blueprint always gives the same template.
pub fn synthesise(blueprint: &Blueprint) -> Result<Value, SynthesisError> {
    check(blueprint)?;
    let accesses = accesses(blueprint);
    let mut template = block::engine(blueprint.options.alarms, has_jobs(blueprint));
    template.insert("Description".to_owned(), DESCRIPTION.into());
    configure_engine(section(&mut template, "Resources"), blueprint);
    let mut added = Resources::default();
    let resources = &mut added;
    for (id, resource) in std::mem::take(section(&mut template, "Resources")) {
        resources.begin(&id);
        resources.insert(id.clone(), resource);
    }
    for (name, settings) in &blueprint.functions {
        let none = Access::default();
        let access = accesses.get(name).unwrap_or(&none);
        resources.begin(name);
        function::add(resources, blueprint, name, settings, access);
    }
    trigger::add(resources, blueprint);
    job::add(resources, blueprint);
    if blueprint.options.alarms {
        resources.begin("the alarms");
        alarm::add_dropped(resources, blueprint.functions.keys());
        if let Some(topic_arn) = &blueprint.options.alarm_topic {
            alarm::notify(resources, topic_arn);
        }
    }
    if let Some((one, other)) = resources.clash() {
        return Err(SynthesisError::SameId { one, other });
    }
    *section(&mut template, "Resources") = added.map;
    let parameters = section(&mut template, "Parameters");
    parameters["ArtifactDays"]["Default"] = json!(blueprint.options.artifact_days);
    parameters["LogDays"]["Default"] = json!(blueprint.options.log_days);
    for name in blueprint.functions.keys() {
        parameters.insert(
            code_parameter(&LogicalId::of_function(name)),
            json!({ "Type": "String", "Description": format!("The key of the zip of {name}") }),
        );
    }
    write_out(&mut template, &blueprint.stack, blueprint.place.as_ref());
    Ok(Value::Object(policy::fit(template)))
}

/// Adds the project's choices to the engine's own resources.
fn configure_engine(resources: &mut Map<String, Value>, blueprint: &Blueprint) {
    let options = &blueprint.options;
    job::configure(resources, blueprint);
    let job = has_jobs(blueprint).then_some("Jobs");
    for id in ["Planner", "Trigger"].into_iter().chain(job) {
        let properties = &mut resources[id]["Properties"];
        properties["Architectures"] = json!([options.architecture.name()]);
        if options.handoff.is_direct() {
            properties["Environment"]["Variables"]["SIDESTEP_HANDOFF"] = json!(options.handoff);
        }
        if options.xray {
            properties["TracingConfig"] = json!({ "Mode": "Active" });
        }
        if let Some(bus) = &options.event_bus {
            properties["Environment"]["Variables"]["SIDESTEP_EVENT_BUS"] = json!(bus);
        }
    }
    if let Some(concurrency) = options.planner_concurrency {
        resources["Planner"]["Properties"]["ReservedConcurrentExecutions"] = json!(concurrency);
    }
    let document = &mut resources["EnginePolicy"]["Properties"]["PolicyDocument"];
    if let Some(Value::Array(statements)) = document.get_mut("Statement") {
        statements.extend(project_statements(blueprint));
    }
}

/// Returns the rights of the planner and the trigger on the project's functions and inputs.
fn project_statements(blueprint: &Blueprint) -> Vec<Value> {
    let mut statements = Vec::new();
    // They may invoke versions only, so that an execution never runs code that can still change.
    let versions = blueprint.functions.keys().map(|name| {
        sub(format!(
            "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:${{AWS::StackName}}-{name}:*"
        ))
    });
    let functions: Vec<_> = versions.chain(foreign_functions(blueprint)).collect();
    if !functions.is_empty() {
        let actions = ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"];
        statements.push(allow("Steps", &actions, &one_or_many(functions)));
    }
    let inputs = inputs(blueprint);
    if !inputs.is_empty() {
        let read = inputs.iter().map(|reach| objects(blueprint, reach)).collect();
        statements.push(allow("Inputs", &["s3:GetObject"], &one_or_many(read)));
        let mut buckets: Vec<_> = inputs.iter().map(|reach| reach.bucket.as_str()).collect();
        buckets.dedup();
        let buckets = buckets.iter().map(|bucket| sub(bucket_arn(blueprint, bucket))).collect();
        statements.push(allow("ListInputs", &["s3:ListBucket"], &one_or_many(buckets)));
    }
    let queues = callback_queues(blueprint);
    if !queues.is_empty() {
        statements.push(allow("Callbacks", &["sqs:SendMessage"], &one_or_many(queues)));
    }
    if let Some(bus) = &blueprint.options.event_bus {
        let bus = format!(
            "arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:event-bus/{bus}"
        );
        statements.push(allow("Events", &["events:PutEvents"], &sub(bus)));
    }
    statements.extend(kms(blueprint, &["s3", "sqs"]));
    if blueprint.options.xray {
        statements.push(xray());
    }
    statements
}

/// Returns the ARNs of functions that are used but not deployed here.
fn foreign_functions(blueprint: &Blueprint) -> Vec<Value> {
    let steps = blueprint.pipelines.values().flat_map(|used| &used.pipeline.steps);
    let arns = steps.filter_map(|step| match &step.kind {
        StepKind::Lambda(LambdaStep { function_arn: FunctionRef::Arn(arn), .. }) => {
            Some(arn.as_str())
        }
        _ => None,
    });
    arns.map(invoked).collect::<BTreeSet<_>>().into_iter().map(|arn| json!(arn)).collect()
}

/// Returns the ARNs of the queues that Callback steps send to.
fn callback_queues(blueprint: &Blueprint) -> Vec<Value> {
    let urls = blueprint.pipelines.values().flat_map(|used| used.pipeline.queue_urls());
    urls.filter_map(queue_arn).collect::<BTreeSet<_>>().into_iter().map(sub).collect()
}

/// Converts `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` to an ARN. What the URL does not say is
/// the stack's own.
fn queue_arn(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let mut parts = rest.trim_end_matches('/').split('/');
    let host = parts.next()?;
    let (account, name) = (parts.next()?, parts.next()?);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if parts.next().is_some() || name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let region = host
        .strip_prefix("sqs.")
        .and_then(|host| host.split('.').next())
        .unwrap_or("${AWS::Region}");
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let account = if is_account { account } else { "${AWS::AccountId}" };
    Some(format!("arn:${{AWS::Partition}}:sqs:{region}:{account}:{name}"))
}

fn check(blueprint: &Blueprint) -> Result<(), SynthesisError> {
    let count = blueprint.functions.len();
    if count > FUNCTIONS {
        return Err(SynthesisError::TooManyFunctions { count });
    }
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    let mut take = |id: LogicalId, name| match ids.insert(id.as_str().to_owned(), name) {
        Some(before) => {
            Err(SynthesisError::SameId { one: before.to_owned(), other: name.to_owned() })
        }
        None => Ok(()),
    };
    for (name, settings) in &blueprint.functions {
        if RESERVED.contains(&name.as_str()) || (name == "job" && has_jobs(blueprint)) {
            return Err(SynthesisError::Reserved(name.clone()));
        }
        if blueprint.stack.function(name).len() > FUNCTION_NAME_CHARACTERS {
            return Err(SynthesisError::LongName(name.clone()));
        }
        if let Some(variable) =
            settings.environment.keys().find(|name| ENGINE_VARIABLES.contains(&name.as_str()))
        {
            let (function, variable) = (name.clone(), variable.clone());
            return Err(SynthesisError::ReservedVariable { function, variable });
        }
        take(LogicalId::of_function(name), name)?;
    }
    for name in blueprint.pipelines.keys() {
        take(LogicalId::of(name.as_str(), "Pipeline"), name.as_str())?;
    }
    for bucket in &blueprint.buckets.created {
        take(LogicalId::of(bucket, "Bucket"), bucket)?;
    }
    for (pipeline, used) in &blueprint.pipelines {
        for step in &used.pipeline.steps {
            let StepKind::Lambda(lambda) = &step.kind else { continue };
            if let FunctionRef::Named(name) = &lambda.function_arn
                && !blueprint.functions.contains_key(name.as_str())
            {
                return Err(SynthesisError::UnknownFunction {
                    pipeline: pipeline.clone(),
                    step: step.name.clone(),
                    function: name.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn section<'t>(template: &'t mut Map<String, Value>, name: &str) -> &'t mut Map<String, Value> {
    let section = template.entry(name).or_insert_with(|| Map::new().into());
    section.as_object_mut().expect("a section is a map")
}
