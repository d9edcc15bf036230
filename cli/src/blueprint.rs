//! Makes the blueprint of a project's stack, from which the template is synthesised.

use std::collections::{BTreeMap, BTreeSet};

use sidestep_core::name::PipelineName;
use sidestep_core::parse::parse;
use sidestep_deploy::blueprint::Architecture;
use sidestep_deploy::{
    Blueprint, Buckets, Code, Function, Options, PipelineUse, Queue, StackName, Upload,
};
use sidestep_engine::error::EngineError;

use crate::build::crates::{Crate, by_folder};
use crate::build::sdk_packages::packages_with_sdk;
use crate::event_form;
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::python::Requirements;
use crate::settings::{
    DeploySettings, Events, FunctionSettings, PipelineSettings, QueueSettings, TriggerSettings,
};

/// The retention periods that CloudWatch Logs takes, in days
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>).
const LOG_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Reads all pipelines of the project into a blueprint. `architecture` is that of the command line.
pub(crate) fn blueprint(
    project: &Project,
    architecture: Option<Architecture>,
) -> Result<Blueprint, CommandError> {
    let mut pipelines = BTreeMap::new();
    for (name, settings) in &project.settings.pipelines {
        let definition = project.pipeline(name)?.read()?;
        let parsed = parse(definition.text.as_bytes(), definition.format)
            .map_err(EngineError::Definition)?;
        let name = PipelineName::parse(name)?;
        let pipeline_use = PipelineUse {
            pipeline: parsed.pipeline,
            uploads: uploads(settings),
            schedules: settings.triggers.iter().filter_map(|t| t.schedule.clone()).collect(),
        };
        pipelines.insert(name, pipeline_use);
    }
    let mut options = options(&project.settings.deploy)?;
    options.architecture = architecture.unwrap_or(options.architecture);
    options.handoff = project.settings.engine.handoff;
    if options.handoff.is_direct() && options.event_bus.is_some() {
        let problem = "`deploy.events` and `engine.handoff` cannot be combined";
        return Err(
            user(problem).hint("steps that hand off send no events; set `handoff = \"event\"`")
        );
    }
    let functions = functions(project)?;
    Ok(Blueprint {
        stack: stack_name(project)?,
        functions,
        pipelines,
        buckets: buckets(project)?,
        options,
        place: None,
    })
}

/// Returns the stack's name: `[deploy] stack`, else one made from the folder's name.
pub(crate) fn stack_name(project: &Project) -> Result<StackName, CommandError> {
    let hint = "name it: `[deploy]`, `stack = \"NAME\"`";
    let name = project.settings.deploy.stack.clone().unwrap_or_else(|| {
        let folder = project.folder.file_name().unwrap_or_default().to_string_lossy();
        folder.to_ascii_lowercase().replace(['_', '.', ' '], "-")
    });
    StackName::parse(&name).map_err(|error| user(error.to_string()).hint(hint))
}

/// Returns the project's buckets: mapped ones exist in the account, the stack creates the others
/// that triggers and `[[uploads]]` name.
pub(crate) fn buckets(project: &Project) -> Result<Buckets, CommandError> {
    let settings = &project.settings;
    let existing = settings.deploy.buckets.clone();
    let stack = stack_name(project)?;
    for name in existing.values() {
        if name.starts_with(&format!("{stack}-artifacts-")) {
            return Err(user(format!(
                "`[deploy.buckets]` names the artifact bucket `{name}`, whose objects would start pipelines again"
            )));
        }
    }
    let triggers = settings.pipelines.values().flat_map(|pipeline| &pipeline.triggers);
    let listened = triggers.map(|trigger| trigger.bucket.clone()).filter(|name| !name.is_empty());
    let uploads = settings.uploads.iter().map(|upload| upload.to.bucket().to_owned());
    let mut created: BTreeSet<String> = listened.chain(uploads).collect();
    created.retain(|name| !existing.contains_key(name));
    Ok(Buckets { existing, created })
}

/// Returns the uploads that start a pipeline.
pub(crate) fn uploads(settings: &PipelineSettings) -> Vec<Upload> {
    let uploads = settings.triggers.iter().filter(|trigger| trigger.schedule.is_none());
    let upload = |trigger: &TriggerSettings| {
        // Only these properties name the object itself, so that a step can read it.
        let fed_with = |properties: &[&str]| -> Vec<String> {
            let parameters = trigger.parameters.iter();
            let fed = parameters.filter(|(_, value)| properties.contains(&value.as_str()));
            fed.map(|(name, _)| name.clone()).collect()
        };
        Upload {
            bucket: trigger.bucket.clone(),
            prefix: trigger.prefix.clone(),
            suffix: trigger.suffix.clone(),
            parameters: trigger
                .parameters
                .iter()
                .filter(|(_, value)| value.starts_with("$."))
                .map(|(name, _)| name.clone())
                .collect(),
            // A step that has a listing reads the objects in it.
            object_parameters: fed_with(&["$.uri", "$.key", "$.name", "$.listing"]),
            listing_parameters: fed_with(&["$.listing"]),
        }
    };
    uploads.map(upload).collect()
}

