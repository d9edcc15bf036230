//! `sidestep validate`: lists every problem of a definition with its position.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::{Parsed, parse, unknown_functions, unrunnable};

use crate::output::count::count;
use crate::output::error::{CommandError, OrError as _};
use crate::output::exit_status::ExitStatus;
use crate::output::problems::problem_lines;
use crate::pipeline_source::format_of;
use crate::project::Project;
use crate::silent::{Silent, silent_steps};

#[derive(Debug, Args)]
pub(crate) struct ValidateOptions {
    /// Name of a pipeline in `sidestep.toml`, or path of a definition file, JSON or YAML
    pub(crate) pipeline: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn validate(
    project: Option<&Path>,
    options: &ValidateOptions,
) -> Result<ExitStatus, CommandError> {
    let (path, project) = find(project, &options.pipeline)?;
    let file = path.display().to_string();
    let mut bytes = Vec::new();
    // Reading a little over the limit is enough to report it.
    let limit = u64::try_from(DEFINITION_BYTES)? * 16;
    fs::File::open(&path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .or_user(|| format!("could not read `{file}`"))?;
    let format = format_of(&path);
    let (mut problems, waiting, silent) = match parse(&bytes, format) {
        Ok(Parsed { pipeline, warnings }) => {
            let silent = project.iter().flat_map(|project| silent_steps(project, &pipeline));
            (warnings, unrunnable(&pipeline), silent.collect())
        }
        Err(problems) => (problems, Vec::new(), Vec::new()),
    };
    let is_readable = problems.iter().all(|problem| !problem.is_error());
    if let Some(project) = project.filter(|_| is_readable) {
        let known: BTreeSet<_> = project.settings.functions.keys().map(String::as_str).collect();
        problems.extend(unknown_functions(&bytes, format, &known));
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    if options.json {
        let waiting: Vec<_> = waiting
            .iter()
            .map(|(name, kind)| json!({"StepName": name, "StepType": kind}))
            .collect();
        let silent: Vec<_> = silent
            .iter()
            .map(|it| json!({"StepName": it.step, "OutputName": it.output, "File": it.file}))
            .collect();
        let document =
            json!({"Problems": problems, "UnrunnableSteps": waiting, "SilentSteps": silent});
        println!("{document:#}");
    } else {
        for line in problem_lines(&file, &problems) {
            println!("{line}");
        }
        for Silent { step, output, handler, file: module } in &silent {
            let module = module.display();
            println!(
                "{file}: warning: step `{step}` declares output `{output}`, but `{handler}` in \
                 `{module}` never returns a value"
            );
        }
        for (name, kind) in &waiting {
            let needs = kind.needs();
            println!("{file}: note: step `{name}` of type {kind} cannot run yet: it needs {needs}");
        }
        let warnings = problems.len() - errors + silent.len();
        eprintln!("{file}: {}, {}", count(errors, "error"), count(warnings, "warning"));
    }
    Ok(if errors == 0 { ExitStatus::Succeeded } else { ExitStatus::UserError })
}

/// Finds a definition by its pipeline's name or its path, and the project that it belongs to. A
/// file needs no project.
fn find(folder: Option<&Path>, name: &str) -> Result<(PathBuf, Option<Project>), CommandError> {
    let path = Path::new(name);
    let project = match Project::find(folder) {
        Ok(project) => project,
        Err(_) if folder.is_none() && path.is_file() => return Ok((path.to_owned(), None)),
        Err(error) => return Err(error),
    };
    if let Some(settings) = project.settings.pipelines.get(name) {
        return Ok((shown(&project.folder.join(&settings.definition)), Some(project)));
    }
    if !path.exists() || path.is_dir() {
        return Err(project.no_pipeline(name));
    }
    // A file elsewhere may be of another project.
    let is_inside = path.canonicalize().is_ok_and(|path| path.starts_with(&project.folder));
    Ok((path.to_owned(), Some(project).filter(|_| is_inside)))
}

/// Returns the path as seen from the working folder, if the file is below it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_owned()
}
