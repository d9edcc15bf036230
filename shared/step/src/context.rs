//! The attempt as its handler sees it: time left, downloads, artifacts and progress.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use sidestep_core::execution::invocation::Invocation;
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::failure::FailureType;
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore;

use crate::artifact::{Artifacts, Content};
use crate::download::Download;
use crate::error::StepError;
use crate::progress::{Progress, Throttle};

/// One attempt of a step, as its handler sees it. Clones are the same attempt.
#[derive(Clone)]
pub struct StepContext {
    inner: Arc<Inner>,
}

struct Inner {
    invocation: Option<Invocation>,
    output_prefix: Option<S3Uri>,
    deadline: Instant,
    store: Arc<dyn ObjectStore>,
    artifacts: Mutex<Artifacts>,
    throttle: Mutex<Throttle>,
}

impl StepContext {
    pub(crate) fn new(
        invocation: Option<Invocation>,
        output_prefix: Option<S3Uri>,
        deadline: Instant,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let artifacts = Mutex::default();
        let throttle = Mutex::default();
        let inner = Inner { invocation, output_prefix, deadline, store, artifacts, throttle };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the execution, or `None` if a user invoked the function by hand.
    pub fn execution_id(&self) -> Option<&ExecutionId> {
        self.inner.invocation.as_ref().map(|invocation| &invocation.execution_id)
    }

    /// Returns the step's name in the pipeline, or `None` if a user invoked the function by hand.
    pub fn step_name(&self) -> Option<&StepName> {
        self.inner.invocation.as_ref().map(|invocation| &invocation.step_name)
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt_count(&self) -> u32 {
        self.inner.invocation.as_ref().map_or(1, |invocation| invocation.attempt_count)
    }

    /// Returns the time left before the attempt is ended.
    ///
    /// It is a little shorter than the function's own time, so that there is time to report the
    /// failure.
    pub fn remaining(&self) -> Duration {
        self.inner.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns the prefix below which this attempt may write.
    ///
    /// Most steps only need [`StepContext::put_artifact`]. If a user invokes the function by hand,
    /// there is a prefix only if `SIDESTEP_OUTPUT_PREFIX` is set: a folder per request below it.
    pub fn output_prefix(&self) -> Result<&S3Uri, StepError> {
        self.inner.output_prefix.as_ref().ok_or_else(|| {
            StepError::new(
                FailureType::NoOutputPrefix,
                "invoked without a pipeline there is nowhere to write: set SIDESTEP_OUTPUT_PREFIX to an s3:// prefix",
            )
        })
    }

    /// Opens an object for reading. Fails with `Sidestep.InputNotFound` if it does not exist.
    pub async fn download(&self, uri: &S3Uri) -> Result<Download, StepError> {
        let Some(opened) = self.inner.store.download(uri).await? else {
            let message = format!("there is no object `{uri}`");
            return Err(StepError::new(FailureType::InputNotFound, message));
        };
        Ok(Download::new(uri.clone(), opened))
    }

    /// Streams an artifact to the output prefix and returns its URI, size and SHA-256.
    ///
    /// `name` is a relative path of plain names, used once per attempt. The artifact becomes part
    /// of the step's result when the handler returns; artifacts of an attempt that fails do not
    /// count.
    pub async fn put_artifact(
        &self,
        name: &str,
        content: impl Into<Content>,
    ) -> Result<Artifact, StepError> {
        let uri = self.output_prefix()?.join(name);
        self.artifacts().reserve(name)?;
        let uploaded = self.inner.store.upload(&uri, content.into().0).await;
        self.artifacts().settle(name, uploaded.as_ref().ok().cloned());
        Ok(uploaded?)
    }

    /// Reports how far the step has come.
    ///
    /// Takes a fraction, a message or both: `ctx.progress(0.4)`, `ctx.progress("sorting")`,
    /// `ctx.progress((0.4, "sorting"))`. Cheap enough for a loop: at most four reports a second are
    /// passed on, and always the end (1.0).
    pub fn progress(&self, progress: impl Into<Progress>) {
        let progress = progress.into();
        if self.inner.throttle.lock().admits(&progress, Instant::now()) {
            progress.print();
        }
    }

    /// Returns when the attempt is ended.
    pub(crate) fn deadline(&self) -> Instant {
        self.inner.deadline
    }

    /// Returns the artifacts so far, locked.
    pub(crate) fn artifacts(&self) -> MutexGuard<'_, Artifacts> {
        self.inner.artifacts.lock()
    }
}

/// Leaves the token out: a handler may log its context.
impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("execution_id", &self.execution_id())
            .field("step_name", &self.step_name())
            .field("attempt_count", &self.attempt_count())
            .field("output_prefix", &self.inner.output_prefix)
            .finish_non_exhaustive()
    }
}
