//! `sidestep explain`: shows what decided each step, and what differs from the nearest earlier run.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sidestep_core::definition::StepIndex;
use sidestep_core::execution::past::PastExecution;
use sidestep_core::name::StepName;
use sidestep_core::view::explain::Explanation;

use crate::hints::no_step;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::session::Session;
use crate::target::Target;

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Show only this step, with the parts of its cache key
    pub(crate) step: Option<String>,
    /// Execution to compare with [default: the nearest earlier run of each step]
    #[arg(long, value_name = "EXEC")]
    pub(crate) against: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn explain(
    project: Option<&Path>,
    target: Target,
    options: &ExplainOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let explained = explanations(&session, options).await;
    session.close(Duration::ZERO).await;
    let (execution, explained) = explained?;
    if options.json {
        println!("{:#}", json!({ "PipelineExecutionArn": execution, "Steps": explained }));
    } else {
        for explanation in &explained {
            print!("{}", text(explanation, options.step.is_some()));
        }
    }
    Ok(ExitStatus::Succeeded)
}

async fn explanations(
    session: &Session,
    options: &ExplainOptions,
) -> Result<(String, Vec<Explanation>), CommandError> {
    let id = session.execution(&options.execution).await?;
    let against = match &options.against {
        Some(text) => Some(session.execution(text).await?),
        None => None,
    };
    let this = session.engine.earlier(&id).await?;
    let steps = match &options.step {
        Some(name) => vec![find(&this, name)?],
        None => this.pipeline.indexes().collect(),
    };
    let explained = session.engine.explain(&this, &steps, against.as_ref()).await?;
    Ok((this.start.execution_arn(), explained))
}

fn find(this: &PastExecution, name: &str) -> Result<StepIndex, CommandError> {
    let step = StepName::parse(name).ok().and_then(|name| this.pipeline.find(&name));
    step.ok_or_else(|| no_step(&this.pipeline, "the execution", name))
}

/// Returns the explanation of one step, with the parts of its cache key if `is_detailed`.
fn text(explanation: &Explanation, is_detailed: bool) -> String {
    let decision = explanation.decision.unwrap_or("waiting");
    let mut text = format!("{}: {decision}: {}\n", explanation.step_name, explanation.because());
    if let Some(warning) = &explanation.warning {
        let _ = writeln!(text, "  warning: {warning}");
    }
    if !is_detailed {
        return text;
    }
    if let (Some(reason), Some(against)) = (&explanation.reason, &explanation.against) {
        let _ = writeln!(text, "  reason recorded by the planner: {reason}");
        let _ = writeln!(text, "  compared with execution {against}:");
        for difference in &explanation.differences {
            let _ = writeln!(text, "    {}", difference.text());
        }
        if explanation.differences.is_empty() {
            let _ = writeln!(text, "    nothing differs");
        }
    }
    if let (Some(key), Some(parts)) = (&explanation.cache_key, &explanation.key_parts) {
        let _ = writeln!(text, "  cache key {key}, made of:");
        let _ = writeln!(text, "    code      {}", parts.code_digest);
        if let Some(scope) = &parts.scope {
            let _ = writeln!(text, "    scope     {scope}");
        }
        let _ = writeln!(text, "    arguments {}", parts.arguments);
        for (uri, digest) in &parts.contents {
            let held = digest.as_deref().unwrap_or("nothing");
            let _ = writeln!(text, "    content   {uri} {held}");
        }
    }
    text
}
