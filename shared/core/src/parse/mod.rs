//! Reads a definition and checks all of it, so that nothing after this has to doubt a name, an edge or a type.
//!
//! The text becomes a tree with positions ([`Format`]); an outline notes every name, declared type and declared output; then each part is
//! read with the outline at hand, so that a reference is resolved where it stands; last come the rules that need the whole
//! graph. A mistake is noted and reading goes on, because independent mistakes must not hide each other: whoever cannot go on
//! returns a stand-in, which nobody sees, since a definition with an error is never returned.

mod cache;
mod condition;
mod dependency;
pub mod duration;
mod expression;
mod extension;
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
mod reference;
mod rejoin;
mod retry;
mod step;
pub(crate) mod suggest;
mod text;
mod top;

use crate::definition::{Pipeline, StepType};
use crate::name::StepName;
use crate::parse::problem::Problem;
use crate::parse::reader::Reader;

pub use crate::parse::text::Format;

/// A definition that can be used, and what might still be wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub pipeline: Pipeline,
    /// In order of their places.
    pub warnings: Vec<Problem>,
}

/// Reads a definition, as SageMaker's JSON or the same keys in YAML.
///
/// Fails with every error *and* warning, in order of their places; at most [`crate::limits::PROBLEMS`] are listed. Never panics and
/// needs time in proportion to the text, whatever the bytes are.
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

/// The steps that this version cannot execute, with their types, in definition order.
pub fn unrunnable(pipeline: &Pipeline) -> Vec<(StepName, StepType)> {
    let steps = pipeline.steps.iter().filter(|step| !step.is_runnable());
    steps.map(|step| (step.name.clone(), step.step_type())).collect()
}
