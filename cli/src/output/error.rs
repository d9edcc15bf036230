//! Where errors become words: the kind picks the exit status, then the chain of causes, then hints.

use std::fmt;

use sidestep_engine::error::{EngineError, StartError};
use sidestep_local::cloud::CloudError;
use sidestep_local::folder::FolderError;
use sidestep_local::s3::S3ServerError;
use sidestep_local::sqs::SqsServerError;

use super::problems::problem_lines;

/// Exit statuses of the command.
pub(crate) mod exit {
    pub(crate) const SUCCEEDED: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USER: u8 = 2;
    pub(crate) const SERVICE: u8 = 3;
    pub(crate) const HAS_WORK: u8 = 10;
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
        for line in problem_lines("definition", problems) {
            eprintln!("  {line}");
        }
    }
    if let Some(hint) = hint(error) {
        eprintln!("hint: {hint}");
    }
    status(error)
}

/// What to do about it, where that is known.
fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<UserError>() {
        return error.hint.clone();
    }
    if let Some(EngineError::Start(StartError::Selection(error))) = error.downcast_ref() {
        return error.hint();
    }
    if let Some(EngineError::ExecutionNotFound(_)) = error.downcast_ref() {
        return Some("`sidestep list` shows the executions that there are".to_owned());
    }
    // Only the text of it comes back from a store over the wire.
    if error.chain().any(|cause| cause.to_string().contains(DISK_FULL)) {
        return Some("free some space on the disk that holds the state folder".to_owned());
    }
    let elsewhere = "`SIDESTEP_STATE_DIR` puts the state into another folder";
    let hint = match error.downcast_ref()? {
        CloudError::Listen { service, .. } => {
            let flag = service.to_lowercase();
            format!("choose another port with `--{flag}-port`; without it a free one is taken")
        }
        CloudError::Folder(FolderError::InUse { .. }) => {
            "one `sidestep up` serves a project: stop it first, or use the one that runs".to_owned()
        }
        CloudError::Folder(FolderError::Io { .. } | FolderError::Newer { .. }) => {
            elsewhere.to_owned()
        }
        CloudError::Folder(_)
        | CloudError::S3(_)
        | CloudError::DynamoDb(_)
        | CloudError::Sqs(_) => {
            format!(
                "{elsewhere}; without the old one nothing is cached and past executions are gone"
            )
        }
        _ => return None,
    };
    Some(hint)
}

/// What SQLite, and our own errors, say when there is no room left.
const DISK_FULL: &str = "disk is full";

fn status(error: &anyhow::Error) -> u8 {
    let is_user = error.downcast_ref::<UserError>().is_some();
    let is_start = error.downcast_ref::<StartError>().is_some()
        || matches!(error.downcast_ref(), Some(EngineError::Request(_)));
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
                | CloudError::S3(S3ServerError::NewerFormat { .. })
                | CloudError::Sqs(SqsServerError::NewerFormat { .. })
                | CloudError::Listen { .. }
        )
    );
    if is_user || is_start || is_engine_user || is_cloud_user { exit::USER } else { exit::SERVICE }
}
