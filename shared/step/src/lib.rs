//! What the author of a step depends on: typed arguments in, outputs and artifacts out.
//!
//! A step is an ordinary Lambda function whose `main` hands one async function to [`run`]. Around it this crate
//!
//! - reads the step's resolved `Arguments` into the handler's first argument, and says where they do not fit;
//! - gives it a [`StepContext`]: time left, downloads, artifacts, progress;
//! - ends it shortly before its deadline, so that a step that is too slow fails with an error and not with silence;
//! - writes the manifest that reports the result and starts the steps that wait for it;
//! - logs with the execution, step and attempt in every line.
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
//! A handler is tested without any server: see [`testing`].
//!
//! Work that keeps a processor busy for more than a moment belongs into [`blocking`]: only then can the deadline be kept.
//!
//! Deliberately left out: anything about the pipeline. A step knows its arguments and where it may write.

mod answer;
mod artifact;
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

/// The example on the page is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/steps.md")]
struct StepsPage;
