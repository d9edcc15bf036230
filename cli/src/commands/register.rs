//! `sidestep register`: publishes functions, pipelines and triggers. `deploy` ends with it.
//!
//! Functions come first, so that a new version is live before a definition that may need it.

use std::path::Path;

use sidestep_aws::deploy::Releases;
use sidestep_core::event::trigger::Trigger;
use sidestep_deploy::Place;
use sidestep_engine::handle::schedule::SCHEDULES;

use crate::blueprint::functions;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;

pub(crate) async fn register(project: Option<&Path>) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let remote = Remote::open(&project).await?;
    release(&project, &remote).await?;
    pipelines(&project, &remote).await?;
    Ok(ExitStatus::Succeeded)
}

/// Publishes every function and makes that version the one for new executions.
pub(crate) async fn release(project: &Project, remote: &Remote) -> Result<(), CommandError> {
    let releases = Releases::new(&remote.account.config);
    let Remote { region, account_id, stack, .. } = remote;
    let place = Place { account_id: account_id.clone(), region: region.clone() };
    let reports = format!("arn:{}:sqs:{region}:{account_id}:{stack}-reports", place.partition());
    for (name, function) in functions(project)? {
        let name = stack.function(&name);
        let release = releases.release(&name, &reports, function.has_sdk).await?;
        let change = if release.is_new { "now" } else { "still" };
        eprintln!("{:<32} {change} version {}", release.function_name, release.version);
    }
    Ok(())
}

/// Stores every pipeline's definition, and replaces the stack's triggers by those of the project.
pub(crate) async fn pipelines(project: &Project, remote: &Remote) -> Result<(), CommandError> {
    let mut triggers = Vec::new();
    for (name, settings) in &project.settings.pipelines {
        let source = project.pipeline(name)?;
        let definition = remote.definition(source.read()?);
        let digest = remote.engine.register(&definition).await?;
        eprintln!("{name:<32} registered as {}", digest.get(..12).unwrap_or(&digest));
        let mut schedules = 0;
        for trigger in &settings.triggers {
            // The template numbers a pipeline's schedules the same way.
            let (bucket, prefix) = if trigger.schedule.is_some() {
                schedules += 1;
                (SCHEDULES.to_owned(), (schedules - 1).to_string())
            } else {
                (remote.bucket(&trigger.bucket), trigger.prefix.clone())
            };
            triggers.push(Trigger {
                pipeline_name: source.name.clone(),
                definition_digest: digest.clone(),
                definition_format: definition.format,
                bucket,
                prefix,
                suffix: trigger.suffix.clone(),
                parameters: trigger.parameters.clone(),
                batch_seconds: trigger.batch_seconds,
                left_out: std::collections::BTreeMap::new(),
            });
        }
    }
    remote.engine.replace_triggers(&triggers).await?;
    Ok(())
}
