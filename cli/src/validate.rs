//! `sidestep validate`: every problem of a definition, with its place.

use std::fs;
use std::io::Read as _;

use anyhow::Context as _;
use serde_json::json;
use sidestep_core::limits::DEFINITION_BYTES;
use sidestep_core::parse::problem::Problem;
use sidestep_core::parse::{parse, unrunnable};

use crate::arguments::ValidateOptions;
use crate::error::{exit, user};
use crate::project::format_of;

/// Problems printed for a person; machines get all of them.
const SHOWN: usize = 40;

pub(crate) fn validate(options: &ValidateOptions) -> anyhow::Result<u8> {
    let file = options.file.display().to_string();
    let mut bytes = Vec::new();
    // A little over the limit is enough to say that it is over.
    let limit = u64::try_from(DEFINITION_BYTES)? * 16;
    fs::File::open(&options.file)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .with_context(|| user(format!("could not read `{file}`")))?;
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
        for line in lines(&file, &problems) {
            println!("{line}");
        }
        for (name, kind) in &waiting {
            println!("{file}: note: step `{name}` of type {kind} cannot run yet");
        }
        let warnings = problems.len() - errors;
        eprintln!("{file}: {errors} errors, {warnings} warnings");
    }
    Ok(if errors == 0 { exit::SUCCEEDED } else { exit::USER })
}

/// Problems as a person can take them in: the first ones, errors before warnings, and how many more there are.
pub(crate) fn lines(file: &str, problems: &[Problem]) -> Vec<String> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        problems.iter().partition(|problem| problem.is_error());
    let shown = errors.iter().chain(&warnings).take(SHOWN);
    let mut lines: Vec<_> = shown.map(|problem| line(file, problem)).collect();
    let more = problems.len() - lines.len();
    if more > 0 {
        lines.push(format!("{file}: and {more} more; `sidestep validate --json` lists all"));
    }
    lines
}

/// A problem as compilers print it.
pub(crate) fn line(file: &str, problem: &Problem) -> String {
    let severity = if problem.is_error() { "error" } else { "warning" };
    let step = problem.step.as_ref().map_or_else(String::new, |step| format!(" step `{step}`"));
    let pointer = if problem.pointer.is_empty() { "/" } else { &problem.pointer };
    let (line, column, code) = (problem.line, problem.column, problem.code.name());
    format!("{file}:{line}:{column}: {severity}[{code}] {pointer}{step}: {problem}")
}
