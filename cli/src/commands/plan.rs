//! `sidestep plan`: shows what a run would do and why, without running or writing anything.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::view::explain::Explanation;
use sidestep_core::view::forecast::Forecast;
use sidestep_engine::engine::Engine;
use sidestep_engine::start::StartRequest;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::output::explanations;
use crate::output::screen::Screen;
use crate::output::table;
use crate::project::Project;
use crate::read_only::ReadOnlyCloud;
use crate::remote::Remote;
use crate::request::{StartOptions, ask, note_empty_selection, read};
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
}

pub(crate) async fn plan(
    project: Option<&Path>,
    target: Target,
    options: PlanOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    if target == Target::Aws {
        let remote = Remote::open(&project).await?;
        let (mut request, _) = read(&project, &options.start, "sidestep plan")?;
        request.definition = remote.definition(request.definition);
        let (forecast, explained) = look_ahead(&remote.engine, request).await?;
        return Ok(print(forecast, &explained, &options.start));
    }
    let asked = ask(&project, &options.start, "sidestep plan")?;
    let files = project.uploads()?;
    let opened = ReadOnlyCloud::open(&project, &asked.ready.functions).await?;
    let cloud = opened.with_overlay(&project.state_folder(), files);
    let result = look_ahead(&cloud.engine, asked.request).await;
    cloud.close().await;
    let (forecast, explained) = result?;
    Ok(print(forecast, &explained, &options.start))
}

/// Returns what a run would do, and for each step that would run what differs from earlier runs.
async fn look_ahead(
    engine: &Engine,
    request: StartRequest,
) -> Result<(Forecast, Vec<(StepIndex, Explanation)>), CommandError> {
    let prepared = engine.prepare(request).await?;
    note_empty_selection(&prepared);
    let (forecast, this) = engine.preview(&prepared).await?;
    let explained = explanations::of_runs(engine, &this).await?;
    Ok((forecast, explained))
}

/// Prints the forecast and returns the exit status.
fn print(
    mut forecast: Forecast,
    explained: &[(StepIndex, Explanation)],
    options: &StartOptions,
) -> ExitStatus {
    for (step, explanation) in explained {
        forecast.steps[step.0].reason = explanation.because();
    }
    if options.json {
        println!("{:#}", document(&forecast, explained));
    } else {
        print!("{}", table::forecast(&forecast, Screen::of_stdout(options.wide)));
    }
    if forecast.has_work() { ExitStatus::HasWork } else { ExitStatus::Succeeded }
}

/// Returns the forecast as JSON, with the differences beside each step that would run.
fn document(forecast: &Forecast, explained: &[(StepIndex, Explanation)]) -> Value {
    let mut document = json!(forecast);
    for step in document["Steps"].as_array_mut().into_iter().flatten() {
        let found = explained.iter().find(|(_, e)| step["StepName"] == e.step_name.as_str());
        if let Some((_, explanation)) = found {
            step["Differences"] = json!(explanation.differences);
            step["Against"] = json!(explanation.against);
        }
    }
    document
}
