//! The one error of the command: its kind picks the exit status, its causes and hints are printed.
//!
//! Every library error becomes a [`CommandError`] by one `From` below, so that a new kind of
//! failure is judged in one place. The adapters judge whether a full disk caused it.

use std::error::Error;
use std::io;

use sidestep_api::ApiError;
use sidestep_aws::deploy::DeployError;
use sidestep_core::name::NameError;
use sidestep_deploy::{StackNameError, SynthesisError};
use sidestep_engine::error::{EngineError, StartError};
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::objects::StoreError;
use sidestep_local::cloud::{CloudError, PlannerFailure};
use sidestep_local::deployment::DeploymentError;
use sidestep_local::folder::FolderError;
use sidestep_local::lambda::{HostError, InvalidFunctionName};
use sidestep_local::s3::S3ServerError;
use sidestep_local::sqs::SqsServerError;

use super::exit_status::ExitStatus;
use super::problems::problem_lines;

type BoxError = Box<dyn Error + Send + Sync>;

/// The side at fault, which picks the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorKind {
    /// The user's input is wrong.
    User,
    /// A service, or this machine, failed.
    Service,
}

/// A line printed below the error and its causes.
#[derive(Debug)]
enum Hint {
    /// More about the error itself, such as one problem of a definition.
    Detail(String),
    /// What the user can do.
    Advice(String),
}

/// Why a command ended without doing what it was asked for.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: ErrorKind,
    error: BoxError,
    hints: Vec<Hint>,
}

/// A message in the user's terms, and the failure that caused it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Message {
    text: String,
    source: Option<BoxError>,
}

/// Returns the error of an input that is wrong.
pub(crate) fn user(message: impl Into<String>) -> CommandError {
    CommandError::new(ErrorKind::User, Message { text: message.into(), source: None })
}

/// Returns the error of a service or machine that failed.
pub(crate) fn service(message: impl Into<String>) -> CommandError {
    CommandError::new(ErrorKind::Service, Message { text: message.into(), source: None })
}

/// Adds a message to a library's error, which becomes the cause.
pub(crate) trait OrError<T> {
    /// Blames the user's input.
    fn or_user<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError>;
    /// Blames a service or this machine.
    fn or_service<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError>;
}

impl<T, E: Into<BoxError>> OrError<T> for Result<T, E> {
    fn or_user<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError> {
        self.map_err(|cause| CommandError::caused(ErrorKind::User, message(), cause))
    }

    fn or_service<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, CommandError> {
        self.map_err(|cause| CommandError::caused(ErrorKind::Service, message(), cause))
    }
}

