//! Errors for names that do not exist, with the name that was probably meant.

use sidestep_core::definition::Pipeline;
use sidestep_core::parse::suggest::{list, nearest};

use crate::output::error::{CommandError, user};

/// Returns the error for a step that a pipeline does not have.
pub(crate) fn no_step(pipeline: &Pipeline, of: &str, name: &str) -> CommandError {
    let names = || pipeline.steps.iter().map(|step| step.name.as_str());
    let problem = user(format!("{of} has no step `{name}`"));
    problem.hint(meant(name, names(), "its steps"))
}

/// Returns the nearest name as a question, or else all names behind `what`.
pub(crate) fn meant<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", list(names)),
    }
}
