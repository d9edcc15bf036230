//! What a process that serves others tells them, in a file of the state folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sidestep_core::name::ExecutionId;
use sidestep_local::folder::published_endpoints;
use sidestep_local::lambda::FunctionConfig;

use crate::output::error::{CommandError, OrError as _};

/// File in which `sidestep up` publishes what it serves.
const SERVED: &str = "up.json";

/// What a process that serves others tells them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Published {
    /// Digests of the functions, by name.
    pub(crate) functions: BTreeMap<String, String>,
    /// If true, it serves edited functions a moment after the edit.
    #[serde(default)]
    pub(crate) follows: bool,
    /// Why it cannot use the project's files as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stale: Option<String>,
    /// The execution for which it serves, if it is no `sidestep up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<PublishedRun>,
}

/// What a command that runs an execution tells others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PublishedRun {
    pub(crate) process: u32,
    /// If false, other commands wait until it ends.
    pub(crate) is_open: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pipeline: Option<String>,
    /// The execution that the command itself follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<ExecutionId>,
    /// The executions that it drives: its own, and those of commands that joined it.
    pub(crate) driven: BTreeSet<ExecutionId>,
    /// The commands that it has let in, by ticket, or why it has not.
    pub(crate) joined: BTreeMap<String, Option<String>>,
}

impl fmt::Display for PublishedRun {
    /// Says which command it is: `process 7 runs execution 0a1b of pipeline etl`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)?;
        match (&self.execution, &self.pipeline) {
            (Some(id), Some(pipeline)) => write!(f, " runs execution {id} of pipeline {pipeline}"),
            _ => write!(f, " begins an execution"),
        }
    }
}

impl Published {
    pub(crate) fn new(functions: &[FunctionConfig], follows: bool) -> Self {
        Self { functions: digests(functions), follows, stale: None, run: None }
    }

    /// Returns what the process that owns the state folder has published.
    pub(crate) fn read(state: &Path) -> Result<Option<Self>, CommandError> {
        if published_endpoints(state).is_none() {
            return Ok(None);
        }
        let Ok(text) = fs::read_to_string(state.join(SERVED)) else { return Ok(None) };
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Writes this into the state folder, so that other commands may run executions in this
    /// process.
    pub(crate) fn write(&self, state: &Path) -> Result<(), CommandError> {
        let path = state.join(SERVED);
        let text = serde_json::to_string(self)?;
        // As a whole: another command may read at any moment.
        let temporary = state.join(format!("{SERVED}.new"));
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .or_service(|| format!("could not write `{}`", path.display()))
    }

    /// Removes what an earlier owner of the state folder has published.
    pub(crate) fn remove(state: &Path) -> Result<(), CommandError> {
        let path = state.join(SERVED);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).or_service(|| format!("could not remove `{}`", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the digests of functions by name.
pub(crate) fn digests(functions: &[FunctionConfig]) -> BTreeMap<String, String> {
    functions
        .iter()
        .map(|function| (function.name.to_string(), function.code_sha256.clone()))
        .collect()
}
