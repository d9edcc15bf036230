//! Everything that the author of a step needs: typed arguments in, outputs and artifacts out.
//!
//! A step is an ordinary AWS Lambda function whose `main` hands one async function, the *handler*,
//! to [`run`]. Around the handler this crate
//!
//! - reads the step's resolved `Arguments` into the handler's first parameter, and names the
//!   argument that does not fit;
//! - passes a [`StepContext`]: the time left, downloads, artifacts, progress;
//! - ends the handler shortly before the deadline, so that a slow step fails with an error instead
//!   of silently;
//! - writes the manifest, which reports the result and starts the steps that depend on this one;
//! - logs the execution, the step and the attempt with every line.
//!
//! # Example
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use sidestep_step::{Error, S3Uri, StepContext, StepError};
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "PascalCase", deny_unknown_fields)]
//! struct Arguments {
//!     text: S3Uri,
//! }
//!
//! #[derive(Serialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct Outputs {
//!     words: usize,
//!     sorted: S3Uri,
//! }
//!
//! async fn sort_words(arguments: Arguments, ctx: StepContext) -> Result<Outputs, StepError> {
//!     let text = ctx.download(&arguments.text).await?.text().await?;
//!     let mut words: Vec<&str> = text.split_whitespace().collect();
//!     if words.is_empty() {
//!         return Err(StepError::new("Words.None", format!("`{}` has no words", arguments.text)));
//!     }
//!     words.sort_unstable();
//!     ctx.progress((0.9, "sorted"));
//!     let sorted = ctx.put_artifact("sorted.txt", words.join("\n")).await?;
//!     Ok(Outputs { words: words.len(), sorted: sorted.uri })
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     sidestep_step::run(sort_words).await
//! }
//! ```
//!
//! # What to know
//!
//! - **Failures.** Any error that the handler returns fails the attempt. Give a failure a type of
//!   its own with [`StepError::new`], so that a retry policy or an alarm can tell it from others.
//! - **Repeats.** Lambda may deliver one invocation twice. The first run that reports wins, and the
//!   outputs of the other are dropped; artifacts are never overwritten.
//! - **Busy work.** Work that keeps a processor busy for more than a moment belongs in
//!   [`blocking`]: otherwise the deadline cannot be kept.
//! - **Tests.** `testing` (a feature) runs a handler without any server.
//!
//! # What is left out
//!
//! A handler learns nothing about the pipeline around it. It knows its arguments and where it may
//! write, so the same function serves in any pipeline.

mod answer;
mod artifact;
mod clock;
mod context;
mod download;
mod error;
mod event;
mod handoff;
mod lease;
mod logging;
mod progress;
mod report;
mod run;
#[cfg(any(feature = "testing", test))]
pub mod testing;

pub use bytes::Bytes;
pub use lambda_runtime::Error;
pub use sidestep_core::execution::manifest::Artifact;
pub use sidestep_core::uri::S3Uri;

pub use self::artifact::Content;
pub use self::context::StepContext;
pub use self::download::Download;
pub use self::error::StepError;
pub use self::progress::Progress;
pub use self::run::{blocking, run};

/// Compiles the examples of `docs/steps.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/steps.md")]
struct StepsPage;
