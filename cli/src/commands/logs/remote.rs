//! Logs of an execution on AWS, from CloudWatch Logs.
//!
//! Lines are found by the execution's id, which every line of the step SDK has. For a function
//! without the SDK only lines that contain the id are found. CloudWatch finds a line some seconds
//! after it was written.

use std::collections::BTreeSet;
use std::time::Duration;

use sidestep_aws::deploy::CloudLogs;
use sidestep_core::definition::StepKind;
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::name::StepName;

use super::elsewhere;
use super::request::LogsRequest;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;

/// How often CloudWatch is polled.
const POLL: Duration = Duration::from_secs(2);

pub(super) async fn logs(
    project: &Project,
    request: &LogsRequest<'_>,
) -> Result<ExitStatus, CommandError> {
    let remote = Remote::open(project).await?;
    let session = remote.session(project);
    let (id, loaded) = request.load(&session).await?;
    let is_wanted = |name: &StepName| request.step.as_ref().is_none_or(|step| step == name);
    let steps: Vec<_> = loaded
        .pipeline
        .steps
        .iter()
        .filter(|step| is_wanted(&step.name))
        .filter_map(|step| match &step.kind {
            StepKind::Lambda(lambda) => Some((step, function(&remote, &lambda.function_arn))),
            _ => None,
        })
        .collect();
    let logs = CloudLogs::new(&remote.account.config);
    let since_ms = i64::try_from(loaded.start.started_at_ms)?;
    let mut printed = BTreeSet::new();
    loop {
        // Asked before reading, so that the last lines of a finished execution are not missed.
        let is_over = session.engine.load(&id).await?.execution.status.is_over();
        for (step, function) in &steps {
            for line in logs.lines(function, &[id.as_str(), step.name.as_str()], since_ms).await? {
                if printed.insert(line.id) {
                    let index = loaded.pipeline.find(&step.name);
                    let text = index.map_or(line.text.as_str().into(), |index| {
                        session.sources.of_step(&loaded.pipeline, index, &line.text)
                    });
                    println!("{} {text}", step.name);
                }
            }
        }
        if !request.follow || is_over {
            for note in
                elsewhere::notes(&*session.engine.earlier(&id).await?, request.step.as_ref())
            {
                eprintln!("note: {note}");
            }
            return Ok(ExitStatus::Succeeded);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Returns the function's name in the account.
fn function(remote: &Remote, function: &FunctionRef) -> String {
    match function {
        FunctionRef::Named(name) => remote.stack.function(name.as_str()),
        FunctionRef::Arn(_) => function.function_name().to_owned(),
    }
}