impl CommandError {
    /// Wraps a library's error.
    fn new(kind: ErrorKind, error: impl Into<BoxError>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new() }
    }

    /// Returns an error with a message and the failure that caused it.
    fn caused(kind: ErrorKind, text: impl Into<String>, cause: impl Into<BoxError>) -> Self {
        Self::new(kind, Message { text: text.into(), source: Some(cause.into()) })
    }

    /// Adds advice.
    pub(crate) fn hint(mut self, advice: impl Into<String>) -> Self {
        self.hints.push(Hint::Advice(advice.into()));
        self
    }

    /// Adds the advice for a full disk.
    fn disk_full_hint(self, is_disk_full: bool) -> Self {
        if is_disk_full {
            self.hint("free some space on the disk that holds the state folder")
        } else {
            self
        }
    }

    /// Puts a message in front, with this error as its cause. Kind and hints stay.
    pub(crate) fn within(self, message: impl Into<String>) -> Self {
        let Self { kind, error, hints } = self;
        Self { hints, ..Self::caused(kind, message, error) }
    }

    /// Returns the message and its causes, each once.
    fn lines(&self) -> Vec<String> {
        let first: &(dyn Error + 'static) = &*self.error;
        let causes = std::iter::successors(Some(first), |error| (*error).source());
        let mut lines: Vec<String> = causes.map(ToString::to_string).collect();
        // A transparent wrapper says the same as what it wraps.
        lines.dedup();
        lines
    }

    /// Returns the message and its causes on one line, for a note.
    pub(crate) fn one_line(&self) -> String {
        self.lines().join(": ")
    }

    /// Prints the error to stderr and returns the exit status of its kind.
    pub(crate) fn report(&self) -> ExitStatus {
        for (place, line) in self.lines().iter().enumerate() {
            let lead = if place == 0 { "error: " } else { "  because " };
            eprintln!("{lead}{line}");
        }
        for hint in &self.hints {
            match hint {
                Hint::Detail(line) => eprintln!("  {line}"),
                Hint::Advice(text) => eprintln!("hint: {text}"),
            }
        }
        match self.kind {
            ErrorKind::User => ExitStatus::UserError,
            ErrorKind::Service => ExitStatus::ServiceError,
        }
    }
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        let kind = match &error {
            EngineError::Definition(_)
            | EngineError::Start(_)
            | EngineError::ExecutionNotFound(_)
            | EngineError::Request(_) => ErrorKind::User,
            _ => ErrorKind::Service,
        };
        let hints = match &error {
            EngineError::Definition(problems) => {
                problem_lines("definition", problems).into_iter().map(Hint::Detail).collect()
            }
            EngineError::Start(StartError::Selection(error)) => {
                error.hint().into_iter().map(Hint::Advice).collect()
            }
            EngineError::ExecutionNotFound(_) => {
                vec![Hint::Advice("`sidestep list` lists the executions".to_owned())]
            }
            _ => Vec::new(),
        };
        let is_disk_full = DiskFull::is_cause_of(&error);
        Self { hints, ..Self::new(kind, error) }.disk_full_hint(is_disk_full)
    }
}

impl From<CloudError> for CommandError {
    fn from(error: CloudError) -> Self {
        let kind = match &error {
            CloudError::Listen { .. }
            | CloudError::Folder(FolderError::Newer { .. } | FolderError::Io { .. })
            | CloudError::S3(S3ServerError::NewerFormat { .. })
            | CloudError::Sqs(SqsServerError::NewerFormat { .. }) => ErrorKind::User,
            _ => ErrorKind::Service,
        };
        let is_disk_full = error.is_disk_full();
        let advice = if is_disk_full { None } else { cloud_advice(&error) };
        let hints = advice.into_iter().map(Hint::Advice).collect();
        Self { hints, ..Self::new(kind, error) }.disk_full_hint(is_disk_full)
    }
}

/// Returns what the user can do where the embedded cloud does not start.
fn cloud_advice(error: &CloudError) -> Option<String> {
    let elsewhere = "set `SIDESTEP_STATE_DIR` to keep the state in another folder";
    match error {
        CloudError::Listen { service, .. } => {
            let flag = service.to_lowercase();
            Some(format!(
                "choose another port with `--{flag}-port`; without it a free one is taken"
            ))
        }
        CloudError::Folder(FolderError::InUse { .. }) => Some(
            "one `sidestep up` serves a project: stop it first, or use the running one".to_owned(),
        ),
        CloudError::Folder(FolderError::Io { .. } | FolderError::Newer { .. }) => {
            Some(elsewhere.to_owned())
        }
        CloudError::Folder(_)
        | CloudError::S3(_)
        | CloudError::DynamoDb(_)
        | CloudError::Sqs(_) => {
            Some(format!("{elsewhere}; cached results and past executions stay in the old one"))
        }
        _ => None,
    }
}

impl From<FolderError> for CommandError {
    fn from(error: FolderError) -> Self {
        CloudError::from(error).into()
    }
}

impl From<DeploymentError> for CommandError {
    fn from(error: DeploymentError) -> Self {
        let is_disk_full = error.is_disk_full();
        Self::new(ErrorKind::Service, error).disk_full_hint(is_disk_full)
    }
}

