//! The Python of jobs: an interpreter, and an environment with the packages of an image.

use std::path::{Path, PathBuf};

use super::environment;
use super::interpreter::{interpreter, minor_of};
use crate::output::error::{CommandError, user};

/// What runs a job's Python code.
#[derive(Debug, Clone)]
pub(crate) struct JobPython {
    /// The interpreter, outside of any environment.
    pub(crate) interpreter: PathBuf,
    /// `3.11.7`.
    pub(crate) version: String,
    /// The folder of the environment.
    pub(crate) environment: PathBuf,
}

/// Returns the Python for `python3.MINOR` with these packages, and makes its environment if need
/// be.
///
/// If `is_exact`, another version is refused: code was pickled with this one.
pub(crate) fn job_python(
    minor: u32,
    is_exact: bool,
    packages: &[String],
    image: &str,
    project: &Path,
) -> Result<JobPython, CommandError> {
    let found = interpreter(minor, project, &format!("image `{image}`"))?;
    if is_exact && minor_of(&found.version) != Some(minor) {
        let problem = format!(
            "the job's code was pickled with Python 3.{minor}, and this machine has Python {}",
            found.version
        );
        return Err(user(problem).hint(format!("install Python 3.{minor}, or uv, which brings it")));
    }
    let made = environment::of_jobs(&found, packages, image)?;
    let environment = made.python.ancestors().nth(2).unwrap_or(&made.python).to_owned();
    Ok(JobPython { interpreter: found.executable, version: found.version, environment })
}
