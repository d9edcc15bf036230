//! What `plan()` returns: one commit, and everything else that the engine must write or do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::StepIndex;
use crate::execution::commit::Commit;
use crate::execution::manifest::Manifest;
use crate::execution::phase::Revision;
use crate::execution::result::CacheEntry;
use crate::name::{ExecutionId, StepName};
use crate::plan::facts::Need;
use crate::uri::S3Uri;

/// The decision about one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// To be created at its revision; nothing to do when it [is empty](Commit::is_empty).
    pub commit: Commit,
    /// To be written before the commit: harmless if the commit is lost.
    pub publish: Vec<Publication>,
    /// To be created before the commit: manifests of large outputs whose functions write none.
    pub manifests: Vec<(S3Uri, Manifest)>,
    /// To be written before the commit: what the tokens of Callback steps stand for.
    pub callbacks: Vec<(String, CallbackRecord)>,
    /// To be performed after the commit.
    pub effects: Vec<Effect>,
    /// Facts to gather first. While there are any, nothing of this plan may be written.
    pub needs: BTreeSet<Need>,
    /// The commit is full: plan again after it.
    pub is_partial: bool,
    /// How many of the events are in it; the others come with the next one.
    pub taken: usize,
    pub discarded: Vec<Discarded>,
}

/// What the token of a Callback step stands for. One whose commit was lost stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackRecord {
    pub execution_id: ExecutionId,
    pub step: StepIndex,
    pub attempt_count: u32,
    pub revision: Revision,
    /// Its message is not known to be in the queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unsent: bool,
}

/// A cache entry that a step leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub step: StepIndex,
    pub entry: CacheEntry,
}

/// What the world must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Invokes the step's function, asynchronously.
    ///
    /// Twice: of one attempt the first report counts, later ones are discarded. Never, because the planner died first: the lease
    /// lapses and the sweep begins a new attempt.
    InvokeStep { step: StepIndex, attempt_count: u32, function_arn: String, payload: Value },
    /// Sends the message of a Callback step to its queue.
    ///
    /// Twice: two messages with one token, of which one answer counts. Never, because the planner died first: its record says so, and the
    /// sweep begins a new attempt.
    SendCallback { step: StepIndex, attempt_count: u32, queue_url: String, body: Value },
    /// Calls the planner at this time, in milliseconds since 1970.
    ///
    /// Twice or early: it finds nothing due. Never: the sweep finds it.
    Wake { at_ms: u64 },
}

/// A report that changes nothing, and why: late, repeated, forged, or about an unknown step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    pub step: StepName,
    /// 0 for a lost attempt, whose event has no number.
    pub attempt_count: u32,
    pub reason: &'static str,
}

/// The reason for discarding an event about a step that the pipeline does not have.
pub(crate) const UNKNOWN_STEP: &str = "no such step";