/// Returns the project's functions, and for each whether it is built on the step SDK.
pub(crate) fn functions(project: &Project) -> Result<BTreeMap<String, Function>, CommandError> {
    let functions = &project.settings.functions;
    let named = |name: &String| Crate::named(&project.folder, name);
    let packages = functions.values().filter_map(|settings| settings.package.as_ref());
    let crates = packages.map(named).collect::<Result<Vec<_>, _>>()?;
    let with_sdk = crates_with_sdk(crates)?;
    let of = |(name, settings): (&String, &FunctionSettings)| {
        let package = settings.package.as_ref().map(named).transpose()?;
        let has_sdk = package.is_some_and(|package| with_sdk.contains(&package));
        let is_python =
            settings.runtime.as_deref().is_some_and(|runtime| runtime.starts_with("python"));
        let code = event_form::named_by(project, settings)?;
        let renews_leases = match &settings.path {
            Some(_) if !is_python => false,
            Some(path) => {
                let requirements = Requirements::of(&project.folder.join(path), &project.folder)?;
                requirements.is_some_and(|r| r.has_sdk()) || code.has_sdk
            }
            None => has_sdk,
        };
        let gets_key = event_form::gets_key(name, settings, renews_leases, code)?;
        let function = function(settings);
        Ok((name.clone(), Function { has_sdk, renews_leases, gets_key, ..function }))
    };
    functions.iter().map(of).collect()
}

/// Returns those of the packages that are built on the step SDK.
fn crates_with_sdk(crates: Vec<Crate>) -> Result<BTreeSet<Crate>, CommandError> {
    let mut with_sdk = BTreeSet::new();
    for folder in by_folder(crates).into_keys() {
        let packages = packages_with_sdk(&folder)?.into_iter();
        with_sdk.extend(packages.map(|package| Crate { folder: folder.clone(), package }));
    }
    Ok(with_sdk)
}

/// Returns a function without what its code tells.
pub(crate) fn function(settings: &FunctionSettings) -> Function {
    let code = match (&settings.runtime, &settings.handler) {
        (Some(runtime), handler) => {
            // A program of its own finds no handler, but Lambda asks for one.
            let handler = handler.clone().unwrap_or_else(|| "bootstrap".to_owned());
            Code::Runtime { runtime: runtime.clone(), handler }
        }
        _ => Code::Binary,
    };
    Function {
        code,
        has_sdk: false,
        renews_leases: false,
        gets_key: false,
        memory_mb: settings.memory_mb,
        timeout_seconds: settings.timeout_seconds,
        environment: settings.environment.clone(),
        reads: settings.reads.clone(),
        writes: settings.writes.clone(),
        queues: settings.queues.iter().map(queue).collect(),
    }
}

fn queue(settings: &QueueSettings) -> Queue {
    let named = settings.arn.as_ref().or(settings.name.as_ref());
    Queue {
        queue: named.cloned().unwrap_or_default(),
        batch_size: settings.batch_size,
        batching_window_seconds: settings.batching_window_seconds,
        reports_failures: settings.report_batch_item_failures,
    }
}

/// Returns the event bus that changes of status are sent to, if any.
pub(crate) fn event_bus(settings: &DeploySettings) -> Result<Option<String>, CommandError> {
    match &settings.events {
        None | Some(Events::Told(false)) => Ok(None),
        Some(Events::Told(true)) => Ok(Some("default".to_owned())),
        Some(Events::Bus(name)) => {
            // EventBridge's own pattern without the `/` of partners' buses.
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if name.is_empty() || name.len() > 256 || !name.chars().all(legal) {
                let problem = format!(
                    "invalid `deploy.events`: expected the name of an event bus, got `{name}`"
                );
                return Err(user(problem)
                    .hint("a name has letters, digits, `.`, `-` and `_`; an ARN is not a name"));
            }
            Ok(Some(name.clone()))
        }
    }
}

fn options(settings: &DeploySettings) -> Result<Options, CommandError> {
    let mut options = Options::default();
    if let Some(name) = &settings.architecture {
        options.architecture = Architecture::parse(name).ok_or_else(|| {
            user(format!(
                "invalid `deploy.architecture`: expected `arm64` or `x86_64`, got `{name}`"
            ))
        })?;
    }
    if let Some(days) = settings.log_days {
        if !LOG_DAYS.contains(&days) {
            let known = LOG_DAYS.map(|days| days.to_string()).join(", ");
            return Err(user(format!(
                "invalid `deploy.log_days`: expected one of {known}, got {days}"
            )));
        }
        options.log_days = days;
    }
    if let Some(days) = settings.artifact_days {
        if days == 0 {
            return Err(user("invalid `deploy.artifact_days`: expected at least 1, got 0"));
        }
        options.artifact_days = days;
    }
    options.xray = match settings.tracing.as_deref() {
        None | Some("none") => false,
        Some("xray") => true,
        Some(other) => {
            return Err(user(format!(
                "invalid `deploy.tracing`: expected `xray` or `none`, got `{other}`"
            )));
        }
    };
    options.planner_concurrency = settings.planner_concurrency;
    options.alarms = settings.alarms.unwrap_or(options.alarms);
    options.alarm_topic.clone_from(&settings.alarm_topic);
    options.event_bus = event_bus(settings)?;
    for key in &settings.kms_keys {
        // An alias in a policy is not the key that it stands for.
        let is_key = key.starts_with("arn:") && key.contains(":kms:") && key.contains(":key/");
        if !is_key {
            let problem =
                format!("invalid `deploy.kms_keys`: expected the ARN of a key, got `{key}`");
            return Err(user(problem).hint(
                "`aws kms describe-key --key-id alias/NAME` prints the ARN of an alias' key",
            ));
        }
    }
    options.kms_keys.clone_from(&settings.kms_keys);
    Ok(options)
}
