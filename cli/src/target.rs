//! Where pipelines run: the embedded cloud, or the project's stack on AWS.

use crate::output::error::CommandError;
use crate::project::Project;
use crate::remote::Remote;
use crate::session::Session;

/// Where pipelines run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// The embedded cloud on this machine
    Local,
    /// The project's stack on AWS
    Aws,
}

impl Target {
    /// Opens a session to read and control executions at this target.
    pub(crate) async fn open(self, project: &Project) -> Result<Session, CommandError> {
        match self {
            Self::Local => Session::read(project).await,
            Self::Aws => Ok(Remote::open(project).await?.session(project)),
        }
    }
}
