//! How each library error is judged: who is to blame, and what the user can do.

use std::io;

use sidestep_api::ApiError;
use sidestep_aws::deploy::DeployError;
use sidestep_core::definition::parameter::ParameterError;
use sidestep_core::name::NameError;
use sidestep_deploy::{StackNameError, SynthesisError};
use sidestep_engine::error::{EngineError, StartError};
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::objects::StoreError;
use sidestep_local::cloud::{CloudError, PlannerFailure};
use sidestep_local::deployment::DeploymentError;
use sidestep_local::folder::FolderError;
use sidestep_local::lambda::HostError;
use sidestep_local::s3::S3ServerError;
use sidestep_local::sqs::SqsServerError;

use super::{CommandError, ErrorKind, Hint, user};
use crate::output::problems::problem_lines;

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
            EngineError::Start(StartError::Parameters(errors)) => {
                missing_parameters(errors).into_iter().map(Hint::Advice).collect()
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

/// Returns how to give the parameters that have no value.
fn missing_parameters(errors: &[ParameterError]) -> Option<String> {
    let missing = errors.iter().filter_map(|error| match error {
        ParameterError::Missing { name } => Some(format!("-p {name}=VALUE")),
        _ => None,
    });
    let options: Vec<_> = missing.collect();
    (!options.is_empty()).then(|| format!("set it with `{}`", options.join(" ")))
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
            DeployError::Failed { ref status, .. } => {
                let way_out = sidestep_aws::deploy::state(status).map(|row| row.way_out);
                let error = Self::new(ErrorKind::Service, error);
                match way_out {
                    Some(way_out) => error.hint(way_out),
                    None => error,
                }
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

plain_errors![ErrorKind::User; NameError, StackNameError, SynthesisError];

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
