//! A step on the step SDK that does nothing, counts its runs, reads one object, or writes one
//! artifact.
//!
//! What is measured with it is sidestep itself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Value, json};
use sidestep_step::{Error, S3Uri, StepContext, StepError};

#[tokio::main]
async fn main() -> Result<(), Error> {
    sidestep_step::run(noop).await
}

#[expect(clippy::print_stderr, reason = "the benchmark reads it from the log")]
async fn noop(arguments: Value, ctx: StepContext) -> Result<Value, StepError> {
    if std::env::var_os("NOOP_TIMES").is_some() {
        let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        eprintln!("entered {}", since_epoch.as_micros());
    }
    if let Some(path) = arguments["CountIn"].as_str() {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(b".")?;
    }
    if let Some(uri) = arguments["Read"].as_str() {
        ctx.download(&S3Uri::parse(uri)?).await?;
    }
    let mut uri = None;
    if let Some(text) = arguments["Artifact"].as_str() {
        uri = Some(ctx.put_artifact("note.txt", text.to_owned()).await?.uri);
    }
    Ok(json!({ "Value": arguments["Value"], "Uri": uri }))
}
