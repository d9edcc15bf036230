//! Runs a handler as its function would, against a store in memory.
//!
//! Needs the feature `testing`:
//!
//! ```toml
//! [dev-dependencies]
//! sidestep-step = { version = "...", features = ["testing"] }
//! ```
//!
//! Everything is real except Lambda and S3: arguments are read, the deadline is kept, artifacts and
//! the manifest are written.
//!
//! ```
//! use serde_json::{Value, json};
//! use sidestep_step::testing::StepTest;
//! use sidestep_step::{S3Uri, StepContext, StepError};
//!
//! async fn shout(arguments: Value, ctx: StepContext) -> Result<Value, StepError> {
//!     let text = S3Uri::parse(arguments["Text"].as_str().unwrap_or_default())?;
//!     let text = ctx.download(&text).await?.text().await?;
//!     let loud = ctx.put_artifact("loud.txt", text.to_uppercase()).await?;
//!     Ok(json!({"Loud": loud.uri, "Bytes": loud.bytes}))
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), StepError> {
//! let test = StepTest::new().object("s3://inbox/a.txt", "hello");
//! let report = test.run(shout, json!({"Text": "s3://inbox/a.txt"})).await?;
//! assert_eq!(report.outputs["Bytes"], 5);
//! assert_eq!(report.artifact("loud.txt"), "HELLO");
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sidestep_core::execution::invocation::{MANIFEST_NAME, RESERVED_KEY};
use sidestep_core::execution::manifest::Manifest;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore;
use sidestep_engine::ports::objects::memory::MemoryObjectStore;

use crate::answer::{Request, answer};
use crate::clock::now_ms;
use crate::context::StepContext;
use crate::error::StepError;

/// A store in memory, and a counter of attempts: each run of a handler is a new attempt.
#[derive(Debug, Default)]
pub struct StepTest {
    store: Arc<MemoryObjectStore>,
    attempts: AtomicU32,
    time_limit: Option<Duration>,
}

/// What a run of a handler left behind.
#[derive(Debug)]
pub struct StepReport {
    /// The step's outputs, a JSON object.
    pub outputs: Value,
    /// The manifest that the step wrote: outputs, artifacts, times.
    pub manifest: Manifest,
    store: Arc<MemoryObjectStore>,
    output_prefix: S3Uri,
}

impl StepTest {
    /// Makes a test with an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an object into the store for steps to read.
    ///
    /// # Panics
    ///
    /// If `uri` is not an S3 URI.
    #[must_use]
    pub fn object(self, uri: &str, content: impl Into<Bytes>) -> Self {
        self.store.put(&S3Uri::parse(uri).expect("an S3 URI"), content);
        self
    }

    /// Ends attempts after `limit` instead of a quarter of an hour.
    #[must_use]
    pub fn time_limit(self, limit: Duration) -> Self {
        Self { time_limit: Some(limit), ..self }
    }

    /// Runs the handler as step `Step` of pipeline `test`.
    ///
    /// Its outputs may hold URIs of artifacts, which a later run of the same test can read.
    pub async fn run<A, O, H, F>(
        &self,
        handler: H,
        arguments: Value,
    ) -> Result<StepReport, StepError>
    where
        A: DeserializeOwned,
        O: Serialize + 'static,
        H: Fn(A, StepContext) -> F,
        F: Future<Output = Result<O, StepError>> + Send + 'static,
    {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        self.run_attempt(attempt, handler, arguments).await
    }

    /// Runs the handler as a given attempt, for example twice as the same one, as Lambda may.
    pub async fn run_attempt<A, O, H, F>(
        &self,
        attempt: u32,
        handler: H,
        arguments: Value,
    ) -> Result<StepReport, StepError>
    where
        A: DeserializeOwned,
        O: Serialize + 'static,
        H: Fn(A, StepContext) -> F,
        F: Future<Output = Result<O, StepError>> + Send + 'static,
    {
        let limit = self.time_limit.unwrap_or(Duration::from_mins(15));
        let key = format!("runs/test/testtesttest/Step/{attempt}/");
        let output_prefix = S3Uri::new("sidestep-test", key);
        let mut event = arguments;
        event[RESERVED_KEY] = json!({
            "ExecutionId": "testtesttest",
            "PipelineName": "test",
            "StepName": "Step",
            "AttemptCount": attempt,
            "OutputPrefix": output_prefix,
            "Token": format!("token of attempt {attempt}"),
            "DeadlineMs": now_ms() + u64::try_from(limit.as_millis()).unwrap_or(u64::MAX / 2),
        });
        let store: Arc<dyn ObjectStore> = self.store.clone();
        let mut answer = answer(&handler, store, None, event, Request::default()).await?;
        if let Some(keys) = answer.as_object_mut() {
            keys.remove(RESERVED_KEY);
        }
        let written = self.store.objects().remove(&output_prefix.join(MANIFEST_NAME));
        let manifest = serde_json::from_slice(&written.unwrap_or_default())?;
        Ok(StepReport { outputs: answer, manifest, store: self.store.clone(), output_prefix })
    }

    /// Returns the store, to look at what a step left there.
    pub fn store(&self) -> &MemoryObjectStore {
        &self.store
    }
}

impl StepReport {
    /// Returns the content of an artifact.
    ///
    /// # Panics
    ///
    /// If the step did not write it.
    pub fn artifact(&self, name: &str) -> Bytes {
        let artifact = self.store.objects().remove(&self.output_prefix.join(name));
        artifact.unwrap_or_else(|| panic!("no artifact `{name}`"))
    }
}
