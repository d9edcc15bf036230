//! Where errors become words: the kind picks the exit status, then the chain of causes, then hints.

use std::fmt;

use sidestep_engine::engine::EngineError;
use sidestep_engine::start::StartError;
use sidestep_local::cloud::CloudError;
use sidestep_local::folder::FolderError;

/// Exit statuses of the command.
pub(crate) mod exit {
    pub(crate) const SUCCEEDED: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USER: u8 = 2;
    pub(crate) const SERVICE: u8 = 3;
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// The user's input is wrong; saying so is enough.
#[derive(Debug)]
pub(crate) struct UserError {
    message: String,
    hint: Option<String>,
}

pub(crate) fn user(message: impl Into<String>) -> UserError {
    UserError { message: message.into(), hint: None }
}

impl UserError {
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}

/// Prints an error to stderr and returns the exit status of its kind.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    let mut lines: Vec<String> = Vec::new();
    for cause in error.chain() {
        let line = cause.to_string();
        // A transparent wrapper says the same as what it wraps.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    eprintln!("error: {}", lines.remove(0));
    for line in lines {
        eprintln!("  because {line}");
    }
    if let Some(EngineError::Definition(problems)) = error.downcast_ref::<EngineError>() {
        for problem in problems {
            eprintln!("  {}", crate::validate::line("definition", problem));
        }
    }
    let hint = error.downcast_ref::<UserError>().and_then(|error| error.hint.as_ref());
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    status(error)
}

fn status(error: &anyhow::Error) -> u8 {
    let is_user = error.downcast_ref::<UserError>().is_some();
    let is_start = error.downcast_ref::<StartError>().is_some();
    let is_engine_user = matches!(
        error.downcast_ref(),
        Some(
            EngineError::Definition(_) | EngineError::Start(_) | EngineError::ExecutionNotFound(_)
        )
    );
    let is_cloud_user = matches!(
        error.downcast_ref(),
        Some(
            CloudError::Folder(FolderError::Newer { .. } | FolderError::Io { .. })
                | CloudError::Listen { .. }
        )
    );
    if is_user || is_start || is_engine_user || is_cloud_user { exit::USER } else { exit::SERVICE }
}
