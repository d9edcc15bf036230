//! Reads a definition and checks all of it, so that later code need not doubt a name, an edge or a
//! type.
//!
//! The text becomes a tree with positions (`text`). An outline collects every name, declared type
//! and declared output. Then each part is read with the outline at hand, so a reference is resolved
//! where it is written. Last come the rules that need the whole graph.
//!
//! A mistake is recorded and reading continues, because independent mistakes must not hide each
//! other. A part that cannot be read is replaced by a placeholder. The caller never sees it,
//! because a definition with an error is never returned.

mod cache;
mod condition;
mod dependency;
pub mod duration;
mod expression;
mod extension;
mod functions;
mod graph;
mod job;
mod kind;
mod member;
mod outline;
mod parameter;
pub mod problem;
mod property;
mod queue_url;
mod reader;
mod reads;
mod reference;
mod rejoin;
mod retry;
mod step;
pub mod suggest;
mod text;
mod top;

use serde_json::Value;

use crate::definition::{Pipeline, StepType};
use crate::name::StepName;
use crate::parse::problem::Problem;
use crate::parse::reader::Reader;

pub use crate::parse::functions::unknown_functions;
pub use crate::parse::text::Format;

/// A definition that can be used, and its warnings.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub pipeline: Pipeline,
    /// In order of their places.
    pub warnings: Vec<Problem>,
}

/// Reads a definition, as SageMaker's JSON or the same keys in YAML.
///
/// Fails with every error *and* warning, in order of their places. At most
/// [`crate::limits::PROBLEMS`] are listed. Never panics, and needs time in proportion to the text,
/// whatever the bytes are.
pub fn parse(bytes: &[u8], format: Format) -> Result<Parsed, Vec<Problem>> {
    let (document, problems) = text::read(bytes, format)?;
    let mut reader = Reader::new(&document, problems);
    let pipeline = reader.pipeline(document.root());
    let Reader { outline, problems, .. } = reader;
    let has_errors = problems.has_errors();
    let problems = problems.finish(&document, |node| outline.name_at(node));
    match pipeline {
        Some(pipeline) if !has_errors => Ok(Parsed { pipeline, warnings: problems }),
        _ => Err(problems),
    }
}

/// Reads a document of any content as strictly as a definition, such as a file of parameters.
pub fn read_value(bytes: &[u8], format: Format) -> Result<Value, Vec<Problem>> {
    let (document, problems) = text::read(bytes, format)?;
    if problems.has_errors() {
        return Err(problems.finish(&document, |_| None));
    }
    Ok(document.root().to_value())
}

/// Returns the steps that this version cannot execute, with their types, in definition order.
pub fn unrunnable(pipeline: &Pipeline) -> Vec<(StepName, StepType)> {
    let steps = pipeline.steps.iter().filter(|step| !step.is_runnable());
    steps.map(|step| (step.name.clone(), step.step_type())).collect()
}
