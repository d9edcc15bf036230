//! Every cause is told once, and a full disk with what to do about it.

use std::io;

use sidestep_core::execution::ExecutionStatus;
use sidestep_core::name::ExecutionId;
use sidestep_core::plan::control::ControlError;
use sidestep_engine::error::{EngineError, RequestError};
use sidestep_engine::ports::disk_full::DiskFull;
use sidestep_engine::ports::executions::TableError;
use sidestep_engine::ports::queues::QueueError;
use sidestep_local::cloud::{CloudError, PlannerFailure};
use sidestep_local::deployment::DeploymentError;
use sidestep_local::folder::FolderError;
use sidestep_local::s3::S3ServerError;

use super::*;

fn full() -> BoxError {
    Box::new(DiskFull { source: "SQLITE_FULL".into() })
}

/// Returns an error for each way in which a cause is told.
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
        Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).or_user(|| "no file").unwrap_err(),
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
        hints.any(|hint| matches!(hint, Hint::Advice(text) if text.starts_with("free some space")))
    };
    let all = errors();
    let full = all.iter().filter(|error| advised(error)).count();
    assert_eq!(full, 3, "table, queue and planner");
    let cloud = CloudError::S3(S3ServerError::DiskFull { source: "ENOSPC".into() });
    assert!(advised(&cloud.into()));
}

#[test]
fn a_message_in_front_keeps_kind_and_hints() {
    let error = user("no pipeline `x`").hint("name a file").within("`sidestep.toml` is invalid");
    assert_eq!(error.one_line(), "`sidestep.toml` is invalid: no pipeline `x`");
    assert_eq!((error.kind, error.hints.len()), (ErrorKind::User, 1));
    assert_eq!(error.report(false), ExitStatus::UserError);
}
