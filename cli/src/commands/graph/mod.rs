//! `sidestep graph`: draws a pipeline, or an execution with the result of each step.

mod dot;
mod drawing;
mod mermaid;
mod svg;
#[cfg(test)]
mod tests;
mod text;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use sidestep_core::name::ExecutionId;
use sidestep_core::parse::parse;
use sidestep_engine::error::EngineError;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::pipeline_source::PipelineSource;
use crate::project::Project;
use crate::target::Target;

use self::drawing::Drawing;
use self::text::Colour;

#[derive(Debug, Args)]
pub(crate) struct GraphOptions {
    /// Name of a pipeline, path of a definition file, an execution's id, its ARN, or `latest`
    #[arg(value_name = "PIPELINE|EXEC")]
    pub(crate) what: String,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Boxes and lines for a terminal
    Text,
    /// A Mermaid flowchart, which Git forges render in Markdown
    Mermaid,
    /// Graphviz' language
    Dot,
    /// A picture for web browsers
    Svg,
}

pub(crate) async fn graph(
    project: Option<&Path>,
    target: Target,
    options: &GraphOptions,
) -> Result<ExitStatus, CommandError> {
    let drawing = drawing(project, target, &options.what).await?;
    match options.format {
        Format::Text => print!("{}", text::text(&drawing, colour())),
        Format::Mermaid => print!("{}", mermaid::mermaid(&drawing)),
        Format::Dot => print!("{}", dot::dot(&drawing)),
        Format::Svg => print!("{}", svg::svg(&drawing)),
    }
    Ok(ExitStatus::Succeeded)
}

/// Draws what the user names. A pipeline's name goes before an execution's id, and a file needs no
/// project.
async fn drawing(
    project: Option<&Path>,
    target: Target,
    what: &str,
) -> Result<Drawing, CommandError> {
    let is_file = Path::new(what).is_file();
    let project = match Project::find(project) {
        Err(_) if is_file && project.is_none() => {
            return defined(&PipelineSource::of_file(Path::new(what))?);
        }
        result => result?,
    };
    let is_named = is_file || project.settings.pipelines.contains_key(what);
    let id = what.rsplit('/').next().unwrap_or(what);
    if !is_named && (what == "latest" || ExecutionId::parse(id).is_ok()) {
        return executed(&project, target, what).await;
    }
    defined(&project.pipeline(what)?)
}

/// Draws a definition.
fn defined(source: &PipelineSource) -> Result<Drawing, CommandError> {
    let definition = source.read()?;
    let parsed =
        parse(definition.text.as_bytes(), definition.format).map_err(EngineError::Definition)?;
    Ok(Drawing::of_pipeline(source.name.as_str(), &parsed.pipeline))
}

/// Draws an execution.
async fn executed(project: &Project, target: Target, what: &str) -> Result<Drawing, CommandError> {
    let session = target.open(project).await?;
    let work = async {
        let id = session.execution(what).await?;
        let description = session.engine.describe(&id).await?;
        let earlier = session.engine.earlier(&id).await?;
        Ok::<_, CommandError>(Drawing::of_execution(&earlier.pipeline, &description))
    };
    let result = work.await;
    session.close(Duration::ZERO).await;
    result
}

/// Returns colour on a terminal, unless the user refuses it (<https://no-color.org>).
fn colour() -> Colour {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !is_refused { Colour::Ansi } else { Colour::None }
}
