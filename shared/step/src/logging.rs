//! Logs: structured fields on every line, as JSON in a function and as text at a terminal.

use std::io;

use sidestep_core::execution::invocation::Invocation;
use tracing::Span;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Sends `tracing` events to stderr.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL` (Lambda's logging controls) or `RUST_LOG`, as one word, else
/// `INFO`. A subscriber that the author installed before stays.
pub(crate) fn init() {
    let variable = |name| std::env::var(name).ok();
    let level = variable("AWS_LAMBDA_LOG_LEVEL")
        .or_else(|| variable("RUST_LOG"))
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    // Not `EnvFilter`, whose directives need a regular expression engine. The runtime's own line
    // about a panic is off, because this crate logs the failure with its type.
    let filter = Targets::new()
        .with_default(level)
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let layer = fmt::layer().with_writer(io::stderr);
    let lines = if variable("AWS_LAMBDA_FUNCTION_NAME").is_some() {
        layer.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        layer.boxed()
    };
    drop(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init());
}

/// Returns the span in which a handler runs. No log ever contains the attempt's token.
pub(crate) fn span(invocation: Option<&Invocation>, request_id: &str) -> Span {
    let Some(invocation) = invocation else { return tracing::info_span!("step", request_id) };
    tracing::info_span!(
        "step",
        execution_id = %invocation.execution_id,
        step_name = %invocation.step_name,
        attempt_count = invocation.attempt_count,
        request_id,
    )
}
