//! `sidestep validate`: lists every problem of a definition with its position.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::{parse, unrunnable};

use crate::output::error::{CommandError, OrError as _};
use crate::output::exit_status::ExitStatus;
use crate::output::problems::problem_lines;
use crate::pipeline_source::format_of;

#[derive(Debug, Args)]
pub(crate) struct ValidateOptions {
    /// Path of the definition, JSON or YAML
    pub(crate) file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn validate(options: &ValidateOptions) -> Result<ExitStatus, CommandError> {
    let file = options.file.display().to_string();
    let mut bytes = Vec::new();
    // Reading a little over the limit is enough to report it.
    let limit = u64::try_from(DEFINITION_BYTES)? * 16;
    fs::File::open(&options.file)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .or_user(|| format!("could not read `{file}`"))?;
    let (problems, waiting) = match parse(&bytes, format_of(&options.file)) {
        Ok(parsed) => (parsed.warnings, unrunnable(&parsed.pipeline)),
        Err(problems) => (problems, Vec::new()),
    };
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    if options.json {
        let waiting: Vec<_> = waiting
            .iter()
            .map(|(name, kind)| json!({"StepName": name, "StepType": kind}))
            .collect();
        println!("{:#}", json!({"Problems": problems, "UnrunnableSteps": waiting}));
    } else {
        for line in problem_lines(&file, &problems) {
            println!("{line}");
        }
        for (name, kind) in &waiting {
            println!("{file}: note: step `{name}` of type {kind} cannot run yet");
        }
        let warnings = problems.len() - errors;
        eprintln!("{file}: {errors} errors, {warnings} warnings");
    }
    Ok(if errors == 0 { ExitStatus::Succeeded } else { ExitStatus::UserError })
}