impl From<TableError> for CommandError {
    fn from(error: TableError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<PlannerFailure> for CommandError {
    fn from(failure: PlannerFailure) -> Self {
        let is_disk_full = failure.is_disk_full;
        Self::caused(ErrorKind::Service, "the planner cannot go on", failure.causes)
            .disk_full_hint(is_disk_full)
    }
}

impl From<DeployError> for CommandError {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::NoRegion => {
                user("no region is set").hint("set AWS_REGION, or `region` in the AWS profile")
            }
            error => Self::new(ErrorKind::Service, error),
        }
    }
}

/// Implements `From` for library errors that call for no hint.
macro_rules! plain_errors {
    ($kind:expr; $($error:ty),* $(,)?) => {$(
        impl From<$error> for CommandError {
            fn from(error: $error) -> Self {
                Self::new($kind, error)
            }
        }
    )*};
}

plain_errors![ErrorKind::User; InvalidFunctionName, NameError, StackNameError, SynthesisError];

plain_errors![
    ErrorKind::Service;
    ApiError,
    HostError,
    io::Error,
    serde_json::Error,
    std::num::TryFromIntError,
    std::path::StripPrefixError,
    tokio::sync::watch::error::RecvError,
    zip::result::ZipError,
];

#[cfg(test)]
mod tests {
    use super::*;
    use sidestep_core::execution::ExecutionStatus;
    use sidestep_core::name::ExecutionId;
    use sidestep_core::plan::control::ControlError;
    use sidestep_engine::error::RequestError;
    use sidestep_engine::ports::queues::QueueError;

    fn full() -> BoxError {
        Box::new(DiskFull { source: "SQLITE_FULL".into() })
    }

    /// One error of each way in which a cause is told.
    fn errors() -> Vec<CommandError> {
        let execution_id = ExecutionId::from_bytes([7; 16]);
        let source = ControlError::Over(ExecutionStatus::Stopped);
        let control = RequestError::Control { execution_id, source };
        let table = TableError::Unavailable {
            operation: "read",
            item: "HEAD".into(),
            retryable: true,
            source: full(),
        };
        let queue = QueueError::Unavailable { queue_url: "q".into(), source: full() };
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let path = "/state".into();
        vec![
            EngineError::from(control).into(),
            table.into(),
            DeploymentError::from(queue).into(),
            FolderError::Io { operation: "open", path, source: denied }.into(),
            PlannerFailure { causes: "could not read".to_owned(), is_disk_full: true }.into(),
            user("no pipeline `x`").within("`sidestep.toml` is invalid"),
            Err::<(), _>(io::Error::from(io::ErrorKind::NotFound))
                .or_user(|| "no file")
                .unwrap_err(),
        ]
    }

    #[test]
    fn every_cause_is_printed_once() {
        for error in errors() {
            let lines = error.lines();
            for (place, line) in lines.iter().enumerate() {
                let told = lines.iter().filter(|other| other.contains(line.as_str())).count();
                assert_eq!(told, 1, "line {place} of {lines:#?}");
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_what_to_do_about_wherever_it_shows() {
        let advised = |error: &CommandError| {
            let mut hints = error.hints.iter();
            hints.any(
                |hint| matches!(hint, Hint::Advice(text) if text.starts_with("free some space")),
            )
        };
        let all = errors();
        let full = all.iter().filter(|error| advised(error)).count();
        assert_eq!(full, 3, "table, queue and planner");
        let cloud = CloudError::S3(S3ServerError::DiskFull { source: "ENOSPC".into() });
        assert!(advised(&cloud.into()));
    }

    #[test]
    fn a_message_in_front_keeps_kind_and_hints() {
        let error =
            user("no pipeline `x`").hint("name a file").within("`sidestep.toml` is invalid");
        assert_eq!(error.one_line(), "`sidestep.toml` is invalid: no pipeline `x`");
        assert_eq!((error.kind, error.hints.len()), (ErrorKind::User, 1));
        assert_eq!(error.report(), ExitStatus::UserError);
    }
}
