//! Makes a start request of the options that `run` and `plan` share.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};
use sidestep_core::definition::Pipeline;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::parse;
use sidestep_core::parse::suggest::nearest;
use sidestep_engine::error::EngineError;
use sidestep_engine::start::selection::{SelectionRequest, SourceRequest};
use sidestep_engine::start::{Prepared, StartRequest};

use crate::functions::{self, Ready};
use crate::output::error::{CommandError, OrError as _, user};
use crate::output::problems::problem_line;
use crate::parameters::{parameter, parameters};
use crate::project::Project;
use crate::queues::workers;
use crate::user::user_name;

/// The options of `run` and `plan`.
#[derive(Debug, Args)]
pub(crate) struct StartOptions {
    /// Name of a pipeline in `sidestep.toml`, or path of a definition file
    pub(crate) pipeline: String,
    /// Set a pipeline parameter; repeatable. NAME=@FILE takes the text of a file
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameter: Vec<(String, String)>,
    /// Take pipeline parameters from a JSON or YAML file, by name or as SageMaker's list of Name
    /// and Value; `-p` overrides it
    #[arg(long, value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// Take parameters that are not set from the source execution instead of the defaults
    #[arg(long)]
    pub(crate) inherit_parameters: bool,
    /// Run only these steps; repeatable. STEP, STEP+ (and those after it), +STEP (and those before
    /// it), 2+STEP+1, FROM..TO, 'PATTERN*', tag:TAG, state:changed, result:failed
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) select: Vec<String>,
    /// Do not run these steps; repeatable
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) exclude: Vec<String>,
    /// Execution whose results stand in for steps that are not selected: its id, its ARN, `latest`
    /// or `none`
    #[arg(long, value_name = "EXEC", default_value = "latest")]
    pub(crate) source: String,
    /// Supply a step's outputs by hand instead of running it; repeatable. STEP alone stands for a
    /// step without outputs
    #[arg(long, value_name = "STEP.OUTPUT=VALUE|STEP=@FILE|STEP")]
    pub(crate) supply: Vec<String>,
    /// Publish supplied outputs to the cache
    #[arg(long)]
    pub(crate) publish_supplied: bool,
    /// Run these steps even if a cached result could be reused; repeatable
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) force: Vec<String>,
    /// Do not reuse cached results; new results are still cached
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Run at most N steps at a time, like SageMaker's MaxParallelExecutionSteps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
    /// Print whole lines, however narrow the terminal
    #[arg(long)]
    pub(crate) wide: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

impl StartOptions {
    /// Returns the options of a run of all steps with these parameters.
    pub(crate) fn plain(pipeline: String, parameter: Vec<(String, String)>) -> Self {
        Self {
            pipeline,
            parameter,
            parameters: None,
            inherit_parameters: false,
            select: Vec::new(),
            exclude: Vec::new(),
            source: "latest".to_owned(),
            supply: Vec::new(),
            publish_supplied: false,
            force: Vec::new(),
            no_cache: false,
            max_parallel: None,
            wide: false,
            json: false,
        }
    }
}

/// A request, and the built functions that it needs.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: StartRequest,
    pub(crate) ready: Ready,
}

/// Reads the definition, checks the options and builds the functions. The embedded cloud is not
/// started.
pub(crate) fn ask(
    project: &Project,
    options: &StartOptions,
    trigger: &str,
) -> Result<Asked, CommandError> {
    let (mut request, pipeline) = read(project, options, trigger)?;
    let mut names: Vec<_> =
        pipeline.functions().map(|function| function.function_name().to_owned()).collect();
    names.extend(workers(project, &pipeline));
    let ready = functions::prepare(project, &names)?;
    for (name, why) in &ready.left_out {
        eprintln!("note: function `{name}` is left out: {why}");
    }
    request.left_out = pipeline.left_out(&ready.left_out);
    Ok(Asked { request, ready })
}

/// Reads the definition and checks the options, without building anything.
pub(crate) fn read(
    project: &Project,
    options: &StartOptions,
    trigger: &str,
) -> Result<(StartRequest, Pipeline), CommandError> {
    let source = project.pipeline(&options.pipeline)?;
    let definition = source.read()?;
    let parsed =
        parse(definition.text.as_bytes(), definition.format).map_err(EngineError::Definition)?;
    for warning in &parsed.warnings {
        eprintln!("{}", problem_line(&source.path.display().to_string(), warning));
    }
    let parameters = parameters(options.parameters.as_deref(), &options.parameter)?;
    let selection = selection(options)?;
    let settings = project.settings.pipelines.get(&options.pipeline);
    let default_limit = settings.and_then(|settings| settings.max_parallel_execution_steps);
    let request = StartRequest {
        pipeline_name: source.name,
        definition,
        parameters,
        use_cache: !options.no_cache,
        left_out: BTreeMap::new(),
        trigger: trigger.to_owned(),
        token: None,
        selection,
        max_parallel_execution_steps: options.max_parallel.or(default_limit),
    };
    Ok((request, parsed.pipeline))
}

