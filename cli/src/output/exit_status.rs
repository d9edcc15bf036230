//! The exit statuses of the command, which scripts rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitStatus {
    Succeeded = 0,
    /// The execution failed, or `doctor` found something wrong.
    Failed = 1,
    /// The user's input is wrong.
    UserError = 2,
    /// A service, or this machine, failed.
    ServiceError = 3,
    /// `plan` found a step that would run.
    HasWork = 10,
    /// 128 and the number of SIGINT, as shells say it.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        // The numbers stand in the enum.
        Self::from(status as u8)
    }
}
