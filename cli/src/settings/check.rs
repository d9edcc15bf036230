//! Checks what `sidestep.toml` says, beyond the types of its values.

use sidestep_core::event::batch::BATCH_SECONDS;
use sidestep_core::event::schedule::Schedule;
use sidestep_core::event::trigger::{BATCH_PROPERTIES, OBJECT_PROPERTIES, meets};
use sidestep_core::name::{BucketName, FunctionName, PipelineName};

use super::{FunctionSettings, Settings, TriggerSettings};
use super::{environment, jobs, queues};
use crate::output::error::{CommandError, OrError as _, user};

impl Settings {
    /// Refuses functions that write where a trigger listens: a step would start its own pipeline
    /// again, for ever.
    fn check_circles(&self) -> Result<(), CommandError> {
        // Two names of the project may mean one bucket of the account.
        let bucket =
            |name: &str| self.deploy.buckets.get(name).map_or(name, String::as_str).to_owned();
        for (name, pipeline) in &self.pipelines {
            for trigger in pipeline.triggers.iter().filter(|trigger| trigger.schedule.is_none()) {
                for (function, settings) in &self.functions {
                    let written = settings.writes.iter().find(|uri| {
                        bucket(uri.bucket()) == bucket(&trigger.bucket)
                            && meets(&trigger.prefix, &trigger.suffix, uri)
                    });
                    let Some(uri) = written else { continue };
                    let problem = format!(
                        "function `{function}` writes `{uri}`, where a trigger of pipeline `{name}` listens: its outputs could start it again"
                    );
                    let hint =
                        "let the function write elsewhere, or give the trigger a different prefix";
                    return Err(user(problem).hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Refuses a bucket whose name S3 would refuse.
    fn check_buckets(&self) -> Result<(), CommandError> {
        let check = |bucket: &str, place: String| {
            BucketName::parse(bucket)
                .map_err(|error| CommandError::from(error).within(format!("invalid {place}")))
        };
        for upload in &self.uploads {
            check(upload.to.bucket(), format!("`to` of `[[uploads]]`: `{}`", upload.to))?;
        }
        for (name, bucket) in &self.deploy.buckets {
            check(bucket, format!("`deploy.buckets.{name}`"))?;
        }
        for (name, function) in &self.functions {
            for uri in function.reads.iter().chain(&function.writes) {
                check(uri.bucket(), format!("`reads` or `writes` of function `{name}`: `{uri}`"))?;
            }
        }
        for (name, pipeline) in &self.pipelines {
            for trigger in pipeline.triggers.iter().filter(|trigger| !trigger.bucket.is_empty()) {
                check(&trigger.bucket, format!("`bucket` of a trigger of pipeline `{name}`"))?;
            }
        }
        Ok(())
    }

    /// Refuses the first problem.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.check_buckets()?;
        self.check_circles()?;
        for (name, function) in &self.functions {
            check_function(name, function)?;
        }
        for (pattern, settings) in &self.jobs {
            jobs::check(pattern, settings)?;
        }
        for (name, pipeline) in &self.pipelines {
            PipelineName::parse(name)?;
            for trigger in &pipeline.triggers {
                check_trigger(name, trigger)?;
            }
        }
        Ok(())
    }
}

fn check_function(name: &str, function: &FunctionSettings) -> Result<(), CommandError> {
    FunctionName::parse(name)?;
    let is_package = function.package.is_some();
    let is_provided =
        function.runtime.as_deref().is_some_and(|runtime| runtime.starts_with("provided"));
    let is_runtime = function.runtime.is_some()
        && function.path.is_some()
        && (function.handler.is_some() || is_provided);
    if is_package == is_runtime || (is_package && function.handler.is_some()) {
        return Err(user(format!(
            "`[functions.{name}]` takes either `package`, or `runtime`, `handler` and `path`"
        )));
    }
    environment::check(name, &function.environment)?;
    queues::check(name, &function.queues)?;
    if !(128..=10_240).contains(&function.memory_mb) {
        return Err(user(format!("invalid `functions.{name}.memory_mb`: expected 128 to 10240")));
    }
    if !(1..=900).contains(&function.timeout_seconds) {
        return Err(user(format!("invalid `functions.{name}.timeout_seconds`: expected 1 to 900")));
    }
    Ok(())
}

/// Refuses the first problem of a trigger of `pipeline`.
fn check_trigger(pipeline: &str, trigger: &TriggerSettings) -> Result<(), CommandError> {
    if trigger.bucket.is_empty() == trigger.schedule.is_none() {
        return Err(user(format!(
            "a trigger of pipeline `{pipeline}` takes either `bucket` or `schedule`"
        )));
    }
    if let Some(expression) = &trigger.schedule {
        let place = format!("`schedule` of a trigger of pipeline `{pipeline}`");
        Schedule::parse(expression).or_user(|| format!("invalid {place}"))?;
    }
    if let Some(seconds) = trigger.batch_seconds {
        let (least, most) = (BATCH_SECONDS.start(), BATCH_SECONDS.end());
        if !BATCH_SECONDS.contains(&seconds) {
            return Err(user(format!(
                "invalid `batch_seconds` of a trigger of pipeline `{pipeline}`: expected {least} to {most}, got {seconds}"
            )));
        }
        if trigger.schedule.is_some() {
            return Err(user(format!(
                "a trigger of pipeline `{pipeline}` has `batch_seconds`, which goes with `bucket` and not with `schedule`"
            )));
        }
    }
    check_properties(pipeline, trigger)?;
    if trigger.bucket == sidestep_local::deployment::ARTIFACT_BUCKET {
        return Err(user(format!(
            "a trigger of pipeline `{pipeline}` listens to the artifact bucket, so its outputs would start it again"
        )));
    }
    Ok(())
}

/// Refuses a parameter that takes a property which the trigger's events do not have.
fn check_properties(pipeline: &str, trigger: &TriggerSettings) -> Result<(), CommandError> {
    let known: &[&str] = match (&trigger.schedule, trigger.batch_seconds) {
        (Some(_), _) => &["time"],
        (None, Some(_)) => &BATCH_PROPERTIES,
        (None, None) => &OBJECT_PROPERTIES,
    };
    let mut properties = trigger.parameters.values().filter_map(|value| value.strip_prefix("$."));
    let Some(unknown) = properties.find(|name| !known.contains(name)) else { return Ok(()) };
    let allowed: Vec<_> = known.iter().map(|name| format!("`$.{name}`")).collect();
    Err(user(format!(
        "a trigger of pipeline `{pipeline}` uses `$.{unknown}`: expected one of {}",
        allowed.join(", ")
    )))
}
