//! The project's template, checked before anything is sent.

use serde_json::Value;
use sidestep_deploy::lint::{Problem, Severity, lint};
use sidestep_deploy::{Blueprint, synthesise};
use time::{Date, OffsetDateTime};

use crate::output::error::{CommandError, user};

/// Returns the template of a blueprint, in which AWS would refuse nothing. Prints what AWS will not
/// take for much longer. `exists` says whether the stack is there already.
pub(crate) fn checked(blueprint: &Blueprint, exists: bool) -> Result<Value, CommandError> {
    let template = synthesise(blueprint)?;
    refuse(lint(&template, blueprint.place.as_ref(), today(), exists))?;
    Ok(template)
}

/// Prints the warnings, and returns the errors as one.
pub(crate) fn refuse(problems: Vec<Problem>) -> Result<(), CommandError> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Ok(()) };
    let error = errors.fold(user(first.what), |error, other| error.detail(other.to_string()));
    Err(error.hint(first.advice))
}

/// Returns the day by this machine's clock.
pub(crate) fn today() -> Date {
    OffsetDateTime::now_utc().date()
}
