//! `sidestep callback`: reports the result of a Callback step.

use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Map, Value};
use sidestep_engine::control::Answer;

use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::target::Target;

#[derive(Debug, Subcommand)]
pub(crate) enum CallbackCommand {
    /// Report that the step succeeded
    Success {
        /// `token` in the step's message
        token: String,
        /// Set an output of the step; repeatable
        #[arg(short, long = "output", value_name = "NAME=VALUE")]
        outputs: Vec<String>,
    },
    /// Report that the step failed
    Failure {
        /// `token` in the step's message
        token: String,
        /// Why the step failed, in at most 256 characters
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(crate) async fn callback(
    project: Option<&Path>,
    target: Target,
    command: CallbackCommand,
) -> Result<ExitStatus, CommandError> {
    let (token, answer) = match command {
        CallbackCommand::Success { token, outputs } => {
            (token, Answer::Success(outputs_of(&outputs)?))
        }
        CallbackCommand::Failure { token, reason } => {
            let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
            if reason.chars().count() > 256 {
                return Err(user("the reason has more than 256 characters"));
            }
            (token, Answer::Failure(reason))
        }
    };
    let project = Project::find(project)?;
    let session = target.open(&project).await?;
    let answered = session.engine.answer(&token, answer).await;
    session.close(Duration::ZERO).await;
    for output in answered? {
        eprintln!("note: the step does not declare output `{output}`, which is ignored");
    }
    Ok(ExitStatus::Succeeded)
}

/// Parses the outputs, `NAME=VALUE` each.
fn outputs_of(given: &[String]) -> Result<Map<String, Value>, CommandError> {
    let mut outputs = Map::new();
    for text in given {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| user(format!("`--output {text}`: expected NAME=VALUE")))?;
        if outputs.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(user(format!("output `{name}` is given twice")));
        }
    }
    Ok(outputs)
}
