//! `sidestep cache`: what is cached, and getting rid of it.

mod collect;
mod list;
mod remove;

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use sidestep_core::cache::key::CacheKey;
use sidestep_core::execution::commit::CacheEntry;
use sidestep_core::parse::duration::parse_expire_after;

use crate::arguments::Target;
use crate::project::Project;
use crate::session::Session;

/// Digits of a key that are shown; 48 bits tell the entries of any deployment apart.
const KEY_DIGITS: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct CacheOptions {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// List cached results, newest first
    List(list::ListOptions),
    /// Remove cached results, so that their steps run again
    Rm(remove::RemoveOptions),
    /// Remove old cached results, and artifacts of old executions that nothing needs
    Gc(collect::CollectOptions),
}

pub(crate) async fn cache(
    project: Option<&Path>,
    target: Target,
    options: &CacheOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let session = Session::open(&project, target).await?;
    let result = match &options.command {
        CacheCommand::List(options) => list::list(&session, options).await,
        CacheCommand::Rm(options) => remove::remove(&session, options).await,
        CacheCommand::Gc(options) => collect::collect(&session, options).await,
    };
    session.close(Duration::ZERO).await;
    result
}

/// The pipeline whose execution made the entry, by the execution's ARN.
fn pipeline(entry: &CacheEntry) -> &str {
    let arn = &entry.source.pipeline_execution_arn;
    let rest = arn.split_once(":pipeline/").map_or(arn.as_str(), |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn short(key: &CacheKey) -> &str {
    &key.as_str()[..KEY_DIGITS]
}

fn bytes(entry: &CacheEntry) -> u64 {
    entry.produced.artifacts.iter().map(|artifact| artifact.bytes).sum()
}

/// Bytes for people: `512 B`, `1.5 KB`, `20.3 MB`.
fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let error = |error| format!("{error}; expected {}", sidestep_core::parse::duration::ALLOWED);
    parse_expire_after(text).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1_550, "1.5 KB"), (2_000_000, "2.0 MB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
