//! Changes of status as a file: one event a line, in the form in which EventBridge delivers them.
//!
//! Every process of a project appends to the same file. At 16 MiB it becomes `events.1.jsonl`,
//! which replaces the one before, so the log never has more than two files.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde_json::json;
use sidestep_core::view::description::timestamp;
use sidestep_core::view::status_change::StatusChange;
use sidestep_engine::ports::watcher::Watcher;

use crate::account::{ACCOUNT_ID, REGION};
use crate::events::BoxError;

/// The file in the state folder.
pub const FILE: &str = "events.jsonl";
/// The size in bytes after which a new file begins.
const LIMIT: u64 = 16 * 1024 * 1024;
/// The source of the events. Names that begin with `aws.` belong to AWS.
const SOURCE: &str = "sidestep";

/// Appends changes of status to the file of a state folder.
#[derive(Debug, Clone)]
pub struct EventLog {
    path: PathBuf,
}

impl EventLog {
    /// Makes the log of a state folder. The file is created with the first event.
    pub fn new(state: &Path) -> Self {
        Self::named(state, FILE)
    }

    /// Makes a log of a state folder in a file of its own.
    pub(crate) fn named(state: &Path, file: &str) -> Self {
        Self { path: state.join(file) }
    }

    /// Appends lines, after starting a new file if the old one is full.
    pub(crate) fn append(&self, text: &str) -> std::io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() >= LIMIT) {
            fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // In one write, so that lines of several processes do not mix.
        file.write_all(text.as_bytes())
    }
}

#[async_trait]
impl Watcher for EventLog {
    async fn changed(&self, changes: &[StatusChange]) -> Result<(), BoxError> {
        let lines = changes.iter().map(|change| {
            let event = json!({
                "version": "0",
                "id": change.id,
                "detail-type": change.detail_type,
                "source": SOURCE,
                "account": ACCOUNT_ID,
                "time": timestamp(change.at_ms),
                "region": REGION,
                "resources": change.resources,
                "detail": change.detail,
            });
            format!("{event}\n")
        });
        let text: String = lines.collect();
        if text.is_empty() {
            return Ok(());
        }
        let log = self.clone();
        Ok(tokio::task::spawn_blocking(move || log.append(&text)).await??)
    }
}
