//! What stands in for a container image: a Python environment, and a program.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use super::kind::JobKind;

/// What a job needs of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse {
    pub kind: JobKind,
    /// The URI of the image.
    pub image: String,
    /// The version of Python, such as `3.11`, that the job's code was pickled with.
    pub python: Option<String>,
    /// The version of SageMaker's Python SDK that the job's code was pickled with, as it says it.
    pub sdk: Option<String>,
    /// True if the request names no program and no script: the image's own program runs.
    pub needs_program: bool,
}

/// What runs a job in place of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The interpreter, outside of any environment.
    pub interpreter: PathBuf,
    /// Its version, such as `3.11.7`.
    pub version: String,
    /// The environment whose packages and programs the job sees and cannot change.
    pub environment: Option<PathBuf>,
    /// The program in place of the image's own.
    pub program: Option<Program>,
    /// Variables that the image would set.
    pub variables: BTreeMap<String, String>,
    /// What the job's log says about the environment.
    pub note: String,
}

/// A program that stands in for the one of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A command of the project.
    Command(Vec<String>),
    /// SageMaker's built-in algorithm XGBoost, by the package `xgboost`.
    XgBoost,
}

/// Finds what stands in for images.
pub trait Images: Send + Sync + Debug {
    /// Refuses an image that no job can run with here. The text says what to write.
    ///
    /// Answers at once: requests wait for it.
    fn check(&self, wanted: &ImageUse) -> Result<(), String>;

    /// Makes the environment, once for all jobs that need the same one.
    ///
    /// May take minutes. Called twice, the second call finds what the first one made. The error is
    /// the reason for which the job fails.
    fn prepare(&self, wanted: &ImageUse) -> Result<Prepared, String>;
}
