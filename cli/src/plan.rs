//! `sidestep plan`: what a run would do and why, before anything runs and without writing anything.

use std::path::Path;

use serde_json::{Value, json};
use sidestep_core::definition::StepIndex;
use sidestep_core::explain::Explanation;
use sidestep_core::forecast::Forecast;

use crate::arguments::PlanOptions;
use crate::error::exit;
use crate::look::Look;
use crate::project::Project;
use crate::reasons;
use crate::request::{ask, note_empty_selection};
use crate::table;

pub(crate) async fn plan(project: Option<&Path>, options: PlanOptions) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let asked = ask(&project, &options.start, "sidestep plan")?;
    let files = project.uploads()?;
    let look = Look::open(&project, &asked.ready.functions).await?.lay_over(files);
    let Look { engine, .. } = &look;
    let result = async {
        let prepared = engine.prepare(asked.request).await?;
        note_empty_selection(&prepared);
        let (forecast, this) = engine.preview(&prepared).await?;
        let explained = reasons::of_runs(engine, &this).await?;
        anyhow::Ok((forecast, explained))
    };
    let result = result.await;
    look.close().await;
    let (mut forecast, explained) = result?;
    for (step, explanation) in &explained {
        forecast.steps[step.0].reason = explanation.because();
    }
    if options.start.json {
        println!("{:#}", document(&forecast, &explained));
    } else {
        print!("{}", table::forecast(&forecast));
    }
    Ok(if forecast.has_work() { exit::HAS_WORK } else { exit::SUCCEEDED })
}

/// The forecast, with what differs beside each step that will run.
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
