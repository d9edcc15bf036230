//! Collects old results and artifacts that nothing uses, and reports what was removed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sidestep_core::cache::garbage::{Staleness, StoredObject};
use sidestep_core::execution::commit::CacheEntry;
use sidestep_engine::ports::clock::{Clock as _, SystemClock};
use sidestep_engine::read::garbage::{Collected, Mode};

use super::super::gc::local::Freed;
use super::entry::{age, pipeline, short, size};
use crate::output::count::count;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct CollectOptions {
    /// Remove what was not used for longer than this: 30d, 12h, 15m, P1M
    #[arg(long, value_name = "DURATION", value_parser = age, default_value = "30d")]
    pub(crate) older_than: Duration,
    /// Show what would be removed without removing it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(crate) async fn collect(
    session: &Session,
    options: &CollectOptions,
    freed: &[Freed],
) -> Result<ExitStatus, CommandError> {
    let age_ms = u64::try_from(options.older_than.as_millis()).unwrap_or(u64::MAX);
    let cut_off_ms = SystemClock.now_ms().saturating_sub(age_ms);
    let mode = if options.dry_run { Mode::DryRun } else { Mode::Remove };
    let collected = session.engine.collect_garbage(cut_off_ms, mode).await?;
    if options.json {
        let entries = collected.entries.iter().map(|(entry, staleness)| {
            json!({
                "CacheKey": entry.key(),
                "StepName": entry.source.step_name,
                "Reason": why(*staleness),
            })
        });
        let objects = collected.objects.iter().map(|o| json!({ "Uri": o.uri, "Bytes": o.bytes }));
        let files = freed.iter().map(|file| json!({ "Path": file.path, "Bytes": file.bytes }));
        println!(
            "{:#}",
            json!({
                "DryRun": options.dry_run,
                "CacheEntries": entries.collect::<Vec<_>>(),
                "Objects": objects.collect::<Vec<_>>(),
                "Files": files.collect::<Vec<_>>(),
                "RemainingCacheEntries": collected.remaining_entries,
            })
        );
    } else {
        print!("{}", text(&collected, freed, mode));
    }
    Ok(ExitStatus::Succeeded)
}

fn text(collected: &Collected, freed: &[Freed], mode: Mode) -> String {
    let entry = |(entry, staleness): &(CacheEntry, Staleness)| {
        let step = &entry.source.step_name;
        format!("entry {}  {step}  {}  {}\n", short(&entry.key()), pipeline(entry), why(*staleness))
    };
    let mut text: String = collected.entries.iter().map(entry).collect();
    let mut by_execution: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for StoredObject { uri, bytes } in &collected.objects {
        let parts = uri.key().match_indices('/').nth(2).map_or(uri.key().len(), |(at, _)| at + 1);
        let sum = by_execution.entry(&uri.key()[..parts]).or_default();
        *sum = (sum.0 + 1, sum.1 + bytes);
    }
    for (prefix, (objects, bytes)) in by_execution {
        let _ = writeln!(text, "{} below {prefix}, {}", count(objects, "object"), size(bytes));
    }
    for file in freed {
        let _ = writeln!(text, "{}, {}", file.path.display(), size(file.bytes));
    }
    let verb = if mode == Mode::DryRun { "would go" } else { "removed" };
    let bytes = collected.objects.iter().map(|object| object.bytes).sum();
    let (entries, objects) = (collected.entries.len(), collected.objects.len());
    let (remaining, files) = (collected.remaining_entries, freed.len());
    let file_bytes = freed.iter().map(|file| file.bytes).sum();
    text + &format!(
        "{verb}: {} and {}, {}; {} of logs and code, {}; {} {}\n",
        count(entries, "entry"),
        count(objects, "object"),
        size(bytes),
        count(files, "copy"),
        size(file_bytes),
        count(remaining, "entry"),
        if remaining == 1 { "stays" } else { "stay" }
    )
}

fn why(staleness: Staleness) -> &'static str {
    match staleness {
        Staleness::Old => "old",
        Staleness::Incomplete => "an artifact is gone",
    }
}