/// Notes that the selectors match no step, which is normal for `state:changed` and `result:failed`.
pub(crate) fn note_empty_selection(prepared: &Prepared) {
    let selection = prepared.start.selection.as_ref();
    if selection.is_some_and(|it| it.selected.is_empty() && it.supplied.is_empty()) {
        eprintln!("note: no step is selected, so nothing runs");
    }
}

fn selection(options: &StartOptions) -> Result<SelectionRequest, CommandError> {
    let source = match options.source.as_str() {
        "latest" => SourceRequest::Latest,
        "none" => SourceRequest::None,
        text => SourceRequest::Execution(execution_id(text)?),
    };
    Ok(SelectionRequest {
        select: options.select.clone(),
        exclude: options.exclude.clone(),
        source,
        supply: supplies(&options.supply)?,
        supplied_by: user_name(),
        publish_supplied: options.publish_supplied,
        force: options.force.clone(),
        inherit_parameters: options.inherit_parameters,
    })
}

/// Parses an execution's id or ARN.
pub(crate) fn execution_id(text: &str) -> Result<ExecutionId, CommandError> {
    let id = text.rsplit('/').next().unwrap_or(text);
    ExecutionId::parse(id).map_err(|error| {
        let hint = "name an execution by its id, its ARN, or `latest`";
        let listed = match PipelineName::parse(text) {
            _ if nearest(text, ["latest"].into_iter()).is_some() => String::new(),
            Ok(name) => format!("; `sidestep list {name}` lists those of a pipeline"),
            Err(_) => "; `sidestep list` lists them".to_owned(),
        };
        user(error.to_string()).hint(format!("{hint}{listed}"))
    })
}

/// Parses `STEP.OUTPUT=VALUE`, `STEP=@FILE`, where the file holds the step's outputs as JSON, and
/// `STEP` for a step without outputs.
fn supplies(given: &[String]) -> Result<BTreeMap<String, Map<String, Value>>, CommandError> {
    let mut supplies: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for text in given {
        let expected = || {
            let forms = "STEP.OUTPUT=VALUE, STEP=@FILE, or STEP for a step without outputs";
            user(format!("invalid `--supply {text}`: expected {forms}"))
        };
        let (target, value) = match text.split_once('=') {
            Some((target, value)) => (target, Some(value)),
            None => (text.as_str(), None),
        };
        let (step, outputs) = match (target.split_once('.'), value) {
            (Some((step, output)), Some(value)) => {
                (step, Map::from_iter([(output.to_owned(), Value::from(value))]))
            }
            (None, Some(value)) => {
                (target, read_outputs(value.strip_prefix('@').ok_or_else(expected)?)?)
            }
            (None, None) => (target, Map::new()),
            (Some(_), None) => return Err(expected()),
        };
        let known = supplies.entry(step.to_owned()).or_default();
        for (output, value) in outputs {
            if known.insert(output.clone(), value).is_some() {
                return Err(user(format!("output `{step}.{output}` is supplied twice")));
            }
        }
    }
    Ok(supplies)
}

fn read_outputs(file: &str) -> Result<Map<String, Value>, CommandError> {
    let text = fs::read_to_string(file)
        .or_user(|| format!("could not read the supplied outputs in `{file}`"))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(outputs)) => Ok(outputs),
        Ok(_) => Err(user(format!("`{file}` must hold one JSON object of outputs by name"))),
        Err(error) => Err(user(format!("`{file}` is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn supplied_values_are_read_by_step_and_output() {
        let given = ["A.x=1", "A.y=a=b", "B.z="].map(str::to_owned);
        let read = supplies(&given).expect("legal");
        assert_eq!(json!(read), json!({"A": {"x": "1", "y": "a=b"}, "B": {"z": ""}}));
        let none = supplies(&["A".to_owned()]).expect("legal");
        assert_eq!(json!(none), json!({"A": {}}));
        for wrong in [&["A.x"][..], &["A=1"], &["A.x=1", "A.x=2"], &["A=@/no/such/file"]] {
            let given: Vec<_> = wrong.iter().map(|text| (*text).to_owned()).collect();
            assert!(supplies(&given).is_err(), "{wrong:?}");
        }
    }
}
